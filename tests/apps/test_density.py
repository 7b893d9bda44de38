"""Decisions of the density app: what is trained, for how long, which weights it reports."""

import dataclasses
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tf_keras.optimizers import schedules

import ma_keras
from ma_keras import training
from ma_keras.flow.tallies import Stiffness
from tests.integration import apps

FLAGS = [
  *('--hidden_units=3', '--num_steps=3', '--step_size=0.2', '--batch_size=7', '--nofigures'),
  *('--nosaved_model', '--penalty=stiffness:0.25', '--epochs=5', '--warmup_steps=4'),
  '--learning_rate=0.003',
]


def density(folder, *arguments):
  """The app's module, its flags parsed for 100 points, and all that `work` takes."""
  from ma_keras.apps import density as app

  np.save(folder / 'x.npy', np.random.default_rng(0).normal(size=(100, 2)))
  flags.FLAGS(['density', f'--dataset_file={folder / "x.npy"}', *FLAGS, *arguments])
  run = training.RunDirectory(pathlib.Path(folder / 'run'))
  return app, (run, *app.set_up(run, {}))


def best_then_worse(points, stream, model, run, best):
  """In place of training: an epoch that is the best, and weights that are not."""
  del points, stream, run
  best.on_epoch_end(0, {best.metric: 1.0})
  for variable in model.trainable_variables:
    variable.assign_add(0.1 * np.ones(variable.shape))


def check_best(folder):
  app, arguments = density(folder)
  model = arguments[3]
  best = [variable.numpy() for variable in model.trainable_variables]
  app.train = best_then_worse
  app.work(*arguments)
  reported = ma_keras.load(folder / 'run' / 'model.npz').bijector.trainable_variables
  for one, two in zip(best, reported, strict=True):
    np.testing.assert_array_equal(one, two)


def test_the_best_weights_are_reported_and_not_the_last(tmp_path):
  apps.passes(check_best, tmp_path)


def end_in_doubt(folder):
  app, arguments = density(folder)
  app.train, app.set_up = best_then_worse, lambda run, lines: arguments[1:]
  training.Likelihood.doubts = lambda self, *arguments, **options: 'Not to be trusted.'
  app.main(['density'])


def test_a_likelihood_in_doubt_is_written_and_ends_in_its_own_exit_code(tmp_path):
  done = apps.call(end_in_doubt, tmp_path, folder=tmp_path)
  assert done.returncode == 3 and 'Not to be trusted.' in done.stderr
  assert 'NLL = ' in done.stdout


def check_model(folder):
  _, _, points, model, _ = density(folder, '--step_jitter=0.5')[1]
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


def test_flags_reach_the_model_and_the_rate_decays_until_the_last_step(tmp_path):
  apps.passes(check_model, tmp_path)


def check_tries(folder):
  """The model begins with the first weights whose training ends best, as if nothing had been."""
  app, (run, _, points, model, stream) = density(folder, '--tries=2', '--base=normal')
  first = app.density_table.first_potentials(points)
  assert not np.allclose(first[0].kernel, first[1].kernel)
  np.testing.assert_array_equal(first[0].kernel, model.bijector.potential.kernel)
  least = []
  for potential in first:
    app.fitting.flow.begin(model, potential.variables)
    callbacks = [app.validation(points, model)]
    history = model.fit(stream(0), epochs=5, steps_per_epoch=9, callbacks=callbacks, verbose=0)
    least.append(min(history.history['val_certified_nll']))
  assert abs(least[0] - least[1]) > 1e-5
  assert app.steps_per_epoch(points) == 9
  app.try_first_weights(points, stream, model, run)
  for one, two in zip(first[np.argmin(least)].variables, model.bijector.variables, strict=True):
    np.testing.assert_array_equal(one, two)
  assert int(model.optimizer.iterations) == 0
  with pytest.raises(flags.IllegalFlagValueError, match='--optimizer=adam'):
    flags.FLAGS(['density', '--tries=2', '--optimizer=soap'])


def test_the_best_of_several_first_weights_are_trained(tmp_path):
  apps.passes(check_tries, tmp_path)


def check_epochs(folder):
  """Few rows are passed over often, many once, millions in part; --epochs says passes."""
  app, (_, _, points, _, _) = density(folder)
  flags.FLAGS['epochs'].unparse()
  flags.FLAGS.batch_size = 256
  for count, steps in ((2_560, 100), (100_000, 390), (10_000_000, 500)):
    rows = np.broadcast_to(np.zeros((1, 2)), (count, 2))
    of_size = dataclasses.replace(points, train=rows)
    assert app.density_table.steps_per_epoch(of_size) == steps
  flags.FLAGS(['density', '--epochs=2'])
  assert app.density_table.steps_per_epoch(of_size) == 10_000_000 // 256


def test_epochs_follow_the_size_of_the_table(tmp_path):
  apps.passes(check_epochs, tmp_path)


METRICS = 'epoch,nll,val_nll,val_nll_error,val_step_error,val_steps,val_certified_nll\n'


