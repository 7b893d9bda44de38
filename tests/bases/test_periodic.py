"""Particles anywhere in a periodic box, and flows of the torus to itself."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import bases
from ma_keras.saving import descriptions
from tests.potentials.cases import pairs

BOX = (6.0, 7.0)


def test_its_density_is_one_over_the_volume_and_its_samples_fill_the_box():
  base = bases.PeriodicUniform(3, BOX, tf.float64)
  z = base.sample(4000, seed=[0, 1]).numpy().reshape(-1, 3, 2)
  assert z.min() >= 0 and np.all(z < BOX)
  np.testing.assert_allclose(z.mean(axis=0), np.tile([3.0, 3.5], (3, 1)), atol=0.15)
  moved = z.reshape(-1, 6) + 7.0
  np.testing.assert_allclose(base.log_prob(moved), -3 * np.log(42.0), rtol=1e-12)
  assert base.degrees_of_freedom == 6 and base.event_shape == [6] and base.batch_shape == []


def test_it_comes_back_from_a_pickle_and_a_description():
  base = bases.PeriodicUniform(3, BOX)
  for copy in (
    pickle.loads(pickle.dumps(base)),
    descriptions.make(descriptions.describe(base, []), tf.float32),
  ):
    assert copy.config() == base.config() and copy.dtype == base.dtype
    np.testing.assert_array_equal(copy.sample(3, seed=[0, 1]), base.sample(3, seed=[0, 1]))


@pytest.mark.slow
def test_the_density_of_a_flow_has_the_period_of_the_box_and_integrates_to_one():
  """Two particles on a circle: by translations the integral is L times that over the second."""
  potential = pairs(2, 1, reach=2.0, box=(5.0,))
  base = bases.PeriodicUniform(2, (5.0,), tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 20, 0.02)
  flow = tfp.distributions.TransformedDistribution(base, bijector)
  second = np.linspace(0.0, 5.0, 400, endpoint=False)
  x = np.stack([np.zeros_like(second), second], axis=-1)
  log_prob = flow.log_prob(x).numpy()
  assert np.ptp(log_prob) > 0.1
  np.testing.assert_allclose(5.0 * 5.0 * np.mean(np.exp(log_prob)), 1.0, rtol=1e-5)
  np.testing.assert_allclose(flow.log_prob(x + np.array([10.0, -5.0])), log_prob, rtol=1e-10)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ((0, BOX), r'`particles` must be a positive integer, got 0'),
    ((2, ()), r'`box` must hold positive lengths, one for every dimension, got \(\)'),
    ((2, (1.0, -1.0)), r'`box` must hold positive lengths'),
    ((2, 3.0), r'`box` must hold positive lengths'),
  ],
)
def test_what_is_no_box_is_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    bases.PeriodicUniform(*arguments)
