"""Any Keras model, old or new, is a potential whose variables TFP sees."""

import copy
import functools
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras.potentials import KerasModel, autodiff, deep, keras_model
from tests.potentials import cases

PACKAGES = pytest.mark.parametrize('package', [tf_keras, keras], ids=['tf_keras', 'keras 3'])
BUILDERS = pytest.mark.parametrize('build', [cases.keras_sequential, cases.keras_functional])


@PACKAGES
@BUILDERS
def test_value_is_the_models_output(package, build):
  model = build(package)
  x = cases.points(2, 3)
  expected = np.reshape(model(tf.reshape(x, [6, 4])), [2, 3])
  np.testing.assert_allclose(KerasModel(model, 4)(0.0, x), expected, rtol=1e-13)


@PACKAGES
@BUILDERS
def test_derivatives_are_exact(package, build):
  potential = cases.generic(KerasModel(build(package), 4))
  cases.assert_derivatives_are_exact(potential, cases.TIME, cases.points(2))


@PACKAGES
def test_time_is_the_last_feature(package):
  model = cases.keras_sequential(package, width=5)
  potential = cases.generic(KerasModel(model, 4, time_dependent=True))
  x = cases.points(3)
  expected = model(np.insert(x, 4, 0.3, axis=-1))[:, 0]
  np.testing.assert_allclose(potential(0.3, x), expected, rtol=1e-13)
  assert np.all(np.abs(potential(0.8, x) - expected) > 1e-6)
  cases.assert_derivatives_are_exact(potential, 0.3, x)


@PACKAGES
def test_the_bijector_sees_every_variable_and_they_all_train(package, eagerly):
  model = cases.keras_functional(package)
  potential = KerasModel(model, 4)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 0.1, integrator='euler')
  flow = ma_keras.standard_normal_flow(bijector)
  shapes = sorted(tuple(v.shape) for v in model.trainable_variables)
  for owner in (potential, bijector, flow):
    assert sorted(tuple(v.shape) for v in owner.trainable_variables) == shapes
    assert len({v.ref() for v in owner.trainable_variables}) == len(shapes)
  with tf.GradientTape() as tape:
    loss = -tf.reduce_mean(flow.log_prob(cases.points(3)))
  gradients = tape.gradient(loss, flow.trainable_variables)
  # phi is defined up to a constant: the bias of the output layer moves nothing.
  moving = [g for g in gradients if g is not None and np.any(g != 0.0)]
  assert len(moving) == len(shapes) - 1


@PACKAGES
def test_assigning_a_variable_changes_the_model(package):
  model = cases.keras_sequential(package)
  potential = KerasModel(model, 4)
  for variable in potential.trainable_variables:
    variable.assign(tf.ones_like(variable))
  for weight in model.get_weights():
    np.testing.assert_array_equal(weight, np.ones_like(weight))


@PACKAGES
def test_moving_statistics_are_no_parameters(package):
  model = package.Sequential(
    [
      package.layers.Input((4,)),
      package.layers.BatchNormalization(),
      package.layers.Dense(1, use_bias=False),
    ]
  )
  potential = KerasModel(model, 4)
  assert sorted(tuple(v.shape) for v in potential.variables) == [(4,), (4,), (4,), (4,), (4, 1)]
  assert sorted(tuple(v.shape) for v in potential.trainable_variables) == [(4,), (4,), (4, 1)]


@PACKAGES
def test_dtype_is_the_models(package):
  assert KerasModel(cases.keras_sequential(package), 4).dtype == tf.float64
  assert KerasModel(cases.keras_sequential(package, dtype='float32'), 4).dtype == tf.float32


@PACKAGES
def test_called_without_training_behaviour(package):
  """Dropout is off: two calls agree."""
  model = package.Sequential(
    [
      package.layers.Input((4,)),
      package.layers.Dense(50, 'tanh'),
      package.layers.Dropout(0.5),
      package.layers.Dense(1),
    ]
  )
  potential, x = KerasModel(model, 4), tf.ones([2, 4])
  np.testing.assert_array_equal(potential(0.0, x), potential(0.0, x))


