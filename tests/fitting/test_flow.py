"""Training of a table's flow: what is kept, and what is said when it fails."""

import types

import numpy as np
import pytest

from ma_keras import fitting
from ma_keras.data import columns
from ma_keras.fitting import flow

ROWS = np.random.default_rng(0).normal(size=(150, 2))
SETTINGS = fitting.Settings(
  hidden_units=8,
  time=1.0,
  num_steps=2,
  batch_size=120,
  steps=6,
  steps_per_epoch=2,
  learning_rate=0.2,
  penalties={},
)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_best_of_several_tries_is_kept(monkeypatch, rng):
  """The second try has no memory of the first: it ends as it does alone."""
  angle = rng.uniform(0, 2 * np.pi, 300)
  rows = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.1 * rng.normal(size=(300, 2))
  start = fitting.Start.fitted(rows, columns.survey(rows), with_mixture=False)

  trainings = []

  class Recorded(flow.Best):
    def __init__(self, *arguments):
      super().__init__(*arguments)
      trainings.append(self)

  monkeypatch.setattr(flow, 'Best', Recorded)
  both = flow.trained(start, rows[:200], rows[200:], SETTINGS, tries=2)
  monkeypatch.setattr(flow, 'seed_of_try', lambda seed, number: seed + 1)
  flow.trained(start, rows[:200], rows[200:], SETTINGS)
  first, second, alone = [training.least for training in trainings]
  assert abs(first - second) > 1e-4
  assert min(both.history['val_certified_nll']) == min(first, second)
  np.testing.assert_allclose(second, alone, rtol=1e-5)


def test_tries_are_many_where_they_are_cheap_and_one_where_they_are_not():
  sizes = [(120, 3), (450, 30), (2_000, 2), (100_000, 10)]
  tries = [fitting.Settings.for_table(*size).affordable_tries(size[1]) for size in sizes]
  assert tries[0] == 4 and tries[-1] == 1 and tries == sorted(tries, reverse=True)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_training_that_diverges_keeps_the_start_and_says_so():
  settings = fitting.Settings(
    hidden_units=16,
    num_steps=2,
    batch_size=60,
    steps=8,
    steps_per_epoch=2,
    learning_rate=1e30,
    gradient_clip=0.0,
    penalties={},
  )
  start = fitting.Start.fitted(ROWS, columns.survey(ROWS))
  fit = flow.trained(start, ROWS[:120], ROWS[120:], settings)
  assert 'no longer finite' in fit.doubts and 'learning_rate' in fit.doubts
  assert fit.gain == 0.0 and not np.any(fit.bijector.potential.amplitude)


VALUES = {'val_certified_nll': [3.0, np.inf, 2.5, 2.5, 2.6, 2.4], 'nll': [3.0] * 6}


@pytest.mark.parametrize('patience, epochs, best', [(2, 5, 2.5), (1, 2, 3.0), (4, 6, 2.4)])
def test_training_ends_without_patience_and_keeps_the_best_weights(patience, epochs, best):
  """An epoch that equals the best brings nothing; the start itself, 3.5, is the first best."""
  model = types.SimpleNamespace(stop_training=False)
  callback = flow.Best(3.5, patience)
  callback.set_model(model)
  for epoch in range(6):
    logs = {name: values[epoch] for name, values in VALUES.items()}
    value = types.SimpleNamespace(numpy=lambda value=logs['val_certified_nll']: value)
    model.bijector = types.SimpleNamespace(variables=[value])
    callback.on_epoch_end(epoch, logs)
    if model.stop_training:
      break
  assert epoch + 1 == epochs and callback.least == best and callback.weights == [best]


def test_training_ends_with_a_loss_that_is_none():
  model = types.SimpleNamespace(stop_training=False)
  callback = flow.Best(1.0, 9)
  callback.set_model(model)
  callback.on_epoch_end(0, {'val_certified_nll': 2.0, 'nll': 1.0})
  assert not model.stop_training
  callback.on_epoch_end(1, {'val_certified_nll': np.nan, 'nll': np.nan})
  assert model.stop_training and callback.weights is None and callback.least == 1.0


@pytest.mark.slow
def test_before_training_it_is_the_identity_in_time_two():
  start = fitting.Start.fitted(ROWS, columns.survey(ROWS))
  bijector = flow.identity(start, fitting.Settings(hidden_units=8, num_steps=5), seed=3)
  assert bijector.horizon.num_steps == 5 and bijector.horizon.time == pytest.approx(2.0)
  np.testing.assert_array_equal(bijector.forward(np.float32(ROWS)), np.float32(ROWS))
  assert np.any(bijector.potential.kernel)


@pytest.mark.slow
@pytest.mark.parametrize('gain, kept', [(0.5, True), (0.05, False), (-0.5, False)])
def test_a_flow_is_kept_where_held_out_rows_gain_beyond_chance(gain, kept):
  """Gains of +-1 about their mean in 200 rows: a standard error of 0.07, 1.5 of which are 0.11."""
  settings = fitting.Settings(hidden_units=8, num_steps=4)
  start = fitting.Start.fitted(ROWS, columns.survey(ROWS), with_mixture=False)
  bijector = flow.identity(start, settings, seed=0)
  y = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
  after = flow.Scorer(bijector, 200)(y, 4)
  before = after - gain + np.tile([1.0, -1.0], 100)
  bijector.potential.amplitude.assign_add(np.full(bijector.potential.amplitude.shape, 1e-6))
  fit = flow._judged(bijector, start, settings, 0, {}, y, before)
  assert bool(np.any(fit.bijector.potential.amplitude)) == kept
  assert fit.gain == (pytest.approx(gain, abs=1e-3) if kept else 0.0)
  assert fit.gain_error == pytest.approx(np.sqrt(200 / 199 / 200), rel=1e-3)
  assert fit.bijector.horizon.time == pytest.approx(2.0) and fit.doubts == ''
