"""A conditional flow is, under every context, the flow of the potential that is given it."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import ma_keras
from ma_keras import distributions, potentials
from ma_keras.saving import export

N, C, O = 2, 3, 4
DOUBLE = {'dtype': tf.float64}


def bijector(**options):
  potential = potentials.OneHiddenLayer(N, 5, context_size=C, seed=1, **DOUBLE)
  return ma_keras.MongeAmpereBijector(potential, 3, 0.3, 'midpoint', **options)


def encoder(package=tf_keras):
  package.utils.set_random_seed(1)
  layer = package.layers.Dense(C, 'tanh', dtype='float64')
  return package.Sequential([package.layers.Input((O,)), layer])


@pytest.fixture(scope='module')
def flow():
  return ma_keras.conditional_flow(bijector(), encoder())


def observed(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=(*shape, O)))


def points(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=(*shape, N)))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_every_row_has_the_density_of_its_own_flow(flow):
  x, o = points(3), observed(3)
  ours = flow.log_prob(x, context=o)
  np.testing.assert_allclose(flow.prob(x, context=o), np.exp(ours), rtol=1e-12)
  for row, context, density in zip(x, o, ours):
    given = flow.bijector.given(flow.encoder.model(context[tf.newaxis])[0])
    alone = ma_keras.standard_normal_flow(given).log_prob(row)
    np.testing.assert_allclose([density, flow.given(context).log_prob(row)], alone, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_samples_have_the_leading_shape_of_the_contexts_and_more_before_it(flow):
  o = observed(5)
  assert flow.sample(context=o, seed=1).shape == (5, N)
  assert flow.sample([7, 5], context=o, seed=1).shape == (7, 5, N)
  assert flow.sample(7, context=o[0], seed=1).shape == (7, N)
  x, log_prob = flow.experimental_sample_and_log_prob(context=o, seed=[1, 2])
  np.testing.assert_allclose(log_prob, flow.log_prob(tf.identity(x), context=o), atol=2e-2)
  np.testing.assert_array_equal(x, flow.sample(context=o, seed=[1, 2]))


@pytest.mark.slow
def test_the_density_of_one_context_integrates_to_one(flow):
  grid = np.linspace(-8, 8, 161)
  x = np.stack(np.meshgrid(grid, grid), axis=-1)
  mass = np.sum(flow.prob(x, context=observed(1)[0])) * (grid[1] - grid[0]) ** 2
  np.testing.assert_allclose(mass, 1.0, atol=1e-2)  # Twelve stages of a method of order two.


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('package', [tf_keras, keras], ids=['tf_keras', 'Keras 3'])
def test_encoder_and_potential_are_trained_and_copied_together(package):
  flow = ma_keras.conditional_flow(bijector(), encoder(package))
  x, o = points(3), observed(3)
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(flow.log_prob(x, context=o))
  gradients = tape.gradient(loss, flow.trainable_variables)
  assert len(gradients) == 6 and all(np.any(gradient) for gradient in gradients)
  again = pickle.loads(pickle.dumps(flow))
  np.testing.assert_array_equal(again.log_prob(x, context=o), flow.log_prob(x, context=o))


def test_a_layer_that_adapts_adds_no_variable_of_its_own():
  layers = [tf_keras.layers.Input((O,)), tf_keras.layers.Normalization(), tf_keras.layers.Dense(C)]
  model = tf_keras.Sequential(layers)
  model.layers[0].adapt(observed(9))
  flow = ma_keras.conditional_flow(bijector(), model)
  ours = {variable.ref() for variable in flow.trainable_variables}
  expected = [*model.trainable_variables, *flow.bijector.trainable_variables]
  assert ours == {variable.ref() for variable in expected}


@pytest.mark.slow
def test_preprocessing_and_chains_take_the_context(flow):
  scale = tfp.bijectors.Scale(tf.constant(2.0, tf.float64))
  chain = tfp.bijectors.Chain([scale, flow.bijector])
  scaled = ma_keras.distributions.ConditionalFlow(flow.distribution, chain, flow.encoder)
  x, o = points(3), observed(3)
  expected = flow.log_prob(x / 2, context=o) - N * np.log(2)
  np.testing.assert_allclose(scaled.log_prob(x, context=o), expected, rtol=1e-12)
  np.testing.assert_allclose(scaled.given(o[0]).log_prob(x[0]), expected[0], rtol=1e-12)


@pytest.mark.slow
def test_an_export_takes_what_the_encoder_takes(tmp_path):
  flow = ma_keras.conditional_flow(bijector(gradient='plain'), encoder())
  export.save(flow, tmp_path)
  module = tf.saved_model.load(str(tmp_path))
  x, o = points(3), observed(3)
  found = module.signatures['log_prob'](x=x, context=o)['log_prob']
  np.testing.assert_allclose(found, flow.log_prob(x, context=o), rtol=1e-12)
  drawn = module.sample(tf.constant([1, 2]), tf.constant(3), o)
  np.testing.assert_allclose(drawn['x'], flow.sample(3, tf.constant([1, 2]), context=o), rtol=1e-10)


@pytest.mark.parametrize(
  'call, message',
  [
    (lambda flow: flow.log_prob(points(3)), '`context` is missing'),
    (lambda flow: flow.sample(3), '`context` is missing'),
    (lambda flow: flow.log_prob(points(3), context=points(3)), r'`context` must have .* 4\]'),
    (lambda flow: ma_keras.conditional_flow(bijector(), tf_keras.Sequential()), 'Input'),
    (
      lambda flow: ma_keras.conditional_flow(
        bijector(), tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(O,))])
      ),
      r'must map \[B, 4\] to \[B, 3\]',
    ),
    (
      lambda flow: ma_keras.conditional_flow(
        ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(N, 4), 2, 0.1)
      ),
      'context_size=C',
    ),
  ],
)
def test_what_does_not_fit_is_named(flow, call, message):
  with pytest.raises(ValueError, match=message) as error:
    call(flow)
  assert '\n' not in str(error.value)


def test_contexts_next_to_the_latents_leave_the_rest_of_the_chain_to_be_solved_once():
  plain = potentials.OneHiddenLayer(2, 4, dtype=tf.float64, seed=1)
  given = potentials.OneHiddenLayer(2, 4, dtype=tf.float64, context_size=1, seed=2)
  flows = [ma_keras.MongeAmpereBijector(phi, 3, 0.2, 'heun') for phi in (plain, given, plain)]
  chain = distributions.FlowChain(flows)
  scale = tfp.bijectors.Scale(tf.constant([2.0, 0.5], tf.float64))
  base = distributions.flow_from(None, chain).distribution
  density = distributions.ConditionalFlow(base, tfp.bijectors.Chain([scale, chain]))
  shared, rest = density.split()
  assert [part.name for part in shared.bijectors] == [scale.name, flows[0].name]
  x, context = tf.constant([[0.3, -1.0], [2.0, 0.1]], tf.float64), tf.constant([0.7], tf.float64)
  log_det = shared.inverse_log_det_jacobian(x, event_ndims=1)
  log_prob = rest.log_prob(shared.inverse(x), context=context) + log_det
  np.testing.assert_allclose(log_prob, density.log_prob(x, context=context), rtol=1e-12)
  shared, rest = distributions.conditional_flow(flows[1]).split()
  np.testing.assert_array_equal(shared.inverse(x), x)