@PACKAGES
def test_unbuilt_models_name_the_remedy(package):
  model = package.Sequential([package.layers.Dense(1)])
  with pytest.raises(ValueError, match=r'`model` .* call `model.build\(\(None, 5\)\)`'):
    KerasModel(model, 4, time_dependent=True)


@PACKAGES
def test_models_must_give_one_number(package):
  model = package.Sequential([package.layers.Input((4,)), package.layers.Dense(2)])
  with pytest.raises(ValueError, match=r'`model` must map \[B, 4\] to \[B, 1\], got \(2, 2\)'):
    KerasModel(model, 4)


def forbid(monkeypatch, module, name):
  def used(*args):
    raise AssertionError(f'{name} was called.')

  monkeypatch.setattr(module, name, used)


@PACKAGES
@pytest.mark.parametrize('activation', ['softplus', 'tanh', 'sigmoid', 'silu', 'swish', 'gelu'])
@pytest.mark.parametrize('last', ['linear', 'tanh'])
def test_dense_layers_need_no_tapes(package, activation, last, monkeypatch):
  """Hidden layers wider and narrower than N, one of them linear, with and without bias."""
  dense = functools.partial(package.layers.Dense, dtype='float64')
  model = package.Sequential(
    [
      package.layers.Input((4,), dtype='float64'),
      dense(5, activation),
      dense(3, use_bias=False),
      dense(2, 'exponential'),
      dense(1, last),
    ]
  )
  potential, x = cases.generic(KerasModel(model, 4)), cases.points(3)
  expected = np.trace(cases.hessians(potential, 0.0, x), axis1=-2, axis2=-1)
  slopes = autodiff.gradient(potential, 0.0, x)
  for name in ('gradient', 'gradient_and_laplacian'):
    forbid(monkeypatch, autodiff, name)
  velocity, laplacian = potential.gradient_and_laplacian(0.0, x)
  # TensorFlow's gelu knows 1/sqrt(2) in single precision alone.
  rtol = 1e-6 if activation == 'gelu' else 1e-10
  np.testing.assert_allclose(laplacian, expected, rtol=rtol, atol=1e-12)
  np.testing.assert_allclose(velocity, slopes, rtol=rtol, atol=1e-12)
  np.testing.assert_allclose(potential.gradient(0.0, x), slopes, rtol=rtol, atol=1e-12)


@PACKAGES
@pytest.mark.parametrize('activation', ['linear', 'softplus'])
def test_one_dense_layer_is_a_potential(package, activation):
  inputs = package.layers.Input((4,), dtype='float64')
  layers = [inputs, package.layers.Dense(1, activation, dtype='float64')]
  potential = cases.generic(KerasModel(package.Sequential(layers), 4))
  cases.assert_derivatives_are_exact(potential, 0.0, cases.points(2))


@PACKAGES
@pytest.mark.parametrize('use', ['gradient', 'gradient_and_laplacian'])
def test_tapes_are_used_where_they_are_asked_for(package, use, monkeypatch):
  potential, x = KerasModel(cases.keras_sequential(package), 4), cases.points(3)
  expected = potential.laplacian(0.0, x)
  forbid(monkeypatch, deep, use)
  with pytest.raises(AssertionError, match=f'{use} was called'):
    getattr(potential, use)(0.0, x)
  taped = potential.with_laplacian(autodiff.gradient_and_laplacian)
  np.testing.assert_allclose(taped.laplacian(0.0, x), expected, rtol=1e-12)


@PACKAGES
def test_variables_are_read_at_every_call(package):
  potential, x = KerasModel(cases.keras_sequential(package), 4), cases.points(3)
  compiled = tf.function(potential.laplacian)
  before = compiled(0.0, x)
  potential.trainable_variables[-1].assign(2.0 * potential.trainable_variables[-1])
  np.testing.assert_allclose(compiled(0.0, x), 2.0 * before, rtol=1e-12)


@PACKAGES
def test_points_may_be_finer_than_the_model(package):
  potential, x = KerasModel(cases.keras_sequential(package, dtype='float32'), 4), cases.points(3)
  taped = potential.with_laplacian(autodiff.gradient_and_laplacian)
  for own, other in zip(*(p.gradient_and_laplacian(0.0, x) for p in (potential, taped))):
    assert own.dtype == other.dtype == tf.float64
    np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6)


