"""Decisions of the particles app: what is trained, what it is measured against, its doubts."""

import contextlib
import dataclasses
import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, samplers, targets, training
from ma_keras.apps import (
  evaluate,
  particles,
  particles_measure,
  particles_potential,
  particles_reference,
  particles_start,
  particles_target,
  sample,
  score,
  training_app,
)
from ma_keras.apps.configuration import EvaluateConfig, ParticlesConfig, SampleConfig
from ma_keras.apps.particles_monitor import Monitor

CONFIG = ParticlesConfig(
  target='dw4',
  hidden_units=3,
  shells=5,
  basis_size=2,
  num_steps=3,
  integrator='midpoint',
  gradient='plain',
  step_size=0.25,
  batch_size=8,
  epochs=1,
  steps_per_epoch=2,
  eval_samples=40,
  eval_batch_size=20,
  monitor_samples=40,
  chains=4,
  begin_epochs=1,
  begin_batch_size=8,
  chain_samples=6,
  temperatures=3,
  jit_compile=False,
  saved_model=False,
)


def with_options(**options):
  return dataclasses.replace(CONFIG, **options)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run of one epoch, which may be in doubt, against chains that stand still."""
  folder = str(tmp_path_factory.mktemp('particles'))
  return carried_out(with_options(begin='matching', likelihood_share=1.0, run_dir=folder))


def carried_out(config):
  """Directory and configuration of a run against chains that stand still."""
  directory = training.RunDirectory(pathlib.Path(config.directory))
  with pytest.MonkeyPatch.context() as patch, contextlib.suppress(training.TrainingStopped):
    patch.setattr(samplers, 'sequential_monte_carlo', populations)
    patch.setattr(particles_start, 'PAIRS', 64)
    patch.setattr(samplers, 'hamiltonian_chains', standing_still)
    particles.carry_out(config)
  return directory, config


def populations(path, num_samples, num_populations, num_temperatures, seed):
  """Samples of the base, with their weights."""
  assert num_temperatures == CONFIG.temperatures
  x = path.base.sample(num_samples * num_populations, seed=[seed, 1])
  log_weights = -np.float64(path.rise(x))
  parts = np.split(log_weights, num_populations)
  log_partitions = np.array([-samplers.estimate(part).negative_log_partition for part in parts])
  return samplers.Populations(log_partitions, x.numpy(), log_weights)


def standing_still(energy, start, schedule, seed):
  samples = np.repeat(start[np.newaxis], schedule.num_samples, axis=0)
  energies = np.repeat(np.float64(energy(start))[np.newaxis], schedule.num_samples, axis=0)
  return samplers.Chains(samples, energies + np.arange(len(samples))[:, np.newaxis], 0.8, 0.1)


@pytest.mark.slow
def test_a_run_writes_its_measures_model_reference_and_figures(run):
  directory, _ = run
  summary = directory.read_summary()
  assert summary['num_samples'] == 40 and 0 < summary['effective_sample_size'] <= 1
  other = summary['reference']
  assert other['num_samples'] == 40 and other['num_target_samples'] == 12
  kl = other['log_partition'] + summary['free_energy']
  assert other['reverse_kl']['value'] == pytest.approx(kl, abs=max(1.0, 0.1 * abs(kl)))
  assert 0 < other['forward_ess']['value'] <= 1
  metrics = directory.read_metrics()
  assert metrics['effective_sample_size'].shape == (1,)
  begun = training.RunDirectory(directory.root / 'begin').read_metrics()
  assert np.isfinite(begun['loss']).shape == (1,)
  for name in ('histograms', 'training', 'structures'):
    assert directory.figure(name).exists()
  with np.load(directory.root / 'reference.npz') as reference:
    positions = reference['positions']
  assert positions.shape == (6, 4, 8)
  np.testing.assert_allclose(positions.reshape(6, 4, 4, 2).mean(axis=2), 0.0, atol=1e-5)


@pytest.mark.slow
def test_its_model_is_measured_again_by_eval_and_is_one_of_the_subspace(run):
  directory, _ = run
  model = ma_keras.load(directory.model)
  assert isinstance(model.base, ma_keras.bases.MeanFreeNormal)
  target, exact = evaluate.target_of(model.notes)
  assert isinstance(target, targets.DoubleWells) and exact is None
  measured = evaluate.measure(EvaluateConfig(model=str(directory.model), n=20, batch_size=20))
  assert measured.num_samples == 20 and np.isfinite(measured.free_energy_per_site)


@pytest.mark.slow
def test_a_run_that_goes_on_keeps_its_reference(run, monkeypatch):
  directory, config = run
  stored = (directory.root / 'reference.npz').read_bytes()
  monkeypatch.setattr(particles_reference, 'make', None)
  target = particles_target.build(config)
  read = particles_reference.reference(target, config, directory.root / 'reference.npz')
  assert (directory.root / 'reference.npz').read_bytes() == stored
  energies = target.energy(read.positions) + np.arange(6.0)[:, np.newaxis]
  np.testing.assert_allclose(energies, read.energies, rtol=1e-3, atol=1e-2)
  assert isinstance(read.partition, samplers.Expectation)


def test_a_reference_of_another_length_is_made_anew(tmp_path, monkeypatch):
  monkeypatch.setattr(samplers, 'sequential_monte_carlo', populations)
  monkeypatch.setattr(samplers, 'hamiltonian_chains', standing_still)
  make, made = particles_reference.make, []
  monkeypatch.setattr(
    particles_reference, 'make', lambda *arguments: made.append(1) or make(*arguments)
  )
  path, target = tmp_path / 'reference.npz', particles_target.build(CONFIG)
  for number, options in enumerate([{}, {'thinning': 7}, {'burn_in': 9}, {'chain_samples': 5}], 1):
    for _ in range(2):
      particles_reference.reference(target, with_options(**options), path)
      assert len(made) == number


def test_a_reference_tells_the_doubts_of_its_chains_and_those_of_its_populations(monkeypatch):
  def far_apart(*arguments, **options):
    made = populations(*arguments, **options)
    return dataclasses.replace(made, log_partitions=np.arange(len(made.log_partitions)) * 9.0)

  monkeypatch.setattr(samplers, 'sequential_monte_carlo', far_apart)
  monkeypatch.setattr(samplers, 'hamiltonian_chains', standing_still)
  doubts = str(particles_reference.make(particles_target.build(CONFIG), CONFIG).doubts)
  assert 'R-hat of the energy' in doubts and 'populations differ' in doubts


def test_halves_of_the_reference_share_no_chain():
  energies = np.arange(6.0).reshape(1, 6)
  whole = particles_reference.Reference(energies[..., np.newaxis], energies, *np.zeros([3]))
  first, second = whole.half(second=False), whole.half(second=True)
  np.testing.assert_array_equal(first.energies, [[0.0, 1.0, 2.0]])
  np.testing.assert_array_equal(second.positions[..., 0], [[3.0, 4.0, 5.0]])


@pytest.mark.parametrize(
  'number, rows',
  [(12, [1, 3, 5]), (19, [0, 2, 3, 5]), (20, [0, 1, 2, 3, 5]), (8, [2, 5]), (3, [5])],
)
def test_a_thinned_reference_keeps_every_chain_to_its_end(number, rows):
  energies = np.arange(24.0).reshape(6, 4)
  whole = particles_reference.Reference(energies[..., np.newaxis], energies, *np.zeros([3]))
  thinned = whole.thinned(number)
  np.testing.assert_array_equal(thinned.energies, energies[rows])
  np.testing.assert_array_equal(thinned.positions, energies[rows][..., np.newaxis])
  assert whole.thinned(1000).energies.shape == (6, 4)


def test_no_chains_are_no_reference(tmp_path):
  config = with_options(chains=0)
  path = tmp_path / 'reference.npz'
  assert particles_reference.reference(particles_target.build(config), config, path) is None
  assert not path.exists()
  with pytest.raises(ValueError, match='are for draws of the flow, of which there are none'):
    with_options(likelihood_share=1.0, energy_ceiling=0.0)
  with pytest.raises(ValueError, match='`--chains` must be at least 2'):
    with_options(chains=1)
  with pytest.raises(ValueError, match='take at least 4, got 3'):
    with_options(chains=3, begin='matching')


def test_a_resumed_run_that_diverges_is_stopped_at_once(tmp_path):
  """A nat for every degree of freedom is chance; the epochs before say how far it had come."""
  run = training.RunDirectory(tmp_path)
  assert particles.divergence_guard(run, 36).first == math.inf
  run.metrics.write_text('epoch,loss\n0,75.2\n1,64.5\n')
  guard = particles.divergence_guard(run, 36)
  guard.set_model(tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))]))
  with pytest.raises(
    training.TrainingStopped, match=r'The loss rose to 268\.80 at epoch 3, from 64'
  ):
    guard.on_epoch_end(2, {'loss': 268.8})


def test_the_potential_is_that_of_the_options():
  target = particles_target.build(CONFIG)
  both = particles_potential.build(target, CONFIG)
  pairs, atoms = both.terms
  assert (pairs.shells.reach, pairs.time_basis.time) == (8.0, 0.75)
  assert atoms.bias.shape == (3,) and atoms.shells.centre.shape == (5,)
  both_layers = with_options(cluster_units=2, layer_basis_size=3)
  _, cluster = particles_potential.build(target, both_layers).terms
  assert isinstance(cluster, potentials.EmbeddedCluster) and cluster.cluster_bias.shape == (3, 2)
  with pytest.raises(ValueError, match='`--cluster_units` 2 are functions of the units of single'):
    with_options(cluster_units=2, hidden_units=0)
  with pytest.raises(ValueError, match='`--layer_basis_size` 2 is of the weights of hidden units'):
    with_options(layer_basis_size=2, hidden_units=0)
  options = {'hidden_units': 0, 'dipole_units': 2, 'layer_basis_size': 3}
  _, dipoles = particles_potential.build(target, with_options(**options)).terms
  assert isinstance(dipoles, potentials.EmbeddedDipoles) and dipoles.bias.shape == (3, 2)
  alone = particles_potential.build(target, with_options(hidden_units=0, basis_size=1, reach=3.0))
  assert isinstance(alone, potentials.Pairs) and alone.time_basis is None
  assert alone.shells.reach == 3.0
  _, far, _ = particles_potential.build(target, with_options(far_reach=20.0)).terms
  assert (far.shells.reach, far.shells.softening) == (20.0, 1.0)


def test_both_ends_of_matching_are_near_one_another(rng):
  target = particles_target.build(CONFIG)
  positions = target.base(2.0).sample(30, seed=1).numpy()
  base = target.base(2.0)
  z, x = particles_start.pairs(base, positions, target.pairing, seed=3, number=60)
  assert z.shape == x.shape == (60, 8) and z.dtype == x.dtype == np.float32
  np.testing.assert_allclose(
    np.sort(target.energy(x)), np.sort(np.tile(target.energy(positions), 2)), rtol=1e-3, atol=1e-2
  )
  unrelated = np.mean(np.sum((z - rng.permutation(x)) ** 2, axis=-1))
  assert np.mean(np.sum((z - x) ** 2, axis=-1)) < 0.4 * unrelated


@pytest.mark.slow
def test_without_epochs_what_flow_matching_made_is_measured(tmp_path):
  config = with_options(begin='matching', epochs=0, run_dir=str(tmp_path))
  directory, _ = carried_out(config)
  assert directory.read_summary()['num_samples'] == 40
  assert not directory.metrics.exists()
  begun = particles.build_model(particles_target.build(config), config)
  begun = training_app.compiled(
    begun,
    config.steps_per_epoch,
    dataclasses.replace(config, optimizer='adam', epochs=1, learning_rate=config.begin_rate),
  )
  start = [variable.numpy() for variable in begun.bijector.variables]
  assert training.Backup(begun, directory.root / 'begin' / 'backup').restore() == 1
  ends = ma_keras.load(directory.model).bijector.variables
  for one, two in zip(begun.bijector.variables, ends, strict=True):
    np.testing.assert_array_equal(one, two)
  assert any(np.any(one != two) for one, two in zip(start, ends, strict=True))
  with pytest.raises(ValueError, match='and there is neither: pass one, or some epochs'):
    with_options(epochs=0)


def test_no_epochs_are_measured_where_others_are_saved(run):
  """The weights of the run would be taken for those of the beginning, or the other way round."""
  _, config = run
  with pytest.raises(ValueError, match='where 1 epochs are saved: pass --epochs=1 to measure'):
    particles.carry_out(dataclasses.replace(config, epochs=0))


def test_weights_of_another_run_begin_one_of_more_particles(tmp_path):
  """No weight depends on their number; all else of the potential has to be the same."""
  path = str(tmp_path / 'model.npz')
  options = {'target': 'lennard_jones', 'hidden_units': 3, 'cluster_units': 2, 'dipole_units': 2}
  options |= {'shells': 5, 'basis_size': 2, 'num_steps': 4, 'step_size': 0.25, 'background': True}

  def built(number, **others):
    config = ParticlesConfig(particles=number, **{**options, **others})
    return particles.build_model(particles_target.build(config), config)

  first = built(3, seed=1)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(first.bijector, base=first.base))
  second = built(5, seed=2, start_from=path)
  for one, two in zip(first.bijector.variables, second.bijector.variables, strict=True):
    np.testing.assert_array_equal(one, two)
  for others, message in (
    ({'reach': 3.0}, 'is of a flow with reach 4.0, where these flags make 3.0'),
    ({'step_size': 0.5}, 'is of a flow with time 1.0, where these flags make 2.0'),
    ({'dipole_units': 0}, 'is of a flow with terms'),
    ({'shells': 6}, 'is of a flow with shells 5, where these flags make 6'),
  ):
    with pytest.raises(ValueError, match=rf'`--start_from` .* {message}'):
      built(5, start_from=path, **others)
  with pytest.raises(ValueError, match=r'`--start_from`: .* is no model file'):
    built(5, start_from=str(tmp_path / 'none.npz'))


def test_the_beginning_matches_the_ends_of_the_target(tmp_path, monkeypatch):
  monkeypatch.setattr(particles_start, 'PAIRS', 300)
  config = with_options(begin='matching', run_dir=str(tmp_path))
  target = particles_target.build(config)
  model = particles.build_model(target, config)
  samples = target.base().sample(300, seed=1).numpy()
  beginner, stream = particles_start.matching(config, model, samples)
  assert beginner.bijector is model.bijector and isinstance(beginner, training.FlowMatching)
  z, x = next(iter(stream(3)))
  assert z.shape == x.shape == (8, 8)


def test_the_target_is_that_of_the_options():
  config = ParticlesConfig(
    target='lennard_jones', particles=3, convention='undirected', dtype='float64'
  )
  target = particles_target.build(config)
  assert (target.event_size, target.bond, target.dtype.name) == (9, 1.0, 'float64')
  assert config.run_name == 'lj3' and config.distance == 4.0
  assert isinstance(particles_target.build(CONFIG), targets.DoubleWells)


def test_options_reach_the_model():
  config = with_options(
    path_gradient=True,
    anneal_steps=7,
    energy_ceiling=50.0,
    penalty='stiffness:0.25',
    base_scale=2.0,
  )
  model = particles.build_model(particles_target.build(config), config)
  assert model.aids == training.Aids(path_gradient=True, anneal_steps=7, energy_ceiling=50.0)
  mixed = with_options(likelihood_share=1.0, path_gradient=True, path_share=0.5)
  assert particles.model_settings(mixed)['aids'].path_share == 0.5
  with pytest.raises(ValueError, match=r'`--path_share` 0\.5 is of a gradient by samples'):
    with_options(path_gradient=True, path_share=0.5)
  with pytest.raises(ValueError, match='`--path_share` must be above 0'):
    with_options(likelihood_share=1.0, path_gradient=True, path_share=0.0)
  assert model.base.scale == 2.0
  total = model.penalties.total({'stiffness': tf.constant(2.0)}, tf.constant(0.0))
  assert float(total) == 0.5
  assert isinstance(model.base, ma_keras.bases.MeanFreeNormal)


@pytest.mark.slow
def test_the_monitor_tells_the_effective_sample_size_of_training_steps():
  target = particles_target.build(CONFIG)
  model, logs = particles.build_model(target, CONFIG), {}
  monitor = Monitor(model, CONFIG)
  monitor.on_epoch_end(0, logs)
  first = logs['effective_sample_size']
  monitor.on_epoch_end(1, logs)
  assert 1 / 40 <= first <= 1 and logs['effective_sample_size'] == first


def free_energy(value, error):
  """F of eight coordinates together, and its error."""
  found = training.FreeEnergy(8, 40, 3, *np.zeros(12), '')
  return dataclasses.replace(found, free_energy_per_site=value / 8, statistical_error=error / 8)


def test_a_bound_below_the_annealed_one_is_doubted():
  reference = particles_reference.Reference(*np.zeros([2, 1, 4]), 29.0, 0.3, '')
  assert particles_measure.beyond(free_energy(-30.0, 0.1), None) == ''
  assert particles_measure.beyond(free_energy(-30.0, 0.1), reference) == ''
  assert 'F lies 3 nats below' in particles_measure.beyond(free_energy(-32.0, 0.1), reference)


def test_ln_z_of_both_ends_is_exact_where_the_flow_is_the_target_but_for_a_constant(rng):
  annealed = samplers.Expectation(2.0, 0.3)
  both = particles_measure.log_partition(np.full(50, 2.5), np.full([10, 4], 2.5), annealed)
  assert both.value == pytest.approx(2.5) and both.error < 1e-9
  apart = particles_measure.log_partition(
    rng.normal(-90.0, 1.0, 50), rng.normal(90.0, 1.0, [10, 4]), annealed
  )
  assert apart == annealed


def test_the_likelihood_of_chains_has_its_share():
  config = with_options(likelihood_share=0.25, path_gradient=True)
  model = particles.build_model(particles_target.build(config), config)
  assert isinstance(model, training.Jeffreys) and model.share == 0.25
  assert config.learns_from_chains and not CONFIG.learns_from_chains
  samples = np.arange(160.0, dtype=np.float32).reshape(20, 8)
  experiment = particles.Experiment(config, None, None, None, model)
  numbers, x = next(iter(particles.stream(experiment, samples, 0)))
  assert list(numbers) == list(range(8)) and {*x.numpy()[:, 0]} <= {*samples[:, 0]}
  with pytest.raises(ValueError, match='leave out --likelihood_share'):
    particles.build_model(
      particles_target.build(config),
      dataclasses.replace(config, objective='kinetic:2.5'),
    )


IN_BOX = {
  'target': 'lennard_jones',
  'particles': 3,
  'convention': 'undirected',
  'species': (0, 0, 1),
  'depths': '0-1:1.5,1-1:0.5',
  'radii': '0-1:0.8,1-1:0.88',
  'box': (3.0, 3.5, 3.0),
}
TABLES = {'depths': ((1.0, 1.5), (1.5, 0.5)), 'radii': ((1.0, 0.8), (0.8, 0.88))}


def test_target_base_and_potential_know_the_kinds_and_the_box():
  config = with_options(**IN_BOX, far_reach=1.4)
  target = particles_target.build(config)
  x = target.base().sample(5, seed=1)
  same = targets.LennardJones(
    3, 'undirected', box=IN_BOX['box'], species=IN_BOX['species'], **TABLES
  )
  np.testing.assert_array_equal(target.energy(x), same.energy(x))
  model = particles.build_model(target, config)
  assert isinstance(model.base, ma_keras.bases.PeriodicUniform)
  near, far, atoms = model.bijector.potential.terms
  for term in (near, far, atoms):
    assert term.pairing == target.pairing
  assert (near.shells.reach, far.shells.reach, atoms.shells.reach) == (1.5, 1.4, 1.5)


def test_the_reference_of_a_box_has_its_partition_function_and_lies_in_it(monkeypatch):
  """Two unlike particles: Z = V times the integral of exp(-u) over one box, by quadrature."""
  monkeypatch.setattr(samplers, 'sequential_monte_carlo', populations)
  monkeypatch.setattr(samplers, 'hamiltonian_chains', beside_the_box)
  monkeypatch.setattr(particles_reference, 'POPULATION', 500)
  config = with_options(**{**IN_BOX, 'particles': 2, 'species': (0, 1)})
  made = particles_reference.make(particles_target.build(config), config)
  axes = [(np.arange(60) + 0.5) / 60 * side for side in config.box]
  gaps = [np.minimum(axis, side - axis) for axis, side in zip(axes, config.box)]
  r = np.sqrt(sum(np.square(gap) for gap in np.meshgrid(*gaps, indexing='ij')))
  ratios = (0.8 / np.stack([r, np.full_like(r, 1.5)])) ** 6
  bonds = 1.5 * (ratios**2 - 2.0 * ratios)
  energies = np.where(r < 1.5, bonds[0] - bonds[1], 0.0)
  exact = 2.0 * np.log(np.prod(config.box)) + np.log(np.mean(np.exp(-energies)))
  assert abs(made.partition.value - exact) < 4 * made.partition.error < 0.1
  assert made.positions.shape == (6, 4, 6)
  assert np.all((made.positions >= 0.0) & (made.positions <= np.tile(config.box, 2)))


def beside_the_box(energy, start, schedule, seed):
  chains = standing_still(energy, start, schedule, seed)
  return dataclasses.replace(chains, samples=chains.samples - 7.0)


def test_ends_of_matching_in_a_box_are_nearest_images_of_like_particles(rng):
  target = particles_target.build(with_options(**IN_BOX))
  positions = target.base().sample(30, seed=1).numpy() + 3.0
  z, x = particles_start.pairs(target.base(), positions, target.pairing, seed=3, number=30)
  np.testing.assert_allclose(
    np.sort(target.energy(x)), np.sort(target.energy(positions)), rtol=1e-3, atol=1e-2
  )
  assert np.all(np.abs(x - z) <= 0.5 * np.tile(IN_BOX['box'], 3) + 1e-4)


@pytest.mark.slow
def test_a_mixture_in_a_box_is_trained_measured_drawn_and_scored(tmp_path, eagerly, monkeypatch):
  """From the flags to a model file, which eval, sample and score take for what it is."""
  ase = pytest.importorskip('ase.io')
  monkeypatch.setattr(particles, 'CERTIFIED_SAMPLES', 20)
  few = {'num_steps': 2, 'hidden_units': 0, 'steps_per_epoch': 1, 'eval_samples': 20}
  config = with_options(
    **IN_BOX,
    **few,
    begin='matching',
    likelihood_share=0.5,
    run_dir=str(tmp_path / 'run'),
    monitor_samples=0,
    figures=False,
  )
  directory, _ = carried_out(config)
  assert directory.read_summary()['reference']['num_target_samples'] == 12
  path = str(directory.model)
  model = ma_keras.load(path)
  target, _ = evaluate.target_of(model.notes)
  assert target.pairing == particles_target.build(config).pairing
  np.testing.assert_array_equal(target.depths, TABLES['depths'])
  measured = evaluate.measure(EvaluateConfig(model=path, n=20, batch_size=20))
  assert np.isfinite(measured.free_energy_per_site)
  for name in ('x.npy', 'x.xyz'):
    sample.work(SampleConfig(model=path, n=4, batch_size=4, output=str(tmp_path / name)))
  rows, frames = np.load(tmp_path / 'x.npy'), ase.read(tmp_path / 'x.xyz', index=':')
  assert len(frames) == 4 and all(list(frame.numbers) == [1, 1, 2] for frame in frames)
  for row, frame in zip(rows.reshape(4, 3, 3), frames):
    gaps = (row - frame.positions) / frame.cell.lengths()
    np.testing.assert_allclose(gaps, np.round(gaps), atol=1e-5)
  # The period of the box: moved images of particles have the same density.
  scorer = score.log_prob(model)
  moved = rows + np.array([3.0, 0, 0, 0, -7.0, 0, 0, 0, 6.0], np.float32)
  np.testing.assert_allclose(scorer(moved), scorer(rows), rtol=1e-3)
