"""Several flows in a row, and batch normalisations between them, are one flow."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import distributions, potentials, tallies
from ma_keras.distributions import BatchNormalisation, FlowChain, flow_from
from ma_keras.distributions.flow_chain import is_chain

pytestmark = pytest.mark.usefixtures('eagerly')

tfb = tfp.bijectors
N = 2


def flow(seed, size=N, dtype=tf.float64, **options):
  potential = potentials.OneHiddenLayer(size, 5, dtype=dtype, seed=seed, **options)
  return ma_keras.MongeAmpereBijector(potential, 3, 0.2, name=f'flow_{seed}')


def normalisation():
  made = BatchNormalisation(N, dtype=tf.float64)
  made.moving_mean.assign([1.0, -2.0])
  made.moving_variance.assign([4.0, 0.25])
  return made


@pytest.mark.slow
@pytest.mark.parametrize('reverse', [False, True])
def test_a_solve_adds_up_those_of_the_parts(reverse, rng):
  """Defects of the last flow are twice as long in the latents, where its points are."""
  last, middle, first = flow(1), normalisation(), flow(2)
  x = tf.constant(rng.normal(size=(6, N)))
  solution = FlowChain([last, middle, first]).solve(
    x, reverse, ['stiffness', tallies.KineticEnergy()]
  )
  start, end = (last, first) if reverse else (first, last)
  one = start.solve(x, reverse, ['stiffness', 'kinetic'])
  deviation = np.sqrt(np.array([4.0, 0.25]) + 1e-3)
  y = (one.x - [1.0, -2.0]) / deviation if reverse else [1.0, -2.0] + deviation * one.x
  two = end.solve(y, reverse, ['stiffness', 'kinetic'])
  change = np.sum(np.log(deviation)) * (1 if reverse else -1)
  np.testing.assert_allclose(solution.x, two.x, rtol=1e-12)
  total = one.log_density_change + two.log_density_change + change
  np.testing.assert_allclose(solution.log_density_change, total, rtol=1e-12)
  kinetic = one.tallies['kinetic'] + two.tallies['kinetic']
  np.testing.assert_allclose(solution.tallies['kinetic'], kinetic)
  near, far = (two, one) if reverse else (one, two)  # To and from the latents.
  stiffness = near.tallies['stiffness'] + far.tallies['stiffness'] / 0.251
  np.testing.assert_allclose(solution.tallies['stiffness'], stiffness)


@pytest.mark.slow
def test_log_prob_is_that_of_a_chain_of_tfp_and_of_a_solve(rng):
  parts = [flow(1), normalisation(), flow(2)]
  density = flow_from(None, FlowChain(parts))
  plain = tfp.distributions.TransformedDistribution(density.distribution, tfb.Chain(parts))
  x = tf.constant(rng.normal(size=(6, N)))
  np.testing.assert_allclose(density.log_prob(x), plain.log_prob(x), rtol=1e-12)
  solution = density.bijector.solve(x, reverse=True)
  by_solve = density.distribution.log_prob(solution.x) - solution.log_density_change
  np.testing.assert_allclose(density.log_prob(x), by_solve, rtol=1e-12)
  assert density.bijector.dtype == tf.float64 and is_chain(density.bijector)


def test_steps_are_shared_out_as_the_flows_have_them():
  chain = FlowChain([flow(1).refined(3), normalisation(), flow(2)])
  assert (chain.horizon.num_steps, chain.horizon.time) == (12, flow(1).horizon.time * 2)
  for num_steps, shares in [(24, [18, 6]), (12, [9, 3]), (6, [4, 2])]:
    own = chain.in_steps(num_steps).flows
    assert [part.horizon.num_steps for part in own] == shares
    assert [part.horizon.time for part in own] == pytest.approx([flow(1).horizon.time] * 2)
  assert [part.horizon.num_steps for part in chain.refined(2).flows] == [18, 6]
  with pytest.raises(ValueError, match=r'`num_steps` 1 leave a flow of the chain, of \[9, 3\]'):
    chain.in_steps(1)
  copy = chain.copy(num_steps=24, step_size=chain.horizon.time / 24, name='finer')
  assert [part.horizon.num_steps for part in copy.flows] == [18, 6]
  assert isinstance(chain.copy(), FlowChain) and chain.copy().horizon == chain.horizon
  for steps in ({'num_steps': 24, 'step_size': 1.0}, {'num_steps': 24}, {'step_size': 0.1}):
    with pytest.raises(ValueError, match='`num_steps` and `step_size` of a chain must be n and'):
      chain.copy(**steps)
  for num_steps in (0, 7.5):
    for bijector in (chain, flow(1)):
      with pytest.raises(ValueError, match=r'`num_steps` must be a positive integer, got'):
        bijector.in_steps(num_steps)


@pytest.mark.parametrize('reverse', [False, True])
def test_a_trajectory_passes_through_all_flows(rng, reverse):
  x, time = tf.constant(rng.normal(size=(4, N))), flow(1).horizon.time
  parts = [flow(1), normalisation(), flow(2)]
  times = [0.0, time / 3, time, time * 4 / 3, time * 2]
  path = FlowChain(parts).trajectory(x, times[:: -1 if reverse else 1], reverse)
  first, middle, last = parts if reverse else parts[::-1]
  one = first.trajectory(x, times[:3][:: -1 if reverse else 1], reverse)
  beyond, _, _ = middle.moved(one.states[-1], reverse)
  own = [time / 3, 0.0] if reverse else [time / 3, time]
  two = last.trajectory(beyond, own, reverse)
  np.testing.assert_allclose(path.times, times[:: -1 if reverse else 1])
  np.testing.assert_allclose(path.states, [*one.states, *two.states], rtol=1e-12)
  whole = FlowChain(parts).solve(x, reverse)
  np.testing.assert_allclose(path.states[-1], whole.x, rtol=1e-12)
  np.testing.assert_allclose(path.log_density_changes[-1], whole.log_density_change, rtol=1e-12)
  with pytest.raises(ValueError, match='`times` must lie within'):
    FlowChain(parts).trajectory(x, [0.0, time * 3])


def test_paths_of_a_normalisation_have_no_energy():
  with pytest.raises(ValueError, match='moves points in no time: its paths have no energy'):
    ma_keras.transport.transport_cost(FlowChain([flow(1), normalisation()]))


@pytest.mark.slow
def test_a_certificate_halves_the_steps_of_every_flow(rng):
  chain = FlowChain([flow(1), normalisation(), flow(2)])
  assert [part.horizon.num_steps for part in chain.in_equal_steps(4).flows] == [12, 12]
  x = tf.constant(rng.normal(size=(4, N)))
  found = ma_keras.certify(flow_from(None, chain), x, reverse=True)
  log_prob = flow_from(None, chain).log_prob(x)
  finer = flow_from(None, FlowChain([flow(1).refined(2), normalisation(), flow(2).refined(2)]))
  np.testing.assert_allclose(found.log_prob_change, log_prob - finer.log_prob(x), atol=1e-12)
  assert np.any(found.log_prob_change)
  own = chain.certificate(x, reverse=True)
  np.testing.assert_allclose(own.log_prob_change, found.log_prob_change, atol=1e-12)


def test_every_flow_has_draws_of_its_own():
  chain = FlowChain([flow(1).copy(jitter=0.5), flow(2).copy(jitter=0.5)]).with_seed(3)
  one, other = (part.parameters['seed'] for part in chain.flows)
  assert np.any(one != other)


def test_contexts_reach_the_flows_that_take_one(rng):
  chain = FlowChain([flow(1, context_size=1), normalisation(), flow(2)])
  context, x = tf.constant(rng.normal(size=(5, 1))), tf.constant(rng.normal(size=(5, N)))
  density = ma_keras.conditional_flow(chain)
  given = density.given(context[0]).log_prob(x[0])
  log_prob = density.log_prob(x, context=context)
  np.testing.assert_allclose(log_prob[0], given, rtol=1e-9)
  solution = chain.solve(x, reverse=True, context=context)
  by_solve = density.distribution.log_prob(solution.x) - solution.log_density_change
  np.testing.assert_allclose(by_solve, log_prob, rtol=1e-9)


def test_flows_of_one_name_are_told_apart_where_one_takes_a_context():
  flows = [ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(2, 3, seed=0), 2, 0.5)]
  given = potentials.OneHiddenLayer(2, 3, context_size=1, seed=1)
  flows.append(ma_keras.MongeAmpereBijector(given, 2, 0.5))
  x, context = tf.ones([4, 2]), tf.constant([[0.1], [0.2], [0.3], [0.4]])
  base = distributions.flow_from(None, flows[0]).distribution
  ours = distributions.conditional_flow(FlowChain(flows)).log_prob(x, context=context)
  with pytest.raises(ValueError, match=r"have one name, '.*', of which one takes a context"):
    distributions.ConditionalFlow(base, tfb.Chain(flows)).log_prob(x, context=context)
  named = tfb.Chain([flows[0], flows[1].copy(name='given')])
  theirs = distributions.ConditionalFlow(base, named).log_prob(x, context=context)
  np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_context_that_no_flow_takes_is_refused(rng):
  x, context = tf.constant(rng.normal(size=(5, N))), tf.constant(rng.normal(size=(5, 1)))
  given = FlowChain([flow(1, context_size=1).given(context[0]), flow(2)])
  for chain in (FlowChain([flow(1), normalisation(), flow(2)]), given):
    with pytest.raises(ValueError, match=r'takes no `context`: .* context_size=C'):
      chain.solve(x, context=context)


@pytest.mark.parametrize('parts', [[], [normalisation()], [flow(1), tfb.Exp()]])
def test_parts_that_are_no_flows_are_refused(parts):
  with pytest.raises(TypeError, match='`bijectors` must be flows and batch normalisations'):
    FlowChain(parts)


def test_parts_of_different_size_are_refused():
  with pytest.raises(
    ValueError, match=r'one size and dtype, got .*\(2, .float64.\), \(3, .float32'
  ):
    FlowChain([flow(1), flow(2, 3, tf.float32)])
