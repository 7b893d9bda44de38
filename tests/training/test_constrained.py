"""An energy is least among flows whose loss is within a bound, by a multiplier that adapts."""

import math
import pickle

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, training
from ma_keras.flow import tallies
from tests.potentials import cases

pytestmark = pytest.mark.slow

SCALE = 2.0  # Of the data, Normal(0, SCALE^2), in one dimension.
X = SCALE * np.random.default_rng(0).normal(size=(400, 1))


class Stretch(potentials.Potential):
  """phi = a x^2/2: x(T) = exp(a T) x."""

  def __init__(self):
    super().__init__(1)
    self.rate = tf.Variable(0.1, dtype=tf.float64)

  def __call__(self, t, x):
    return 0.5 * self.rate * tf.reduce_sum(tf.square(x), axis=-1)

  def _gradient_and_laplacian(self, t, x):
    return self.rate * x, self.rate * tf.ones_like(x[..., 0])


class Interrupt(tf_keras.callbacks.Callback):
  """Ctrl-C after so many steps."""

  def __init__(self, steps):
    super().__init__()
    self.left = steps

  def on_train_batch_end(self, batch, logs=None):
    self.left -= 1
    if not self.left:
      raise KeyboardInterrupt


def nll(rate):
  """Of the data, whose mean square is m, under Normal(0, exp(2 a))."""
  return 0.5 * math.log(2 * math.pi) + rate + 0.5 * np.mean(X**2) * math.exp(-2 * rate)


def model(bound, **options):
  bijector = ma_keras.MongeAmpereBijector(Stretch(), 4, 0.25, 'heun')
  constrained = training.Constrained(bound, **options)
  made = training.MaximumLikelihood(bijector, penalties=None, constrained=constrained)
  made.compile(tf_keras.optimizers.Adam(0.02))
  return made


def test_the_constraint_is_met_and_the_energy_least():
  """Least stretching of all that have this likelihood: the smaller of the two rates that have it.

  The multiplier is then that of Lagrange, -dK/dNLL, K = E|x(0)|^2 a (exp(2 a) - 1)/4 in 1 unit.
  """
  best = 0.5 * math.log(np.mean(X**2))
  rate = 0.6 * best
  made = model(nll(rate), multiplier=1.0)
  history = made.fit(X, batch_size=400, epochs=200, verbose=0).history
  found = float(made.bijector.potential.rate)
  assert found == pytest.approx(rate, rel=0.02) and found < 0.9 * best
  assert history['nll'][-1] == pytest.approx(made.constrained.bound, abs=2e-3)
  energy = lambda a: 0.25 * a * (1 - np.exp(-2 * a)) * np.mean(X**2)  # noqa: E731
  slopes = [(f(rate + 1e-5) - f(rate - 1e-5)) / 2e-5 for f in (energy, nll)]
  assert history['multiplier'][-1] == pytest.approx(-slopes[0] / slopes[1], rel=0.1)
  assert history['kinetic'][-1] == pytest.approx(energy(found), rel=0.02)
  expected = history['nll'][-1] + history['kinetic'][-1] / history['multiplier'][-1]
  assert history['loss'][-1] == pytest.approx(expected, rel=1e-2)


def test_a_step_moves_the_multiplier_by_the_violation_and_no_further_than_it_may():
  constrained = training.Constrained(2.0, multiplier=3.0, rate=0.5, most=0.3)
  for value, step in ((2.05, 0.05), (1.95, -0.05), (9.0, 0.3), (-9.0, -0.3)):
    variable = constrained.variable()
    constrained.adapt(variable, tf.constant(value))
    assert float(variable) == pytest.approx(math.log(3.0) + 0.5 * step, rel=1e-5)
  for value, limit in ((9.0, 1e3), (-9.0, 1e-3)):
    variable.assign(math.log(limit))
    constrained.adapt(variable, tf.constant(value))
    assert math.exp(variable) == pytest.approx(limit)


@pytest.mark.usefixtures('eagerly')
def test_parts_of_a_batch_make_one_step_of_the_multiplier():
  whole, parted = model(2.0), model(2.0)
  parted.accumulate = 3
  logs = [made.train_on_batch(X[:60], return_dict=True) for made in (whole, parted)]
  assert logs[0]['multiplier'] == pytest.approx(logs[1]['multiplier'], rel=1e-12)
  assert logs[0]['multiplier'] != 10.0
  np.testing.assert_allclose(parted.bijector.potential.rate, whole.bijector.potential.rate)


