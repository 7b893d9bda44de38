"""x.A x/2: only the symmetric part of the matrix acts."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import Quadratic
from tests.potentials import cases


def test_value_gradient_and_laplacian_equal_the_formulas():
  matrix = np.random.default_rng(3).normal(size=(4, 4))
  symmetric = (matrix + matrix.T) / 2
  potential, x = Quadratic(matrix, tf.float64), cases.points(5)
  np.testing.assert_allclose(potential.symmetric_matrix, symmetric, rtol=1e-15)
  expected = [row @ matrix @ row / 2 for row in x.numpy()]
  np.testing.assert_allclose(potential(0.0, x), expected, rtol=1e-13, atol=1e-14)
  np.testing.assert_allclose(potential.gradient(0.0, x), x.numpy() @ symmetric, atol=1e-14)
  np.testing.assert_allclose(potential.laplacian(0.0, x), [np.trace(matrix)] * 5, rtol=1e-14)


def test_antisymmetric_matrices_do_nothing():
  matrix = np.array([[0.0, 2.0], [-2.0, 0.0]])
  x = tf.constant([[1.0, 3.0]])
  velocity, laplacian = Quadratic(matrix).gradient_and_laplacian(0.0, x)
  np.testing.assert_array_equal(velocity, [[0.0, 0.0]])
  np.testing.assert_array_equal(laplacian, [0.0])


def test_starts_from_a_tensor_in_the_given_dtype():
  assert Quadratic(tf.eye(3)).dtype == tf.float32
  assert Quadratic(tf.eye(3), tf.float64).event_size == 3
  assert [v.name for v in Quadratic(np.eye(2)).trainable_variables] == ['matrix:0']


@pytest.mark.parametrize('matrix', [np.ones(3), np.ones([2, 3]), np.ones([2, 2, 2]), 1.0])
def test_matrices_must_be_square(matrix):
  shape = str(list(np.shape(matrix))).replace('[', r'\[')
  with pytest.raises(ValueError, match=rf'`matrix` must be square, .* got {shape}'):
    Quadratic(matrix)
