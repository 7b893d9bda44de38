"""Decisions of the density app: what is trained, for how long, which weights it reports."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from tf_keras.optimizers import schedules

import ma_keras
from ma_keras import data, fitting, training
from ma_keras.apps import (
  density,
  density_callbacks,
  density_experiment,
  density_report,
  density_table,
  training_app,
)
from ma_keras.apps.configuration import DensityConfig
from ma_keras.flow.tallies import Stiffness

OPTIONS = {
  'hidden_units': 3,
  'num_steps': 3,
  'step_size': 0.2,
  'batch_size': 7,
  'figures': False,
  'saved_model': False,
  'penalty': 'stiffness:0.25',
  'epochs': 5,
  'warmup_steps': 4,
  'learning_rate': 0.003,
}


def configured(folder, **options):
  """The configuration of a run on 100 points."""
  np.save(folder / 'x.npy', np.random.default_rng(0).normal(size=(100, 2)))
  files = {'dataset_file': str(folder / 'x.npy'), 'run_dir': str(folder / 'run')}
  return DensityConfig(**files, **{**OPTIONS, **options})


def set_up(folder, **options):
  """What `density.work` takes."""
  run = training.RunDirectory(folder / 'run')
  experiment = density_experiment.set_up(configured(folder, **options), run)
  run.release()
  return experiment


def best_then_worse(experiment, best):
  """In place of training: an epoch that is the best, and weights that are not."""
  best.on_epoch_end(0, {best.metric: 1.0})
  for variable in experiment.model.trainable_variables:
    variable.assign_add(0.1 * np.ones(variable.shape))


@pytest.mark.slow
def test_the_best_weights_are_reported_and_not_the_last(tmp_path, monkeypatch):
  experiment = set_up(tmp_path)
  best = [variable.numpy() for variable in experiment.model.trainable_variables]
  monkeypatch.setattr(density, 'train', best_then_worse)
  density.work(experiment)
  reported = ma_keras.load(tmp_path / 'run' / 'model.npz').bijector.trainable_variables
  for one, two in zip(best, reported, strict=True):
    np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_likelihood_in_doubt_is_written_and_ends_in_its_own_exit_code(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(density, 'train', best_then_worse)
  doubts = lambda self, *arguments, **options: 'Not to be trusted.'  # noqa: E731
  monkeypatch.setattr(training.Likelihood, 'doubts', doubts)
  with pytest.raises(SystemExit) as ending:
    density.main(configured(tmp_path))
  stdout, stderr = capsys.readouterr()
  assert ending.value.code == 3 and 'Not to be trusted.' in stderr
  assert 'NLL = ' in stdout


@pytest.mark.slow
def test_options_reach_the_model_and_the_rate_decays_until_the_last_step(tmp_path):
  experiment = set_up(tmp_path, step_jitter=0.5)
  points, model = experiment.points, experiment.model
  assert (dict(model.penalties.items()), model.batch_size, model.seed) == (
    {Stiffness(): 0.25},
    7,
    0,
  )
  horizon = model.bijector.horizon
  assert (horizon.num_steps, horizon.step_size, horizon.jitter) == (3, 0.2, 0.5)
  rate = schedules.deserialize(model.optimizer.get_config()['learning_rate'])
  total = 5 * (len(points.train) // 7)
  assert float(rate(4)) == pytest.approx(3e-3, rel=1e-5)
  assert float(rate(4 + (total - 4) / 2)) == pytest.approx(3e-3 * 0.505, rel=1e-5)
  assert float(rate(total)) == pytest.approx(3e-5, rel=1e-4)


@pytest.mark.slow
def test_the_best_of_several_first_weights_are_trained(tmp_path):
  """The model begins with the first weights whose training ends best, as if nothing had been."""
  experiment = set_up(tmp_path, tries=2, base='normal')
  config, points, model = experiment.config, experiment.points, experiment.model
  first = density_table.first_potentials(points, config)
  assert not np.allclose(first[0].kernel, first[1].kernel)
  np.testing.assert_array_equal(first[0].kernel, model.bijector.potential.kernel)
  least = []
  for potential in first:
    fitting.flow.begin(model, potential.variables)
    callbacks = [density_callbacks.validation(experiment)]
    batches = experiment.stream(0)
    history = model.fit(batches, epochs=5, steps_per_epoch=9, callbacks=callbacks, verbose=0)
    least.append(min(history.history['val_certified_nll']))
  assert abs(least[0] - least[1]) > 1e-5
  assert experiment.steps_per_epoch == 9
  density.try_first_weights(experiment)
  for one, two in zip(first[np.argmin(least)].variables, model.bijector.variables, strict=True):
    np.testing.assert_array_equal(one, two)
  assert int(model.optimizer.iterations) == 0
  with pytest.raises(ValueError, match='--optimizer=adam'):
    DensityConfig(tries=2, optimizer='soap')


@pytest.mark.slow
def test_epochs_follow_the_size_of_the_table():
  """Few rows are passed over often, many once, millions in part; --epochs says passes."""
  points = data.split('vectors', np.random.default_rng(0).normal(size=(100, 2)))
  config = DensityConfig(batch_size=256)
  for count, steps in ((2_560, 100), (100_000, 390), (10_000_000, 500)):
    rows = np.broadcast_to(np.zeros((1, 2)), (count, 2))
    of_size = dataclasses.replace(points, train=rows)
    assert density_table.steps_per_epoch(of_size, config) == steps
  given = dataclasses.replace(config, epochs=2)
  assert density_table.steps_per_epoch(of_size, given) == 10_000_000 // 256
  for chosen in (config, given):
    seven = dataclasses.replace(chosen, steps_per_epoch=7)
    for kind in (of_size, dataclasses.replace(of_size, levels=256)):
      assert density_table.steps_per_epoch(kind, seven) == 7


METRICS = 'epoch,nll,val_nll,val_nll_error,val_step_error,val_steps,val_certified_nll\n'


@pytest.fixture(scope='module')
def started(tmp_path_factory):
  return set_up(tmp_path_factory.mktemp('density'))


@pytest.fixture
def begun(started):
  """An experiment that begins."""
  started.run.metrics.unlink(missing_ok=True)
  return started


def with_options(experiment, **options):
  config = dataclasses.replace(experiment.config, **options)
  return dataclasses.replace(experiment, config=config)


@pytest.mark.slow
def test_guard_and_best_weights_of_a_run_that_goes_on_know_what_was(begun):
  """Guard and best weights of a run that goes on know what an uninterrupted one would."""
  run = begun.run
  assert training_app.history(run, 'nll').size == 0
  assert training_app.least(training_app.history(run, 'nll')) == np.inf
  guard = density_callbacks.guard(run)
  assert (guard.best, guard.first, guard.best_training) == (np.inf, np.inf, np.inf)
  run.metrics.write_text(f'{METRICS}0,5,7,0,0,6,7\n1,nan,inf,0,0,6,inf\n2,3,6.5,0,0,6,6.6\n')
  guard = density_callbacks.guard(run)
  assert (guard.best, guard.first, guard.best_training) == (6.5, 7.0, 3.0)
  assert training_app.least(training_app.history(run, 'val_certified_nll')) == 6.6
  assert training_app.history(run, 'unknown').size == 0


def test_in_doubt_is_an_epoch_whose_likelihood_is_not_the_refined_one(begun):
  """In doubt is an epoch whose likelihood at its own steps is not the refined one."""
  run = begun.run
  assert density_report.last_epoch_doubts(run, 3) == ''  # Before the first epoch.
  for row, doubt in (
    ('1,6,0.01,0.01,6,6', ''),
    ('1,6,0.01,-0.5,6,6', 'In the 3 steps of training the NLL is 5.50, in refined steps 6.00'),
    ('1,6,0.3,-0.5,6,6', ''),  # Two standard errors: chance.
    ('1,6,0.01,0.01,48,inf', 'does not stand still to 0.1 nats in 48 steps'),
  ):
    run.metrics.write_text(f'{METRICS}0,9,9,0.01,-5,6,9\n1,9,9,0.01,-5,6,9\n2,{row}\n')
    text = density_report.last_epoch_doubts(run, 3)
    assert doubt in text and bool(text) == bool(doubt), (row, text)


def test_every_worker_numbers_its_rows_apart(begun):
  """Every worker numbers its rows apart, in an order of its own, whole batches alone."""
  config, points, steps = begun.config, begun.points, begun.steps_per_epoch
  assert steps == len(points.train) // 7
  numbers, rows = next(iter(begun.stream(0)))
  assert rows.shape == (7, 2) and list(numbers) == list(range(7))
  orders = []
  for worker in range(2):
    number = tf.constant(worker, tf.int64)
    batches = density_experiment.worker_batches(points.train, number, config)
    batches = list(batches.take(2 * steps).as_numpy_iterator())
    assert all(list(first) == list(range(7 * worker, 7 * worker + 7)) for first, _ in batches)
    epochs = np.array([x for _, x in batches]).reshape(2, -1, 2)
    assert all(len(np.unique(epoch, axis=0)) == len(epoch) for epoch in epochs)
    assert np.any(epochs[0] != epochs[1])
    orders.append(epochs[0])
  assert np.any(orders[0] != orders[1])
  few = with_options(begun, validation_points=5)
  assert density_callbacks.validation(few).points.shape == (5, 2)


def test_the_start_is_what_epochs_must_beat(begun):
  """The start is what epochs must beat; a run that goes on remembers a better epoch."""
  run, model = begun.run, begun.model
  best = training.BestWeights(model, run.best, 'val_certified_nll')
  density.compete_with_start(begun, best)
  entropy = -float(np.mean(model.base.log_prob(density_callbacks.validation(begun).points)))
  assert best.least == pytest.approx(entropy) and run.best.exists()
  best.least = entropy - 1.0
  density.compete_with_start(begun, best)
  assert best.least == pytest.approx(entropy - 1.0)
  best.least = entropy + 1.0
  density.compete_with_start(begun, best)
  assert best.least == pytest.approx(entropy)


@pytest.mark.parametrize('kept, gain', [(True, 0.5), (False, 0.05), (False, -0.5), (False, np.nan)])
def test_a_flow_is_reported_where_held_out_rows_gain_beyond_chance(
  begun, monkeypatch, capsys, kept, gain
):
  """Gains of +-1 about their mean in 400 rows: a standard error of 0.05, 1.5 of which are 0.075."""
  gains = types.SimpleNamespace(fine=gain + np.tile([1.0, -1.0], 200))
  monkeypatch.setattr(density_table, 'halve', lambda *arguments: gains)
  base = types.SimpleNamespace(log_prob=lambda y: tf.zeros([400]))
  potential = begun.model.bijector.potential
  potential.amplitude.assign(tf.ones_like(potential.amplitude))
  model = types.SimpleNamespace(bijector=begun.model.bijector, base=base)
  density_table.keep_start_without_gain(model, density_callbacks.validation(begun))
  assert bool(np.all(potential.amplitude)) == bool(np.any(potential.amplitude)) == kept
  assert ('the model is its start' in capsys.readouterr().out) != kept


@pytest.mark.slow
def test_a_flow_of_least_energy_is_reported_whatever_its_rows_gain(tmp_path, monkeypatch):
  """The start has less energy, and may have a likelihood beyond the bound."""
  experiment = set_up(tmp_path, objective='kinetic:5')
  monkeypatch.setattr(density, 'train', best_then_worse)
  monkeypatch.setattr(density, 'compete_with_start', lambda *arguments: None)
  for variable in experiment.model.trainable_variables:
    variable.assign(0.1 * np.ones(variable.shape))
  density.work(experiment)
  for variable in ma_keras.load(tmp_path / 'run' / 'model.npz').bijector.trainable_variables:
    np.testing.assert_array_equal(variable, np.float32(0.1))


def test_four_batches_of_validation_points_decide_on_refinement(begun, monkeypatch):
  """Four batches of validation points decide, at the steps of training; if it is asked for."""
  points, model = begun.points, begun.model
  asked = []
  with monkeypatch.context() as patch:
    patch.setattr(training, 'measure_likelihood', lambda *arguments: asked.append(arguments))
    density_callbacks.measure(begun, points.test, model.bijector)
  names = ('draws', 'tolerance', 'least_steps', 'base', 'conditional')
  assert dict(zip(names, asked[0][6:], strict=True)) == {
    'draws': 1,  # Of noise; a tenth of a nat is what all likelihoods are certified to.
    'tolerance': 0.1,
    'least_steps': 0,
    'base': model.base,
    'conditional': None,
  }
  assert density_callbacks.refinement(begun) == []
  refined = with_options(begun, refine_tolerance=0.25, eval_batch_size=2)
  (refinement,) = density_callbacks.refinement(refined)
  seen = []

  def measure(experiment, x, bijector, tolerance):
    seen.append((bijector, x, tolerance))
    return types.SimpleNamespace(integration_error=0.5)

  monkeypatch.setattr(density_callbacks, 'measure', measure)
  assert refinement.tolerance == 0.25 and refinement.error('a flow') == 0.5
  ((bijector, x, tolerance),) = seen
  np.testing.assert_array_equal(x, points.validation[:8])
  assert (bijector, tolerance) == ('a flow', np.inf)


@pytest.mark.slow
def test_an_energy_as_the_objective_ranks_epochs_and_a_bound_out_of_reach_is_doubted(tmp_path):
  """None of this data reaches -5 nats: the least violation is the best, and the end is in doubt."""
  with pytest.raises(training.TrainingStopped, match='exceed the bound of -5'):
    density.carry_out(configured(tmp_path, objective='kinetic:-5', epochs=2, patience=0))
  metrics = training.RunDirectory(tmp_path / 'run').read_metrics()
  violations = metrics['val_certified_nll'] + 5.0
  np.testing.assert_allclose(metrics['val_objective'] - 1e9, violations, rtol=1e-4)
  assert 10.0 < metrics['multiplier'][0] < metrics['multiplier'][1]
  assert metrics['kinetic'][1] > 0