def check_history(app, run, points, model, stream):
  """Guard and best weights of a run that goes on know what an uninterrupted one would."""
  assert app.history(run, 'nll').size == 0 and app.least(app.history(run, 'nll')) == np.inf
  guard = app.guard(run)
  assert (guard.best, guard.first, guard.best_training) == (np.inf, np.inf, np.inf)
  run.metrics.write_text(f'{METRICS}0,5,7,0,0,6,7\n1,nan,inf,0,0,6,inf\n2,3,6.5,0,0,6,6.6\n')
  guard = app.guard(run)
  assert (guard.best, guard.first, guard.best_training) == (6.5, 7.0, 3.0)
  assert app.least(app.history(run, 'val_certified_nll')) == 6.6
  assert app.history(run, 'unknown').size == 0


def check_last_epoch(app, run, points, model, stream):
  """In doubt is an epoch whose likelihood at its own steps is not the refined one."""
  assert app.last_epoch_doubts(run, 3) == ''  # Before the first epoch.
  for row, doubt in (
    ('1,6,0.01,0.01,6,6', ''),
    ('1,6,0.01,-0.5,6,6', 'In the 3 steps of training the NLL is 5.50, in refined steps 6.00'),
    ('1,6,0.3,-0.5,6,6', ''),  # Two standard errors: chance.
    ('1,6,0.01,0.01,48,inf', 'does not stand still to 0.1 nats in 48 steps'),
  ):
    run.metrics.write_text(f'{METRICS}0,9,9,0.01,-5,6,9\n1,9,9,0.01,-5,6,9\n2,{row}\n')
    text = app.last_epoch_doubts(run, 3)
    assert doubt in text and bool(text) == bool(doubt), (row, text)


def check_streams(app, run, points, model, stream):
  """Every worker numbers its rows apart, in an order of its own, whole batches alone."""
  assert app.steps_per_epoch(points) == len(points.train) // 7
  numbers, rows = next(iter(stream(0)))
  assert rows.shape == (7, 2) and list(numbers) == list(range(7))
  orders = []
  for worker in range(2):
    batches = app.worker_batches(points.train, tf.constant(worker, tf.int64))
    batches = list(batches.take(2 * app.steps_per_epoch(points)).as_numpy_iterator())
    assert all(list(first) == list(range(7 * worker, 7 * worker + 7)) for first, _ in batches)
    epochs = np.array([x for _, x in batches]).reshape(2, -1, 2)
    assert all(len(np.unique(epoch, axis=0)) == len(epoch) for epoch in epochs)
    assert np.any(epochs[0] != epochs[1])
    orders.append(epochs[0])
  assert np.any(orders[0] != orders[1])
  flags.FLAGS.validation_points = 5
  assert app.validation(points, model).points.shape == (5, 2)


def check_start(app, run, points, model, stream):
  """The start is what epochs must beat; a run that goes on remembers a better epoch."""
  best = training.BestWeights(model, run.best, 'val_certified_nll')
  app.compete_with_start(points, model, best)
  entropy = -float(np.mean(model.base.log_prob(app.validation(points, model).points)))
  assert best.least == pytest.approx(entropy) and run.best.exists()
  best.least = entropy - 1.0
  app.compete_with_start(points, model, best)
  assert best.least == pytest.approx(entropy - 1.0)
  best.least = entropy + 1.0
  app.compete_with_start(points, model, best)
  assert best.least == pytest.approx(entropy)


def check_refinement(app, run, points, model, stream):
  """Four batches of validation points decide, at the steps of training; if it is asked for."""
  asked = []
  measured = training.measure_likelihood
  training.measure_likelihood = lambda *arguments: asked.append(arguments)
  app.measure(model.bijector, model, points.test, None)
  training.measure_likelihood = measured
  names = ('draws', 'tolerance', 'least_steps', 'base')
  assert dict(zip(names, asked[0][6:], strict=True)) == {
    'draws': 1,  # Of noise; a tenth of a nat is what all likelihoods are certified to.
    'tolerance': 0.1,
    'least_steps': 0,
    'base': model.base,
  }
  assert app.refinement(model, points) == []
  flags.FLAGS.refine_tolerance, flags.FLAGS.eval_batch_size = 0.25, 2
  (refinement,) = app.refinement(model, points)
  seen = []

  def measure(bijector, model, x, levels, tolerance):
    seen.append((bijector, x, tolerance))
    return types.SimpleNamespace(integration_error=0.5)

  app.measure = measure
  assert refinement.tolerance == 0.25 and refinement.error('a flow') == 0.5
  ((bijector, x, tolerance),) = seen
  np.testing.assert_array_equal(x, points.validation[:8])
  assert (bijector, tolerance) == ('a flow', np.inf)


def check_decisions(folder):
  app, (run, _, points, model, stream) = density(folder)
  for check in (check_history, check_last_epoch, check_streams, check_start, check_refinement):
    run.metrics.unlink(missing_ok=True)
    check(app, run, points, model, stream)


def test_a_run_goes_on_as_if_it_had_not_stopped_and_knows_its_doubts(tmp_path):
  apps.passes(check_decisions, tmp_path)
