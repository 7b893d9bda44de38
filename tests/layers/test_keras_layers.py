"""A flow of a tf_keras Input is a layer, whose variables a functional model finds and trains."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras.layers import keras_layers

X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)


def flow(seed=1, hidden_units=4):
  potential = ma_keras.potentials.OneHiddenLayer(2, hidden_units, seed=seed)
  potential = potential + ma_keras.potentials.OneHiddenLayer(2, hidden_units, seed=seed + 1)
  return ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler'))


def functional(density):
  x = tf_keras.Input((2,))
  return tf_keras.Model(x, density.log_prob(x))


@pytest.mark.slow
def test_case_4_a_functional_model_of_log_prob_trains_the_flow(eagerly):
  """The way of TFP's documentation: the loss is minus the model's output."""
  density = flow()
  model = functional(density)
  np.testing.assert_allclose(model.predict(X, verbose=0), density.log_prob(X), rtol=1e-5)
  assert {id(v) for v in model.trainable_variables} == {id(v) for v in density.variables}
  before = [v.numpy() for v in density.variables]
  model.compile('adam', loss=lambda _, log_prob: -log_prob)
  history = model.fit(X, np.zeros(len(X)), batch_size=40, epochs=2, verbose=0).history['loss']
  assert history[1] < history[0]
  assert all(np.all(v.numpy() != b) for v, b in zip(density.variables, before))


@pytest.mark.slow
def test_value_and_log_det_come_of_one_solve():
  layers = functional(flow()).layers
  assert sum(isinstance(layer, keras_layers.Solve) for layer in layers) == 1


@pytest.mark.slow
def test_both_directions_undo_each_other():
  bijector = flow().bijector.copy(num_steps=64, step_size=0.4 / 64)
  x = tf_keras.Input((3, 2))  # Any leading rank.
  log_dets = [bijector.inverse_log_det_jacobian(x, 1), bijector.forward_log_det_jacobian(x, 1)]
  model = tf_keras.Model(x, [bijector.forward(bijector.inverse(x)), *log_dets])
  points = tf.reshape(X[:36], [-1, 3, 2])
  back, inverse, forward = model(points)
  np.testing.assert_allclose(back, points, atol=1e-2)
  for found, method in zip((inverse, forward), ('inverse', 'forward')):
    log_det = getattr(bijector, f'{method}_log_det_jacobian')(points, 1)
    np.testing.assert_allclose(found, log_det, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_weights_of_a_functional_model_are_saved_to_the_bit(tmp_path, eagerly):
  model, other = functional(flow()), functional(flow(seed=5))
  path = str(tmp_path / 'w.weights.h5')
  model.save_weights(path)
  other.load_weights(path)
  np.testing.assert_array_equal(model(X), other(X))
  with pytest.raises(ValueError, match=r'holds variables of .*\[2, 4\].*model has .*\[2, 5\]'):
    functional(flow(hidden_units=5)).load_weights(path)


@pytest.mark.slow
def test_a_functional_model_names_what_saves_it(tmp_path):
  for name in ('m.keras', 'm.h5'):
    with pytest.raises(NotImplementedError, match=r"save_weights\('w.weights.h5'\).*pickle.dump"):
      functional(flow()).save(str(tmp_path / name))


@pytest.mark.slow
def test_layers_of_ones_own_find_the_variables_of_a_flow():
  """An attribute is enough for tf_keras, whose layers are tf.Modules, too."""

  class OnesOwn(tf_keras.layers.Layer):
    def __init__(self, density):
      super().__init__()
      self.density = density

    def call(self, x):
      return self.density.log_prob(x)

  density = flow()
  layer = OnesOwn(density)
  np.testing.assert_allclose(layer(X), density.log_prob(X), rtol=1e-6)
  assert {id(v) for v in layer.trainable_variables} == {id(v) for v in density.variables}
