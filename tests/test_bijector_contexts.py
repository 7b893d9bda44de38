"""Conditional flows by TFP's own verbs: a context for every point, or one for all."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import potentials
from ma_keras.distributions import conditions
from ma_keras.saving import export

tfd, tfb = tfp.distributions, tfp.bijectors
N, C, T = 2, 3, 0.4
V = np.random.default_rng(0).normal(size=(C, N))
POTENTIAL = potentials.Quadratic(0.5 * np.eye(N), tf.float64, context_kernel=V)
BIJECTOR = ma_keras.MongeAmpereBijector(POTENTIAL, 8, T / 8)
FLOW = tfd.TransformedDistribution(ma_keras.bases.StandardNormal(N, tf.float64), BIJECTOR)


def draw(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=shape))


def moved(context):
  """x(T) - exp(T/2) x(0) = 2 (exp(T/2) - 1) V'c, for phi = |x|^2/4 + c.V x."""
  return 2.0 * np.expm1(T / 2) * np.asarray(context) @ V


def gaussian(context):
  return tfd.MultivariateNormalDiag(moved(context), np.exp(T / 2) * np.ones(N))


@pytest.mark.slow
@pytest.mark.parametrize('shape', [[5, C], [C], [1, C]])
def test_a_gaussian_moves_with_its_context(shape):
  x, context = draw(5, N), draw(*shape)
  np.testing.assert_allclose(
    BIJECTOR.forward(x, context=context), np.exp(T / 2) * x + moved(context), atol=1e-6
  )
  np.testing.assert_allclose(
    FLOW.log_prob(x, bijector_kwargs={'context': context}), gaussian(context).log_prob(x), atol=1e-6
  )


def test_a_context_may_be_an_array_and_points_of_any_rank():
  x, context = draw(4, 5, N), draw(5, C)
  ours = FLOW.log_prob(x, bijector_kwargs={'context': context.numpy()})
  np.testing.assert_allclose(ours, gaussian(context).log_prob(x), atol=1e-6)


@pytest.mark.slow
def test_samples_have_contexts():
  contexts = {'context': draw(3, C)}
  x = FLOW.sample([4000, 3], seed=1, bijector_kwargs=contexts)
  error = 5 * np.exp(T / 2) / np.sqrt(4000)
  np.testing.assert_allclose(np.mean(x, axis=0), moved(contexts['context']), atol=error)
  x, log_prob = FLOW.experimental_sample_and_log_prob([2, 3], seed=1, bijector_kwargs=contexts)
  np.testing.assert_allclose(FLOW.log_prob(x, bijector_kwargs=contexts), log_prob, atol=1e-9)


THREE = tfb.Scale(tf.constant(3.0, tf.float64))


@pytest.mark.parametrize(
  ('scale', 'bijector'),
  [
    (3.0, tfb.Chain([THREE, BIJECTOR])),
    (1.0, tfb.Invert(tfb.Invert(BIJECTOR))),
    (3.0, tfb.Chain([THREE, tfb.Invert(tfb.Invert(BIJECTOR))])),
  ],
)
def test_chains_and_inverses_hand_contexts_on(scale, bijector):
  x, context = draw(5, N), draw(5, C)
  y = bijector.forward(x, **conditions.options(bijector, context))
  np.testing.assert_allclose(y, scale * BIJECTOR.forward(x, context=context), atol=1e-12)
  assert conditions.context_size(bijector) == C


@pytest.mark.slow
def test_one_context_for_good():
  x, context = draw(5, N), draw(C)
  fixed = BIJECTOR.given(context)
  np.testing.assert_array_equal(fixed.forward(x), BIJECTOR.forward(x, context=context))
  assert conditions.context_size(fixed) is None
  np.testing.assert_allclose(
    fixed.adaptive(x).x, np.exp(T / 2) * x + moved(context), rtol=1e-5, atol=1e-6
  )
  assert np.all(np.abs(fixed.certificate(x, reverse=True).log_prob_change) < 1e-5)


def test_what_is_missing_or_does_not_fit_is_said():
  x = draw(5, N)
  with pytest.raises(ValueError, match='`context` is missing: the potential has context_size=3'):
    FLOW.log_prob(x)
  with pytest.raises(ValueError, match=r'a row for every point or one for all, got \[4, 3\]'):
    BIJECTOR.forward(x, context=draw(4, C))
  plain = ma_keras.MongeAmpereBijector(potentials.Quadratic(np.eye(N), tf.float64), 2, 0.1)
  with pytest.raises(ValueError, match='Quadratic takes no `context`'):
    plain.forward(x, context=draw(5, C))


@pytest.mark.slow
def test_a_saved_model_takes_contexts(tmp_path):
  flow = ma_keras.standard_normal_flow(BIJECTOR)
  export.save(flow, tmp_path / 'model')
  loaded = tf.saved_model.load(str(tmp_path / 'model'))
  x, context = draw(5, N), draw(5, C)
  expected = FLOW.log_prob(x, bijector_kwargs={'context': context})
  np.testing.assert_allclose(loaded.log_prob(x, context)['log_prob'], expected, rtol=1e-12)
  for_all = loaded.signatures['log_prob'](x=x, context=context[:1])['log_prob']
  np.testing.assert_allclose(for_all, gaussian(context[0]).log_prob(x), atol=1e-6)
  drawn = loaded.sample(tf.constant([1, 2]), tf.constant(5), context)
  again = FLOW.log_prob(drawn['x'], bijector_kwargs={'context': context})
  np.testing.assert_allclose(drawn['log_prob'], again, rtol=1e-10)
  np.testing.assert_allclose(
    loaded.inverse(loaded.forward(x, context)['x'], context)['z'], x, atol=1e-6
  )


@pytest.mark.slow
@pytest.mark.parametrize(
  'potential',
  [
    POTENTIAL,
    potentials.OneHiddenLayer(N, 4, context_size=C, seed=1, dtype=tf.float64),
    potentials.MLP(N, (4,), context_size=C, seed=1, dtype=tf.float64),
  ],
)
def test_a_model_file_keeps_the_context(potential, tmp_path):
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1)
  ma_keras.model_file.save(tmp_path / 'model.npz', ma_keras.model_file.Model(bijector))
  loaded = ma_keras.model_file.load(tmp_path / 'model.npz').bijector
  x, context = draw(5, N), draw(5, C)
  np.testing.assert_array_equal(
    loaded.forward(x, context=context), bijector.forward(x, context=context)
  )
