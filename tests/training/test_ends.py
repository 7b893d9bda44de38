"""Flows between any two ends: what a base may be, what is saved of it, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import bases, model_file, potentials, training
from tests.support import eager

pytestmark = pytest.mark.slow

tfd = tfp.distributions
X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32) + 1.0


def flow(seed=1, **options):
  potential = potentials.OneHiddenLayer(2, 3, seed=seed)
  return ma_keras.MongeAmpereBijector(potential, 2, 0.25, 'heun', **options)


ENDS = {
  'kernel density': lambda: bases.kernel_density(X),
  'flow': lambda: ma_keras.standard_normal_flow(flow(seed=2, gradient='plain')),
  'normal of TFP': lambda: tfd.MultivariateNormalDiag(tf.zeros(2), tf.constant([1.0, 2.0])),
}
IN_FILES = ('kernel density',)
EXPORTED = ('kernel density', 'flow')


@pytest.mark.parametrize('name', ENDS)
def test_a_flow_between_two_ends_is_trained_saved_and_exported_or_refused(name, tmp_path):
  bijector = flow(gradient='store' if name == 'flow' else 'plain')  # The latter is exported soon.
  model = training.MaximumLikelihood(bijector, base=ENDS[name](), penalties={'kinetic': 0.1})
  model.compile('adam')
  before = [v.numpy() for v in model.trainable_variables]
  with eager.eagerly():  # The export has graphs of its own.
    logs = model.fit(X, batch_size=20, verbose=0).history
    scores = model.predict(X, verbose=0)
  assert np.isfinite(logs['loss'][-1]) and len(before) == (6 if name == 'flow' else 3)
  assert all(np.any(v != old) for v, old in zip(model.trainable_variables, before))
  if name in EXPORTED:
    model.export(tmp_path / 'saved')
    module = tf.saved_model.load(str(tmp_path / 'saved'))
    exported = module.log_prob(X)['log_prob']
    np.testing.assert_allclose(exported, scores, rtol=1e-4, atol=1e-5)
  described = model_file.Model(model.bijector, base=model.base)
  if name in IN_FILES:
    model_file.save(tmp_path / 'model.npz', described)
    loaded = ma_keras.load(tmp_path / 'model.npz').latent_flow()
    np.testing.assert_allclose(loaded.log_prob(X), scores, rtol=1e-5)
  else:
    with pytest.raises(NotImplementedError, match='cannot be written to a model file'):
      model_file.save(tmp_path / 'model.npz', described)
    assert not (tmp_path / 'model.npz').exists()


def test_ends_of_two_dimensions_are_refused():
  with pytest.raises(ValueError, match=r'`base` must have events \[2\] of float32.*got \(3,\)'):
    training.MaximumLikelihood(flow(), base=tfd.MultivariateNormalDiag(tf.zeros(3)))
  model = training.MaximumLikelihood(flow(), base=ENDS['kernel density']())
  model.compile('adam')
  with pytest.raises(ValueError, match='2'):
    model.fit(np.zeros((40, 3), np.float32), verbose=0)
  with pytest.raises(ValueError, match=r'`base` must have events \[2\]'):
    training.SinkhornDivergence(flow(), 0.1, base=bases.StandardNormal(3))
