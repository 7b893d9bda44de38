"""Units that see patches: a dense layer with most of its kernel zero."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import LocallyConnected, OneHiddenLayer, TimeBasis
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)
SHAPES = [((6, 4, 2), 4, 2), ((4, 6, 1), 2, 2), ((3, 3, 2), 2, 1)]


def local(image_shape, patch, stride, shared=False):
  made = LocallyConnected(image_shape, patch, stride, 3, shared, dtype=tf.float64)
  return cases.generic(made)


def dense(potential):
  """The one-hidden-layer potential with the same units, their kernels zero outside patches."""
  patches = potential.patches
  (height, width, channels), k, s = patches.image_shape, patches.patch, patches.stride
  corners = [(i, j) for i in range(0, height - k + 1, s) for j in range(0, width - k + 1, s)]
  kernels = np.broadcast_to(potential.kernel, [len(corners), *potential.kernel.shape[1:]])
  columns = []
  for (i, j), kernel in zip(corners, kernels):
    # Within a patch: blocks of s x s row by row, and their pixels row by row.
    blocks = kernel.reshape(k // s, k // s, s, s, channels, -1)
    patch = blocks.transpose(0, 2, 1, 3, 4, 5).reshape(k, k, channels, -1)
    full = np.zeros([height, width, channels, patch.shape[-1]])
    full[i : i + k, j : j + k] = patch
    columns.append(full.reshape(potential.event_size, -1))
  layer = OneHiddenLayer(potential.event_size, len(columns) * 3, dtype=tf.float64)
  layer.kernel.assign(np.concatenate(columns, axis=1))
  layer.bias.assign(tf.reshape(potential.bias, [-1]))
  layer.amplitude.assign(tf.reshape(potential.amplitude, [-1]))
  return layer


@pytest.mark.parametrize('shared', [False, True])
@pytest.mark.parametrize('image_shape, patch, stride', SHAPES)
@pytest.mark.parametrize('leading', [(), (5,), (2, 3)])
def test_it_is_a_dense_layer_with_a_sparse_kernel(image_shape, patch, stride, shared, leading):
  potential = local(image_shape, patch, stride, shared)
  layer = dense(potential)
  size = potential.event_size
  x = tf.constant(np.random.default_rng(1).normal(size=(*leading, size)))
  np.testing.assert_allclose(potential(TIME, x), layer(TIME, x), rtol=1e-12)
  np.testing.assert_allclose(potential.gradient(TIME, x), layer.gradient(TIME, x), atol=1e-13)
  np.testing.assert_allclose(potential.laplacian(TIME, x), layer.laplacian(TIME, x), atol=1e-12)


def test_a_shared_kernel_has_the_parameters_of_one_patch():
  potential = local((6, 4, 2), 2, 2, shared=True)
  assert potential.kernel.shape == (1, 8, 3)
  assert potential.bias.shape == (6, 1, 3)


def test_pixels_that_share_no_patch_do_not_interact():
  """The Hessian couples only what one patch holds."""
  potential = local((4, 4, 1), 2, 2)
  x = tf.constant(np.random.default_rng(0).normal(size=(1, 16)))
  hessian = cases.hessians(potential, cases.TIME, x)[0].reshape(4, 4, 4, 4)
  assert np.all(hessian[:2, :2, 2:] == 0) and np.all(hessian[:2, :2, :, 2:] == 0)
  assert np.all(hessian[:2, :2, :2, :2] != 0)


def test_one_seed_gives_one_start_and_amplitudes_begin_constant():
  make = lambda basis, seed=5: LocallyConnected((4, 4, 1), 2, 2, 3, time_basis=basis, seed=seed)  # noqa: E731
  one, two = make(None), make(TimeBasis(2.0, 3))
  np.testing.assert_array_equal(two.amplitude[0], one.amplitude)
  np.testing.assert_array_equal(two.amplitude[1:], np.zeros([2, 4, 3]))
  assert np.any(make(None, 6).kernel != one.kernel)


@pytest.mark.parametrize(
  'image_shape, patch, stride, units, message',
  [
    ((28, 28, 1), 8, 3, 1, '`stride` must divide'),
    ((28, 28, 1), 6, 4, 1, '`stride` must divide'),
    ((4, 4, 1), 8, 4, 1, '`patch` fit into the image'),
    ((4, 4, 1), 2, 2, 0, '`units` must be a positive integer, got 0'),
    ((4, 4, 1), 0, 2, 1, '`patch` and `stride` must be positive'),
  ],
)
def test_patches_that_do_not_tile_are_refused(image_shape, patch, stride, units, message):
  with pytest.raises(ValueError, match=message):
    LocallyConnected(image_shape, patch, stride, units)
