"""The Ising app as a user runs it: in a process of its own, on tiny flagfiles."""

import functools
import json
import shutil

import numpy as np
import pytest

import ma_keras
from ma_keras import potentials, targets, training
from ma_keras.apps import ising
from ma_keras.apps.configuration import IsingConfig
from tests.integration import apps
from tests.support.configurations import parsed

run = functools.partial(apps.run, 'ising_main.py')
TINY = [
  *('--side=2', '--hidden_units=8', '--num_steps=4', '--integrator=euler', '--batch_size=16'),
  *('--epochs=3', '--steps_per_epoch=10', '--eval_samples=128', '--deterministic'),
  *('--nosaved_model', '--nofigures'),
]
# Two steps do where it is no matter how good the flow is.
BRIEF = [*TINY, '--epochs=1', '--steps_per_epoch=2']


def checkpoint_bytes(path):
  files = [file for file in (path / 'backup').rglob('*') if file.is_file()]
  assert files
  return {str(file): file.read_bytes() for file in files}


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  path = tmp_path_factory.mktemp('ising')
  return path, run(*TINY, '--figures', f'--run_dir={path}')


@pytest.fixture(scope='module')
def bonds():
  upper = np.triu(np.random.default_rng(0).normal(size=[5, 5]), 1)
  return upper + upper.T


@pytest.fixture(scope='module')
def glass(tmp_path_factory, bonds):
  path = tmp_path_factory.mktemp('glass')
  np.save(path / 'couplings.npy', bonds)
  flags = [
    *(*BRIEF, '--symmetry=none', '--hidden_units=10'),
    *('--target=couplings', f'--couplings_file={path}/couplings.npy'),
  ]
  return path / 'run', flags, run(*flags, '--saved_model', f'--run_dir={path}/run')


def test_four_spins_end_with_an_honest_free_energy(tmp_path):
  """L=2: reweighted, -ln Z, energy and specific heat are exact to within their errors.

  So good a flow that its weights can be trusted: with heavy tails errors are too small.
  """
  flags = [
    *('--side=2', '--potential=lattice', '--channels=6', '--basis_size=3', '--batch_size=64'),
    *('--num_steps=10', '--step_size=0.1', '--epochs=1', '--steps_per_epoch=60'),
    *('--learning_rate=0.03', '--warmup_steps=10', '--eval_samples=2000', '--eval_batch_size=500'),
    *('--nosaved_model', '--nofigures'),
  ]
  done = run(*flags, f'--run_dir={tmp_path}')
  assert done.returncode == 0, done.stderr
  result = json.loads((tmp_path / 'summary.json').read_text())
  # By hand, the mean over states s: ln(2 pi)/2 + ln det(K + a)/2N + a/2 + ln mean exp(s'Ks/2)/N.
  assert result['exact_per_site'] == pytest.approx(-2.281360386410, abs=1e-11)
  assert 0 < result['gap_per_site'] < 0.03
  assert result['integration_error'] < 1e-4
  assert result['effective_sample_size'] > 0.7 and not result['reweighting_doubts']
  assert result['reweighted_error'] < 3e-3
  off = result['reweighted_per_site'] - result['exact_per_site']
  assert abs(off) < 3 * result['reweighted_error']
  exact = targets.thermodynamics.exact(2)
  for kept, value in zip(result['observables'], (exact.energy, exact.specific_heat)):
    assert kept['exact'] == pytest.approx(value)
    assert abs(kept['reweighted']['value'] - value) < 4 * kept['reweighted']['error']
    assert f'{kept["name"]}: ' in done.stdout


def test_a_run_leaves_everything_behind(finished):
  path, done = finished
  assert done.returncode == 0, done.stderr
  assert done.stdout.strip().splitlines()[-1].startswith('F/N = ')
  for name in ('flags.txt', 'metrics.csv', 'figure4.png', 'domains.png', 'summary.json'):
    assert (path / name).stat().st_size > 0
  assert len(list((path / 'snapshots').iterdir())) == 3  # Epoch 0 counts twice for 3 epochs.
  assert list((path / 'tensorboard').rglob('events*'))


def test_the_flagfile_of_a_run_replays_it_exactly_though_it_is_killed(finished, tmp_path):
  path, _ = finished
  flags = [f'--flagfile={path}/flags.txt', '--nofigures', f'--run_dir={tmp_path}']
  process = apps.start('ising_main.py', *flags)
  process.wait_until((tmp_path / 'backup' / 'chief' / 'ckpt-1.index').exists)
  process.kill()
  process.wait()
  assert not (tmp_path / 'summary.json').exists()
  done = run(*flags)
  assert done.returncode == 0, done.stderr
  assert 'Epoch 1/' not in done.stdout
  uninterrupted, resumed = apps.weights(path), apps.weights(tmp_path)
  for name in uninterrupted:
    np.testing.assert_array_equal(uninterrupted[name], resumed[name])


def test_a_finished_run_is_not_trained_again(finished):
  path, _ = finished
  before = apps.weights(path)
  done = run(*TINY, f'--run_dir={path}')
  assert done.returncode == 0 and 'Epoch' not in done.stdout
  for name, value in apps.weights(path).items():
    np.testing.assert_array_equal(value, before[name])


def test_a_compiled_run_ends_in_the_same_place(glass, tmp_path):
  """XLA rounds and draws its latents its own way, so the same only within the errors."""
  path, flags, _ = glass
  done = run(*flags, '--jit_compile', f'--run_dir={tmp_path}')
  assert done.returncode == 0, done.stderr
  plain, compiled = (json.loads((p / 'summary.json').read_text()) for p in (path, tmp_path))
  error = plain['statistical_error'] + compiled['statistical_error']
  assert abs(plain['free_energy_per_site'] - compiled['free_energy_per_site']) < 5 * error


