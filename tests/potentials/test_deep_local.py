"""Two layers of local units on an image: derivatives, and what they are in special cases."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import MLP, DeepLocallyConnected
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)


def points(size, *leading):
  return tf.constant(np.random.default_rng(1).normal(size=(*leading, size)))


@pytest.mark.slow
@pytest.mark.parametrize(
  'image_shape, patch, stride, reach',
  [((6, 4, 2), 2, 2, 2), ((4, 5, 1), 2, 1, 2), ((5, 5, 1), 2, 1, 3), ((6, 6, 1), 4, 2, 1)],
)
def test_the_laplacian_is_the_trace_of_the_hessian(image_shape, patch, stride, reach):
  potential = cases.deep_local(image_shape, patch, stride, reach)
  x = points(potential.event_size, 2)
  traces = np.trace(cases.hessians(potential, cases.TIME, x), axis1=-2, axis2=-1)
  np.testing.assert_allclose(potential.laplacian(TIME, x), traces, rtol=1e-12)


@pytest.mark.parametrize('leading', [(), (2, 3)])
@pytest.mark.parametrize('reach', [1, 2])
def test_a_window_of_the_whole_image_is_a_dense_network(reach, leading):
  """One patch of all four pixels, or four patches of one pixel each that one window sees."""
  potential = cases.deep_local(patch=3 - reach, reach=reach)
  network = MLP(4, (3 * reach**2, 2), 'softplus', dtype=tf.float64)
  kernel = np.zeros([4, 3 * reach**2])
  for number, part in enumerate(potential.kernel.numpy()):
    kernel[:, 3 * number : 3 * number + 3] = part if reach == 1 else np.eye(4)[:, [number]] @ part
  network.kernels[0].assign(kernel)
  network.biases[0].assign(tf.reshape(potential.bias, [-1]))
  network.kernels[1].assign(potential.second_kernel[0])
  network.biases[1].assign(potential.second_bias[0, 0])
  network.amplitude.assign(potential.amplitude[0])
  x = points(4, *leading)
  np.testing.assert_allclose(potential(TIME, x), network(TIME, x), rtol=1e-12)
  for one, other in zip(*(p.gradient_and_laplacian(TIME, x) for p in (potential, network))):
    np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_pixels_that_share_no_window_do_not_interact():
  potential = cases.deep_local((1, 4, 1), reach=1)
  hessian = cases.hessians(potential, cases.TIME, points(4, 1))[0]
  assert np.count_nonzero(hessian) == 4
  wider = cases.deep_local((4, 4, 1), reach=2)
  hessian = cases.hessians(wider, cases.TIME, points(16, 1))[0].reshape(4, 4, 4, 4)
  assert np.all(hessian[0, 0, 2:] == 0) and np.all(hessian[0, 0, :2, :2] != 0)


@pytest.mark.parametrize(
  'reach, second, message',
  [
    (3, 2, r'`reach` must be at most 2, got 3: there are 2 x 3 patches'),
    (0, 2, r'`reach` must be a positive integer, got 0'),
    (1, 1.5, r'`second_units` must be a positive integer, got 1.5'),
  ],
)
def test_windows_that_do_not_fit_are_refused(reach, second, message):
  with pytest.raises(ValueError, match=message):
    DeepLocallyConnected((4, 6, 1), 2, 2, 3, second, reach)
