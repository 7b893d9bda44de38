"""A flow in a model of Keras 3: its variables are the model's, trained, counted and saved."""

import pickle
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras.layers.keras3_layers import FlowLayer
from tests.support import eager

X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)


def flow(seed=1, hidden_units=4):
  potential = ma_keras.potentials.OneHiddenLayer(2, hidden_units, seed=seed)
  return ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler'))


def functional(density):
  x = keras.Input((2,))
  return keras.Model(x, density.log_prob(x))


def fit(model, **options):
  """One step of plain gradient descent on all rows at once."""
  model.compile(keras.optimizers.SGD(0.1), loss=lambda _, log_prob: -log_prob, **options)
  model.fit(X, np.zeros(len(X)), batch_size=len(X), verbose=0)


def step_of_descent(density):
  """Values of the variables after w - 0.1 dL/dw, L the mean of -ln p(x)."""
  with tf.GradientTape() as tape:
    loss = -tf.reduce_mean(density.log_prob(X))
  gradients = tape.gradient(loss, density.trainable_variables)
  return [v.numpy() - 0.1 * g for v, g in zip(density.trainable_variables, gradients)]


class Nested(keras.layers.Layer):
  """A layer of one's own around a FlowLayer."""

  def __init__(self, density):
    super().__init__()
    self.inner = FlowLayer(density)

  def call(self, x):
    return self.inner(x)


MODELS = {
  'an Input': functional,
  'a Sequential': lambda density: keras.Sequential([keras.Input((2,)), FlowLayer(density)]),
  'a layer within a layer': lambda density: keras.Sequential([keras.Input((2,)), Nested(density)]),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', MODELS)
def test_it_takes_the_steps_of_gradient_descent(name):
  """The first of them as a graph."""
  density = flow()
  model = MODELS[name](density)
  with eager.eagerly():
    expected = step_of_descent(density)
    np.testing.assert_allclose(model(X), density.log_prob(X), rtol=1e-5)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    fit(model, run_eagerly=name != 'an Input')
  for variable, value in zip(density.trainable_variables, expected):
    np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_two_layers_of_one_flow_have_its_variables_once(eagerly):
  """Else each of them would take every step twice."""
  density, x = flow(), keras.Input((2,))
  value, log_det = density.bijector.inverse(x), density.bijector.inverse_log_det_jacobian(x, 1)
  model = keras.Model(x, [value, log_det, density.log_prob(value=x)])
  assert len(model.trainable_variables) == len(density.trainable_variables)
  bijector = density.bijector
  for found, expected in zip(
    model(X),
    (bijector.inverse(X), bijector.inverse_log_det_jacobian(X, 1), density.log_prob(X)),
  ):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_network_of_keras_3_as_a_potential_keeps_its_own_variables():
  network = keras.Sequential(
    [keras.Input((2,)), keras.layers.Dense(3, 'tanh'), keras.layers.Dense(1, use_bias=False)]
  )
  potential = ma_keras.potentials.KerasModel(network, 2)
  density = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler'))
  assert {id(v) for v in functional(density).variables} == {id(v) for v in network.variables}


@pytest.mark.slow
def test_weights_are_saved_to_the_bit_and_all_of_it_is_refused_by_name(tmp_path, eagerly):
  model, other = functional(flow()), functional(flow(seed=5))
  path = str(tmp_path / 'w.weights.h5')
  model.save_weights(path)
  other.load_weights(path)
  np.testing.assert_array_equal(model(X), other(X))
  with pytest.raises(NotImplementedError, match=r"save_weights\('w.weights.h5'\).*pickle.dump"):
    model.save(str(tmp_path / 'm.keras'))


@pytest.mark.slow
def test_a_flow_pickles_after_it_was_a_layer(eagerly):
  density = flow()
  functional(density)
  twin = pickle.loads(pickle.dumps(density.bijector))
  np.testing.assert_array_equal(twin.inverse(X), density.bijector.inverse(X))


@pytest.mark.slow
def test_a_frozen_layer_stays_as_it_is():
  density = flow()
  layer = FlowLayer(density, trainable=False)
  scale = keras.layers.Dense(1, use_bias=False)
  values = [v.numpy() for v in density.variables]
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Reshape((1,)), scale])
    fit(model, run_eagerly=True)
  for variable, value in zip(density.variables, values):
    np.testing.assert_array_equal(variable, value)
  layer.trainable = True
  assert len(functional(density).trainable_variables) == 3


class Stranger(keras.layers.Layer):
  """Keeps a flow as an attribute, where Keras 3 does not look for variables."""

  def __init__(self, density):
    super().__init__()
    self.density = density

  def call(self, x):
    return self.density.log_prob(x)


def written_out(density):
  return tfp.distributions.TransformedDistribution(density.distribution, density.bijector)


@pytest.mark.slow
@pytest.mark.parametrize(
  'layer',
  [
    lambda density: Stranger(density),
    lambda density: Stranger(written_out(density)),
    lambda density: keras.layers.Lambda(density.log_prob),
  ],
)
def test_a_layer_that_hides_a_flow_from_keras_3_says_which_does_not(layer):
  density, x = flow(), keras.Input((2,))
  with pytest.warns(UserWarning, match=r'not train the 3 variables.*FlowLayer\(flow\).*tf_keras'):
    layer(density)(x)


@pytest.mark.slow
def test_nothing_is_said_outside_of_layers():
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    flow().log_prob(X)


def test_another_backend_is_refused(monkeypatch):
  monkeypatch.setattr(keras.backend, 'backend', lambda: 'jax')
  with pytest.raises(ValueError, match=r"KERAS_BACKEND'\] = 'tensorflow'"):
    FlowLayer(flow())
