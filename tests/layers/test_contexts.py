"""An encoder of tf_keras or of Keras 3 is trained through the context of a flow."""

import keras
import numpy as np
import pytest
import tf_keras

import ma_keras
from tests.support import eager


@pytest.mark.slow
@pytest.mark.parametrize('library', [tf_keras, keras], ids=['tf_keras', 'keras 3'])
def test_a_functional_model_trains_its_encoder(library):
  potential = ma_keras.potentials.OneHiddenLayer(2, 4, context_size=3, seed=1)
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 1, 0.1, 'euler'))
  x, raw = (np.random.default_rng(n).normal(size=(16, n)).astype(np.float32) for n in (2, 4))
  points, given = library.Input((2,)), library.Input((4,))
  encoder = library.layers.Dense(3, activation='tanh')
  log_prob = flow.log_prob(points, bijector_kwargs={'context': encoder(given)})
  model = library.Model([points, given], log_prob)
  model.compile('adam', loss=lambda _, log_prob: -log_prob)
  assert len(model.trainable_variables) == 6  # Of the flow four, of the encoder two.
  before = encoder.get_weights()
  model.fit([x, raw], x[:, 0], epochs=1, verbose=0)
  assert all(np.any(one != other) for one, other in zip(before, encoder.get_weights()))
  with eager.eagerly():
    expected = flow.log_prob(x, bijector_kwargs={'context': encoder(raw)})
    np.testing.assert_allclose(model([x, raw]), expected, atol=1e-5)
