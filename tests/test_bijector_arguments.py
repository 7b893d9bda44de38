"""What a bijector takes and what it refuses: dtypes, arguments, values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import OneHiddenLayer, Potential
from tests.support.bijectors import generic, points

METHODS = ('forward', 'inverse', 'forward_log_det_jacobian', 'inverse_log_det_jacobian')


@pytest.mark.usefixtures('eagerly')
def test_dtype_is_that_of_the_potential():
  assert generic(tf.float32).dtype == tf.float32
  assert generic(tf.float32).forward(np.zeros([2, 3])).dtype == tf.float32  # NumPy is converted,
  for call in ('forward', 'inverse_log_det_jacobian', 'certificate'):
    with pytest.raises(ValueError, match='dtype float32 for Tensor with dtype float64'):
      getattr(generic(tf.float32), call)(points(2))  # tensors are not.


class LogCosh(Potential):
  """phi = sum_i ln cosh x_i, without variables."""

  def __call__(self, t, x):
    return tf.reduce_sum(tf.math.log(tf.cosh(x)), axis=-1)


@pytest.mark.slow
def test_potential_without_variables_takes_any_floating_dtype():
  """dx/dt = tanh x has sinh x(t) = e^t sinh x(0)."""
  for dtype, tolerance in ((tf.float32, 1e-5), (tf.float64, 1e-9)):
    bijector = ma_keras.MongeAmpereBijector(LogCosh(3), 40, 0.02, dtype=dtype)
    x = points(4, dtype=dtype)
    expected = np.arcsinh(np.exp(0.8) * np.sinh(x))
    np.testing.assert_allclose(bijector.forward(x), expected, atol=tolerance)
    assert bijector.forward(x).dtype == dtype
  assert ma_keras.MongeAmpereBijector(LogCosh(3), 4, 0.1).dtype == tf.float32


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_validate_args_refuses_what_is_not_finite(method, bad):
  x = np.zeros([2, 3])
  x[1, 2] = bad
  with pytest.raises(tf.errors.InvalidArgumentError, match='flow produced NaN or infinity'):
    getattr(generic(validate_args=True), method)(x)
  assert np.all(np.isfinite(getattr(generic(), method)(x)[0]))  # Unasked, it lets others pass.


class HoldsKeras3(Potential):
  """A potential whose author took a layer of the wrong Keras."""

  def __init__(self):
    super().__init__(3)
    self.layer = keras.layers.Dense(1)

  def __call__(self, t, x):
    return self.layer(x)[..., 0]


def test_keras_3_layers_whose_variables_nobody_would_train_are_refused():
  for potential in (HoldsKeras3(), HoldsKeras3() + OneHiddenLayer(3, 2)):
    with pytest.raises(TypeError, match=r'HoldsKeras3.layer is a Keras 3 Dense.*KerasModel'):
      ma_keras.MongeAmpereBijector(potential, 3, 0.1)


class NotScalar(LogCosh):
  """The sum forgotten, or taken over the batch as well."""

  def __init__(self, axis):
    super().__init__(3)
    self.axis = axis

  def __call__(self, t, x):
    return x**2 if self.axis is None else tf.reduce_sum(x**2, axis=self.axis)


@pytest.mark.parametrize('axis', [None, [0, 1]])
def test_a_potential_is_one_number_per_point(axis):
  bijector = ma_keras.MongeAmpereBijector(NotScalar(axis), 3, 0.1)
  with pytest.raises(ValueError, match='one number per point'):
    bijector.forward(np.zeros([2, 3], np.float32))