@pytest.mark.usefixtures('eagerly')
def test_a_free_energy_is_a_constraint_too():
  flow = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(4, 3, seed=1), 2, 0.5, 'heun')
  made = training.VariationalFreeEnergy(
    flow, ma_keras.targets.Ising(2), 8, constrained=training.Constrained(-1e3, rate=0.5)
  )
  made.compile('sgd')
  logs = made.fit(steps_per_epoch=1, verbose=0).history
  expected = 4 * logs['free_energy_per_site'][0] + logs['kinetic'][0] / 10.0
  assert logs['loss'][0] == pytest.approx(expected, rel=1e-5)
  assert logs['multiplier'][0] == pytest.approx(10.0 * math.exp(0.05), rel=1e-6)


@pytest.mark.usefixtures('eagerly')
def test_the_multiplier_is_saved_with_the_model(tmp_path):
  potential = cases.in_time()
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'heun')
  constrained = training.Constrained(3.0)
  made = training.MaximumLikelihood(bijector, penalties=None, constrained=constrained)
  made.compile('adam')
  made.train_on_batch(cases.points(6))
  state = made.log_multiplier.numpy()
  assert state != math.log(10.0)
  twin = pickle.loads(pickle.dumps(made))
  np.testing.assert_array_equal(twin.log_multiplier, state)
  made.save(tmp_path / 'model.keras')
  loaded = tf_keras.models.load_model(tmp_path / 'model.keras')
  np.testing.assert_array_equal(loaded.log_multiplier, state)
  assert loaded.constrained == constrained
  made.save_weights(tmp_path / 'w.weights.h5')
  tf.train.Checkpoint(model=made).write(str(tmp_path / 'checkpoint'))
  made.log_multiplier.assign(0.0)
  made.load_weights(tmp_path / 'w.weights.h5')
  np.testing.assert_array_equal(made.log_multiplier, state)
  made.log_multiplier.assign(0.0)
  tf.train.Checkpoint(model=made).read(str(tmp_path / 'checkpoint'))
  np.testing.assert_array_equal(made.log_multiplier, state)


@pytest.mark.usefixtures('eagerly')
def test_a_killed_run_goes_on_with_the_multiplier_it_had(tmp_path):
  """Killed in the second of three epochs, it ends in the bits of one that ran through."""

  def fit(made, folder, *others):
    made.optimizer.build(made.trainable_variables)
    backup = training.Backup(made, folder)
    options = {
      'batch_size': 200,
      'epochs': 3,
      'verbose': 0,
      'shuffle': False,
      'callbacks': [*others, backup],
    }
    return made.fit(X, initial_epoch=backup.restore(), **options).history

  whole, first, resumed = model(2.0), model(2.0), model(2.0)
  expected = fit(whole, tmp_path / 'whole')
  with pytest.raises(KeyboardInterrupt):
    fit(first, tmp_path / 'cut', Interrupt(3))
  assert fit(resumed, tmp_path / 'cut') == {key: logs[1:] for key, logs in expected.items()}
  for one, two in zip(resumed.variables, whole.variables, strict=True):
    np.testing.assert_array_equal(one, two)
  np.testing.assert_array_equal(resumed.log_multiplier, whole.log_multiplier)
  assert float(whole.log_multiplier) != float(first.log_multiplier)


def test_a_bound_that_is_not_met_is_doubted():
  constrained = training.Constrained(2.0)
  assert not constrained.doubts(2.005, 0.0) and not constrained.doubts(2.2, 0.11)
  assert '2.3 +- 0.1 nats exceed the bound of 2' in constrained.doubts(2.3, 0.1)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'bound': np.nan}, '`bound` must be finite'),
    ({'bound': 1.0, 'tally': 'heat'}, "got 'heat'"),
    ({'bound': 1.0, 'rate': 0.0}, '`rate` must be positive'),
    ({'bound': 1.0, 'multiplier': -1.0}, '`multiplier` must be positive'),
  ],
)
def test_what_is_no_constraint_is_refused(options, message):
  with pytest.raises(ValueError, match=message):
    training.Constrained(**options)


def test_an_energy_is_no_penalty_as_well():
  bijector = ma_keras.MongeAmpereBijector(Stretch(), 2, 0.5)
  with pytest.raises(ValueError, match='different names'):
    training.MaximumLikelihood(
      bijector, penalties={'kinetic': 1.0}, constrained=training.Constrained(1.0)
    )


def test_a_tally_of_ones_own_has_no_description():
  class Own(tallies.KineticEnergy):
    name = 'own'

  with pytest.raises(NotImplementedError, match="'own'"):
    training.Constrained(1.0, Own()).description()
