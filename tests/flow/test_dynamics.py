"""Equations (2) and (3): the velocity is grad phi, the log density falls by the Laplacian."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.flow import dynamics
from tests.potentials import cases
from tests.support import reference


@pytest.mark.parametrize('name', ['softplus', 'mlp in time', 'sum', 'value only', 'constant'])
def test_rates_are_the_gradient_and_minus_the_laplacian(name):
  potential, x = cases.CASES[name](), cases.points(3)
  velocity, rate = dynamics.rates(potential, cases.TIME, x)
  phi = cases.value_at(potential)
  for i, row in enumerate(x.numpy()):
    np.testing.assert_allclose(velocity[i], reference.gradient_by_differences(phi, row), atol=1e-10)
    np.testing.assert_allclose(rate[i], -reference.laplacian_by_differences(phi, row), atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['softplus', 'mlp in time', 'sum'])
def test_mass_is_conserved(name):
  """d/dh ln|det(I + h d velocity/dx)| at h = 0 is minus the log-density rate.

  The determinant is that of the map x -> x + h velocity, by central differences.
  """
  potential, x = cases.CASES[name](), cases.points(1)[0]

  def log_det(h):
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(x)
      y = x + h * dynamics.rates(potential, cases.TIME, x)[0]
    return np.linalg.slogdet(tape.jacobian(y, x, experimental_use_pfor=False))[1]

  weights, h = reference.FIRST_DIFFERENCE, 0.01
  slope = sum(w * log_det((m - 4) * h) for m, w in enumerate(weights)) / h
  rate = dynamics.rates(potential, cases.TIME, x)[1]
  np.testing.assert_allclose(-rate, slope, atol=1e-10)


def test_quadratic_moves_along_its_matrix():
  potential, x = cases.quadratic(), cases.points(2, 3)
  velocity, rate = dynamics.rates(potential, 0.0, x)
  np.testing.assert_allclose(velocity, x @ potential.symmetric_matrix, atol=1e-14)
  np.testing.assert_allclose(rate, np.full([2, 3], -np.trace(potential.matrix)), rtol=1e-14)
