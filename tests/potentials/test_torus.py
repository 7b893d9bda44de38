"""Convolutions on the torus equal their loops, and the Hartley transform diagonalises them."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import Torus

SIDES = pytest.mark.parametrize('side', [2, 3, 4, 5, 8])


def kernel_and_image(torus):
  rng = np.random.default_rng(torus.side)
  return rng.normal(size=torus.orbits), rng.normal(size=torus.side**2)


def convolved_by_loops(torus, kernel, x):
  """sum_d w(d) x(i - d) over all offsets d, w looked up by |d| folded to the first octant."""
  side, found = torus.side, np.zeros([torus.side] * 2)
  value_at = {tuple(d): w for d, w in zip(torus.representatives.tolist(), kernel)}
  for r in range(side):
    for c in range(side):
      fold = sorted((min(r, side - r), min(c, side - c)), reverse=True)
      found += value_at[tuple(fold)] * np.roll(x.reshape(side, side), (r, c), axis=(0, 1))
  return found.reshape(-1)


@SIDES
def test_convolution_equals_the_loops(side):
  torus = Torus(side)
  kernel, x = kernel_and_image(torus)
  found = torus.convolve(tf.constant(kernel), tf.constant(x))
  np.testing.assert_allclose(found, convolved_by_loops(torus, kernel, x), atol=1e-12)


@SIDES
def test_orbits_are_those_of_the_group(side):
  """Offsets that the reflections and the quarter turn map onto each other, and no others."""
  torus = Torus(side)
  kernel = tf.constant(np.arange(torus.orbits) + 1.0)
  image = torus.convolve(kernel, tf.one_hot(0, side**2, dtype=tf.float64))
  number = np.rint(image).astype(int).reshape(side, side)
  offsets = [(r, c) for r in range(side) for c in range(side)]
  for r, c in offsets:
    orbit = {
      (s * a % side, u * b % side) for a, b in ((r, c), (c, r)) for s in (1, -1) for u in (1, -1)
    }
    assert orbit == {d for d in offsets if number[d] == number[r, c]}
  np.testing.assert_array_equal(np.bincount(number.ravel())[1:], torus.sizes)


@SIDES
def test_the_transform_is_orthogonal_and_its_own_inverse(side):
  torus = Torus(side)
  eye = tf.eye(side**2, dtype=tf.float64)
  matrix = torus.transform(eye)
  np.testing.assert_allclose(tf.matmul(matrix, matrix), eye, atol=1e-12)
  np.testing.assert_allclose(tf.matmul(matrix, matrix, transpose_b=True), eye, atol=1e-12)


@SIDES
def test_spectra_and_kernels_are_inverses(side):
  torus = Torus(side)
  kernel, _ = kernel_and_image(torus)
  spectrum = torus.spectrum(tf.constant(kernel)).numpy()
  np.testing.assert_allclose(torus.kernel(spectrum), kernel, atol=1e-12)


def test_an_embedded_local_kernel_does_the_same_nearby():
  small, large = Torus(4), Torus(8)
  kernel = np.where(np.max(small.representatives, axis=-1) <= 1, 1.0 + np.arange(6), 0.0)
  embedded = large.embed(kernel, small)
  x = np.zeros([8, 8])
  x[3, 4] = 1.0
  found = large.convolve(tf.constant(embedded), tf.constant(x.reshape(-1))).numpy().reshape(8, 8)
  y = np.zeros([4, 4])
  y[1, 1] = 1.0
  expected = small.convolve(tf.constant(kernel), tf.constant(y.reshape(-1))).numpy().reshape(4, 4)
  np.testing.assert_allclose(found[2:5, 3:6], expected[0:3, 0:3], atol=1e-12)
  np.testing.assert_allclose(np.abs(found).sum(), np.abs(expected).sum(), atol=1e-11)


def test_embedding_keeps_the_response_to_a_uniform_field():
  """Half-way offsets, one there and two here, keep the sum of the kernel."""
  small, large = Torus(4), Torus(8)
  kernel = np.random.default_rng(0).normal(size=small.orbits)
  embedded = large.embed(kernel, small)
  np.testing.assert_allclose(embedded @ large.sizes, kernel @ small.sizes, atol=1e-12)
  np.testing.assert_array_equal(small.embed(kernel, small), kernel)
  with pytest.raises(ValueError, match='smaller'):
    small.embed(embedded, large)


@pytest.mark.parametrize('side', [1, 2.5, -3])
def test_no_torus_is_smaller_than_two(side):
  with pytest.raises(ValueError, match='side'):
    Torus(side)