def obstacles(package):
  """Layers that may not be taken for dense ones, each with what the warning says of it."""
  dense = package.layers.Dense

  class Doubled(dense):
    def call(self, inputs):
      return 2.0 * super().call(inputs)

  def tanh(z):
    return tf.sin(z)

  return {
    'odd_dropout (Dropout, activation None)': package.layers.Dropout(0.5, name='odd_dropout'),
    'odd_relu (Dense, activation relu)': dense(3, 'relu', name='odd_relu'),
    'odd_tanh (Dense, activation tanh)': dense(3, tanh, name='odd_tanh'),
    'odd_class (Doubled, activation linear)': Doubled(3, name='odd_class'),
    'odd_dtype (Dense, activation tanh)': dense(
      3, 'tanh', dtype='mixed_bfloat16', name='odd_dtype'
    ),
    'odd_gelu (Dense, activation gelu)': dense(3, keras.ops.gelu, name='odd_gelu'),
  }


@PACKAGES
@pytest.mark.parametrize('said', obstacles(keras))
def test_other_layers_fall_back_to_tapes_and_are_named_once(package, said):
  layers = [package.layers.Input((4,)), obstacles(package)[said], package.layers.Dense(1)]
  potential, x = KerasModel(package.Sequential(layers), 4), tf.ones([2, 4])
  keras_model._warn_once.cache_clear()
  name, kind = said.split(' ', 1)
  message = re.escape(f"Layer '{name}' {kind} is no Dense")
  with pytest.warns(UserWarning, match=message + '.* takes 4 reverse passes'):
    laplacian = potential.laplacian(0.0, x)
  expected = autodiff.gradient_and_laplacian(potential, tf.constant(0.0), x)[1]
  np.testing.assert_array_equal(laplacian, expected)
  with warnings.catch_warnings():
    warnings.filterwarnings('error', '.* is no ')
    potential.laplacian(0.0, x)
    KerasModel(potential.model, 4).laplacian(0.0, x)


@PACKAGES
def test_functional_models_fall_back_and_say_so(package):
  keras_model._warn_once.cache_clear()
  potential = KerasModel(cases.keras_functional(package), 4)
  with pytest.warns(UserWarning, match=r'Model .* \(Functional\) is no plain Sequential'):
    potential.laplacian(0.0, cases.points(2))
  with warnings.catch_warnings():
    warnings.filterwarnings('error', '.* is no ')
    potential.gradient(0.0, cases.points(2))
    potential.with_laplacian(autodiff.gradient_and_laplacian).laplacian(0.0, cases.points(2))


@pytest.mark.slow
@pytest.mark.parametrize('package', [tf_keras, keras])
def test_a_deep_copy_has_a_model_and_variables_of_its_own(package):
  potential = cases.generic(KerasModel(cases.keras_sequential(package), cases.EVENT_SIZE))
  bijector, x = ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler'), cases.points(2)
  twin, before = copy.deepcopy(bijector), bijector.forward(x).numpy()
  np.testing.assert_array_equal(twin.forward(tf.identity(x)), before)
  assert len(twin.trainable_variables) == len(bijector.trainable_variables) == 3
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(twin.forward(tf.identity(x)))
  assert all(g is not None for g in tape.gradient(total, twin.trainable_variables))
  for variable in twin.trainable_variables:
    variable.assign(2.0 * variable)
  assert np.all(twin.forward(tf.identity(x)) != before)
  np.testing.assert_array_equal(bijector.forward(tf.identity(x)), before)


@pytest.mark.parametrize('package', [keras, tf_keras])
def test_regularisers_that_no_flow_would_add_are_doubted(package):
  dense = package.layers.Dense(1, use_bias=False, kernel_regularizer='l2')
  model = package.Sequential([package.Input((2,)), dense])
  with pytest.warns(UserWarning, match='1 regularisers, which no flow adds.*AdamW'):
    KerasModel(model, 2)
