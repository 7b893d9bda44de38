"""The flow among other TFP objects: Invert, Chain, images, joint distributions, HMC."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras.potentials import Quadratic
from tests.support import bijectors
from tests.support.bijectors import generic, points

tfb, tfd = tfp.bijectors, tfp.distributions

TIME = 0.8


def quadratic(time=TIME):
  return ma_keras.MongeAmpereBijector(Quadratic(bijectors.MATRIX, tf.float64), 20, time / 20)


def flow_through(bijector, event_size=3):
  return tfd.TransformedDistribution(bijectors.standard_normal(event_size), bijector)


def test_invert_swaps_the_directions(eagerly):
  """The flow run backwards turns N(0, I) into N(0, exp(-2 A T))."""
  bijector = generic()
  inverted = tfb.Invert(bijector)
  np.testing.assert_array_equal(inverted.forward(points(4)), bijector.inverse(points(4)))
  np.testing.assert_array_equal(
    inverted.inverse_log_det_jacobian(points(4)), bijector.forward_log_det_jacobian(points(4))
  )
  covariance = bijectors.expm(-2 * TIME * bijectors.MATRIX)
  expected = bijectors.gaussian_log_density(points(4), covariance)
  found = flow_through(tfb.Invert(quadratic())).log_prob(points(4))
  np.testing.assert_allclose(found, expected, atol=1e-8)


def test_chain_with_affine_maps_is_a_gaussian(eagerly):
  """2 exp(A T) 3 z + m has covariance 36 exp(2 A T)."""
  shift = points(seed=5)
  two, three = tf.constant(2.0, tf.float64), tf.constant(3.0, tf.float64)
  chain = tfb.Chain([tfb.Shift(shift), tfb.Scale(two), quadratic(), tfb.Scale(three)])
  covariance = 36.0 * bijectors.expm(2 * TIME * bijectors.MATRIX)
  expected = bijectors.gaussian_log_density(points(4), covariance, shift.numpy())
  np.testing.assert_allclose(flow_through(chain).log_prob(points(4)), expected, atol=1e-8)


def test_flows_in_a_row_add_their_times(eagerly):
  """The flow of phi over T1 and then over T2 is the flow over T1 + T2."""
  chain, whole = quadratic(0.5)(quadratic(0.3)), quadratic(0.8)
  np.testing.assert_allclose(chain.forward(points(4)), whole.forward(points(4)), atol=1e-9)
  found = flow_through(chain).log_prob(points(4))
  np.testing.assert_allclose(found, flow_through(whole).log_prob(points(4)), atol=1e-8)
  nested = quadratic(0.5)(flow_through(quadratic(0.3)))  # bijector(distribution)
  np.testing.assert_allclose(nested.log_prob(points(4)), found, atol=1e-12)


def test_reshape_makes_images(eagerly):
  """An image [2, 2, 1] has the density of its four pixels."""
  bijector = generic(event_size=4)
  images = flow_through(tfb.Chain([tfb.Reshape([2, 2, 1], event_shape_in=[4]), bijector]), 4)
  vectors = flow_through(bijector, 4)
  assert images.event_shape == [2, 2, 1] and images.batch_shape == []
  y, log_prob = images.experimental_sample_and_log_prob([3, 2], seed=[1, 2])
  assert y.shape == [3, 2, 2, 2, 1]
  flat = tf.reshape(y, [3, 2, 4])
  np.testing.assert_array_equal(flat, vectors.sample([3, 2], seed=[1, 2]))
  np.testing.assert_array_equal(images.log_prob(tf.identity(y)), vectors.log_prob(flat))
  assert len(images.trainable_variables) == 3 and log_prob.shape == [3, 2]


def test_joint_distribution_adds_log_densities(eagerly):
  """ln p(x, y) = ln p(x) + ln p(y | x), with a flow for x and a flow around x for y."""
  flow, bijector = flow_through(generic()), quadratic()
  joint = tfd.JointDistributionSequential(
    [flow, lambda x: tfd.TransformedDistribution(tfd.MultivariateNormalDiag(x), bijector)]
  )
  x, y = joint.sample(4, seed=[1, 2])
  given = bijectors.expm(TIME * bijectors.MATRIX)
  conditional = [
    bijectors.gaussian_log_density(b, given @ given, a @ given) for a, b in zip(x.numpy(), y)
  ]
  expected = flow.log_prob(tf.identity(x)) + conditional
  np.testing.assert_allclose(joint.log_prob([tf.identity(x), tf.identity(y)]), expected, atol=1e-7)


def test_hamiltonian_monte_carlo_in_latent_space():
  """Samples a Gaussian in the plane through a generic flow: its moments within four errors.

  The 200 chains are independent, so their spread is the error. Without the flow's log
  determinant the moments miss by far more.
  """
  mean, covariance = np.array([0.5, -0.3]), np.array([[0.5, 0.3], [0.3, 0.8]])
  target = tfd.MultivariateNormalTriL(tf.constant(mean), tf.linalg.cholesky(covariance))
  kernel = tfp.mcmc.TransformedTransitionKernel(
    tfp.mcmc.HamiltonianMonteCarlo(target.log_prob, tf.constant(0.35, tf.float64), 4),
    generic(event_size=2, num_steps=2, step_size=0.2),
  )

  @tf.function(autograph=False)
  def chains():
    return tfp.mcmc.sample_chain(
      num_results=120,
      num_burnin_steps=60,
      current_state=points(200, event_size=2),
      kernel=kernel,
      trace_fn=lambda _, results: results.inner_results.is_accepted,
      seed=[1, 2],
    )

  states, accepted = chains()
  assert 0.6 < np.mean(accepted) < 0.999
  centred = states.numpy() - mean
  for found, expected in (
    (centred, np.zeros(2)),
    (np.einsum('sci,scj->scij', centred, centred), covariance),
  ):
    per_chain = found.mean(axis=0)
    error = per_chain.std(axis=0) / np.sqrt(len(per_chain))
    np.testing.assert_array_less(np.abs(per_chain.mean(axis=0) - expected), 4 * error)
    assert np.max(error) < 0.05