@pytest.mark.parametrize(
  'flags',
  [
    [
      *('--symmetry=average', '--gradient=recompute', '--penalty=stiffness:0.1'),
      *('--integrator=heun', '--dtype=float64', '--start=random', '--activation=softplus'),
    ],
    ['--flagfile=apps/flagfiles/ising_l4.flags', '--epochs=1', '--steps_per_epoch=10'],
  ],
)
def test_other_models_run_too(flags, tmp_path):
  done = run(*BRIEF, *flags, f'--run_dir={tmp_path}')
  assert done.returncode == 0, done.stderr
  assert 'F/N = ' in done.stdout


LATTICE = ['--potential=lattice', '--channels=2', '--basis_size=2', '--second_layer=2']


def test_a_larger_lattice_begins_with_the_weights_of_a_smaller(tmp_path):
  small, basis = tmp_path / 'small.npz', potentials.TimeBasis(0.4, 2)
  terms = [
    potentials.Lattice(2, 2, basis, seed=1),
    potentials.DeepLattice(2, 2, 2, basis, seed=2),
    potentials.SpectralQuadratic(2, basis),
  ]
  bijector = ma_keras.MongeAmpereBijector(potentials.Sum(terms), 4, 0.1)
  ma_keras.model_file.save(small, ma_keras.model_file.Model(bijector))
  lattice = [*TINY, *LATTICE, f'--start_from={small}']
  flags = [*lattice, '--side=4', '--kernel_reach=1', '--dtype=float64']
  config = parsed(IsingConfig, *flags, f'--run_dir={tmp_path}/large')
  experiment = ising.set_up(config, training.RunDirectory(tmp_path / 'large'))
  first = experiment.model.bijector.potential.terms
  assert [type(term) for term in first] == [type(term) for term in terms]
  for found, expected in zip(first[:2], terms):
    np.testing.assert_array_equal(found.bias, expected.bias)
    np.testing.assert_array_equal(found.amplitude, expected.amplitude)
  wrong = run(*lattice, '--channels=3', f'--run_dir={tmp_path}/wrong')
  assert wrong.returncode != 0 and 'channels' in wrong.stderr.splitlines()[-1]


@pytest.mark.parametrize('flag', ['--hidden_units=16', '--seed=1'])
def test_another_model_in_the_same_directory_is_refused(flag, finished):
  path, _ = finished
  before = (path / 'flags.txt').read_text()
  done = run(*TINY, flag, f'--run_dir={path}')
  assert done.returncode != 0
  assert flag in done.stderr and 'Traceback' not in done.stderr
  assert (path / 'flags.txt').read_text() == before


def test_a_run_that_cheats_its_integrator_stops_with_advice(tmp_path):
  flags = [
    *('--side=2', '--hidden_units=32', '--num_steps=1', '--step_size=5', '--integrator=euler'),
    *('--start=random', '--batch_size=64', '--epochs=8', '--warmup_steps=0'),
    *('--learning_rate=0.02', f'--run_dir={tmp_path}'),
  ]
  done = run(*flags)
  assert done.returncode != 0
  assert 'integrator is being cheated' in done.stderr and '--num_steps' in done.stderr
  assert 'Traceback' not in done.stderr


def test_divergence_stops_with_advice_and_keeps_the_checkpoint(finished, tmp_path):
  shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
  flags = [*TINY, '--epochs=4', f'--run_dir={tmp_path}']
  before = checkpoint_bytes(tmp_path)
  done = run(*flags, '--learning_rate=1e30', '--gradient_clip=0', '--warmup_steps=0')
  assert done.returncode != 0
  assert '--learning_rate' in done.stderr and 'Traceback' not in done.stderr
  assert checkpoint_bytes(tmp_path) == before
  assert 'F/N = ' in done.stdout  # What was saved last is reported, with the doubt in its file.
  assert '--learning_rate' in ma_keras.load(tmp_path / 'model.npz').notes['doubts']
  recovered = run(*flags)
  assert recovered.returncode == 0 and 'Epoch 4/4' in recovered.stdout


def test_help_lists_the_flags():
  done = run('--help')
  for flag in ('--side', '--num_steps', '--strategy', '--run_dir', '--learning_rate'):
    assert flag in done.stdout.replace('--[no]', '--')


def test_refined_steps_of_random_size_are_measured_and_resumed(tmp_path):
  """Nothing is below 1e-12 in single precision: each of the epochs doubles the steps."""
  flags = [
    *(*BRIEF, '--num_steps=1', '--refine_tolerance=1e-12', '--step_jitter=0.5'),
    f'--run_dir={tmp_path}',
  ]
  assert run(*flags, '--epochs=1').returncode == 0
  assert json.loads((tmp_path / 'summary.json').read_text())['num_steps'] == 2
  assert run(*flags, '--epochs=2').returncode == 0
  assert json.loads((tmp_path / 'summary.json').read_text())['num_steps'] == 4


def test_a_spin_glass_out_of_a_file(glass, bonds):
  path, _, done = glass
  assert done.returncode == 0, done.stderr
  assert (path / 'saved_model' / 'saved_model.pb').exists()
  exact = targets.CoupledSpins(bonds).exact_free_energy_per_site()
  result = json.loads((path / 'summary.json').read_text())
  assert result['exact_per_site'] == pytest.approx(exact)
  assert result['observables'][0]['name'] == 'energy'


def test_phi4_on_a_lattice_potential(tmp_path):
  done = run(*BRIEF, *LATTICE, '--second_layer=0', '--target=phi4', f'--run_dir={tmp_path}')
  assert done.returncode == 0, done.stderr
  assert 'magnetisation: ' in done.stdout and 'exact' not in done.stdout.splitlines()[-1]
