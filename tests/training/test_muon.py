"""Muon: singular values of a step, which variables it takes, and what it gains."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, training
from ma_keras.training.muon import is_kernel, orthogonalised


@pytest.mark.parametrize('shape', [(8, 8), (5, 20), (20, 5), (3, 6, 4)])
def test_a_step_turns_as_the_gradient_does_with_singular_values_of_about_one(rng, shape):
  left = np.linalg.qr(rng.normal(size=(*shape[:-1], min(shape[-2:]))))[0]
  right = np.linalg.qr(rng.normal(size=(*shape[:-2], shape[-1], min(shape[-2:]))))[0]
  values = np.geomspace(0.05, 1.0, min(shape[-2:]))
  matrix = left * values @ np.swapaxes(right, -1, -2)
  step = orthogonalised(tf.constant(matrix)).numpy()
  turned = np.swapaxes(left, -1, -2) @ step @ right
  own = np.diagonal(turned, axis1=-2, axis2=-1)
  np.testing.assert_allclose(turned, own[..., None] * np.eye(len(values)), atol=1e-10)
  assert own.min() > 0.6 and own.max() < 1.3


def test_a_zero_gradient_moves_nothing():
  np.testing.assert_array_equal(orthogonalised(tf.zeros([4, 3])), np.zeros([4, 3]))


def layers():
  basis = potentials.TimeBasis(1.0, 2)
  dense = potentials.OneHiddenLayer(36, 8, time_basis=basis, seed=0)
  return dense + potentials.LocallyConnected((6, 6, 1), 4, 2, 3, time_basis=basis, seed=1)


def test_kernels_alone_take_its_steps_and_all_others_those_of_adam(rng):
  potential, twin = layers(), layers()
  for optimizer, model in [
    (training.Muon(0.01, kernel_rate=2.0), potential),
    (tf_keras.optimizers.Adam(0.01), twin),
  ]:
    gradients = [np.random.default_rng(3).normal(size=v.shape) for v in model.trainable_variables]
    for _ in range(2):
      optimizer.apply_gradients(
        [(tf.constant(g, v.dtype), v) for g, v in zip(gradients, model.trainable_variables)]
      )
  kernels = [v for v in potential.trainable_variables if is_kernel(v)]
  assert [v.shape for v in kernels] == [(36, 8), (4, 16, 3)]
  for own, adams in zip(potential.trainable_variables, twin.trainable_variables):
    same = np.allclose(own, adams, rtol=1e-6)
    assert same != is_kernel(own), own.name
  # Two steps of one gradient: every singular value is 2 steps of about 1, at 0.02 sqrt(R / C).
  moved = kernels[0].numpy() - next(filter(is_kernel, layers().trainable_variables)).numpy()
  values = np.linalg.svd(moved, compute_uv=False) / (2 * 0.02 * (36 / 8) ** 0.5)
  assert values.min() > 0.6 and values.max() < 1.3


def test_configuration_and_clip_come_back():
  optimizer = training.muon(0.01, total_steps=10, warmup_steps=2, gradient_clip=1.0)
  again = tf_keras.optimizers.deserialize(tf_keras.optimizers.serialize(optimizer))
  assert isinstance(again, training.Muon)
  assert (again.kernel_rate, again.global_clipnorm) == (2.0, 1.0)
  np.testing.assert_allclose(again.learning_rate, optimizer.learning_rate)


def test_a_rate_of_kernels_that_is_not_positive_is_refused():
  with pytest.raises(ValueError, match=r'`kernel_rate` must be positive, got 0'):
    training.Muon(kernel_rate=0)


@pytest.mark.slow
def test_it_trains_a_flow_under_xla(rng):
  x = rng.normal(size=(256, 4)).astype(np.float32) @ np.diag([2.0, 1.0, 0.5, 0.1]).astype('f4')
  potential = potentials.OneHiddenLayer(4, 16, seed=0)
  flow = ma_keras.MongeAmpereBijector(potential, 4, 0.25, 'euler')
  model = training.MaximumLikelihood(flow, penalties={})
  model.compile(training.muon(0.02, 40, 5, 1.0), jit_compile=True)
  losses = model.fit(x, batch_size=64, epochs=10, verbose=0).history['nll']
  assert losses[-1] < losses[0] - 0.5
