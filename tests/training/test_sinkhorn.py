"""Training by the Sinkhorn divergence finds a map to data that have no density."""

import pickle

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials, training, transport
from tests.support import eager

pytestmark = pytest.mark.slow

SHIFT, SCALE = np.array([1.0, -0.5]), np.array([1.5, 0.6])


class Affine(potentials.Potential):
  """phi = b.x + sum a_i x_i^2/2."""

  def __init__(self):
    super().__init__(2)
    self.shift, self.rates = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])

  def __call__(self, t, x):
    return tf.reduce_sum(self.shift * x + 0.5 * self.rates * tf.square(x), axis=-1)


def model(**options):
  bijector = ma_keras.MongeAmpereBijector(Affine(), 2, 0.5, 'midpoint')
  made = training.SinkhornDivergence(bijector, **{'epsilon': 0.05, **options})
  made.compile(training.adam(0.05, 300, 1, 10.0))
  return made


def data(n):
  return (SHIFT + SCALE * np.random.default_rng(1).normal(size=(n, 2))).astype(np.float32)


def test_the_flow_takes_on_the_mean_and_the_spread_of_the_data():
  made, x = model(), data(2000)
  before = made.evaluate(x[:500], batch_size=500, verbose=0)
  made.fit(x, batch_size=100, epochs=4, verbose=0)
  with eager.eagerly():
    samples = made.flow(0).sample(4000, seed=1)
    assert made.predict(x[:9], verbose=0).shape == (9,)
  np.testing.assert_allclose(np.mean(samples, axis=0), SHIFT, atol=0.15)
  np.testing.assert_allclose(np.std(samples, axis=0), SCALE, rtol=0.15)
  after = made.evaluate(x[:500], batch_size=500, verbose=0)
  assert 0 <= after < 0.1 * before


@pytest.mark.usefixtures('eagerly')
def test_the_loss_is_the_divergence_of_as_many_samples_and_the_penalties():
  made = model(penalties={'kinetic': 2.0})
  made.bijector.potential.shift.assign([1.0, 2.0])
  logs = made.train_on_batch(data(64), return_dict=True)
  assert logs['kinetic'] == pytest.approx(2.5, rel=1e-6)
  assert logs['loss'] == pytest.approx(logs['divergence'] + 5.0, rel=1e-6)
  assert 1 < logs['iterations'] < 1000


def test_a_row_of_weight_two_stands_twice():
  x = data(40)
  weights = np.repeat([2.0, 0.0], 20)
  made = model()
  value = made.test_on_batch(x, sample_weight=weights)
  with eager.eagerly():
    samples = made.flow(0).sample(40, seed=0)
  expected = transport.sinkhorn_divergence(samples, x[:20], 0.05).value
  assert value == pytest.approx(expected.numpy(), rel=1e-4)


@pytest.mark.usefixtures('eagerly')
def test_plans_that_do_not_converge_stop_the_training():
  with pytest.raises(tf.errors.InvalidArgumentError, match='did not converge'):
    model(epsilon=1e-4, max_iterations=3).train_on_batch(data(64))


def test_it_pickles_and_says_what_it_lacks():
  made = model()
  assert pickle.loads(pickle.dumps(made)).epsilon == 0.05
  with pytest.raises(ValueError, match='`epsilon` must be positive'):
    model(epsilon=-1.0)
