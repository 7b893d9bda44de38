"""Any Keras model, old or new, is a potential whose variables TFP sees."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras.potentials import KerasModel
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
def test_the_bijector_sees_every_variable_and_they_all_train(package):
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
