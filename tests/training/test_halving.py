"""Steps are doubled until values stand still; a scorer's values are those of the flow itself."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import seeds, training
from ma_keras.training.halving import Scorer, halve, moving

X = np.random.default_rng(0).normal(size=(50, 2))


def quartic(num_steps):
  """One point whose values converge as h^4, from 1 off at one step."""
  return np.array([1.0 + num_steps**-4.0])


def within(tolerance):
  return lambda halving: halving.within(tolerance)


def test_halving_ends_where_the_change_is_within_the_tolerance():
  halving = halve(quartic, 1, within(1e-3))
  # 1/16 - 1/256 = 0.06 is above; 1/4^4 - 1/8^4 = 0.004 is; 1/8^4 - 1/16^4 = 0.0002 is not.
  assert (halving.first_steps, halving.num_steps, halving.certified_steps(1e-3)) == (1, 16, 8)
  assert halving.mean_change == pytest.approx(16**-4.0 - 8**-4.0)
  assert not halving.doubts(1e-3)


def test_what_never_stands_still_keeps_the_finest_depth_and_is_doubted():
  halving = halve(lambda d: np.array([np.log(d), 0.0]), 3, within(0.1), most_halvings=3)
  assert (halving.num_steps, halving.certified_steps(0.1)) == (24, 24)
  assert halving.mean_change == pytest.approx(np.log(2) / 2)
  assert halving.root_mean_square_change == pytest.approx(np.log(2) / np.sqrt(2))
  assert '24 steps' in halving.doubts(0.1) and '--penalty' in halving.doubts(0.1)


def test_values_that_are_not_finite_end_it_and_are_doubted():
  seen = []

  def values(d):
    seen.append(d)
    return np.array([np.nan, 0.0])

  halving = halve(values, 5, within(0.1))
  assert seen == [5, 10] and halving.doubts()


@pytest.mark.parametrize(
  'change, doubted',
  [
    (np.full(100, 0.05), False),
    (np.full(100, 0.2), True),  # All of them.
    (np.r_[np.full(50, 0.2), np.full(50, -0.2)], True),  # No mean, but each is off.
    (np.r_[2.0, np.zeros(99)], True),  # One in a hundred is far off: the root mean square tells.
    (np.r_[np.full(7, 0.15), np.zeros(93)], True),  # One in fourteen: the quantile tells.
  ],
)
def test_mean_root_mean_square_and_quantile_all_count(change, doubted):
  halving = halve(lambda d: change * (d == 2), 1, lambda _: True)
  assert bool(halving.doubts(0.1)) == doubted
  assert halving.certified_steps(0.1) == (2 if doubted else 1)


def test_the_doubt_names_the_number_that_is_too_large():
  assert not moving(0.1, 0.1, 0.1, num_steps=8)
  for numbers in ((0.11, 0, 0), (0, 0.11, 0), (0, 0, 0.11), (np.nan, np.nan, np.nan)):
    assert 'even at 8 steps (tolerance 0.1)' in moving(*numbers, num_steps=8)


def bijector(num_steps=3, **kwargs):
  potential = ma_keras.potentials.OneHiddenLayer(2, 8, dtype=tf.float64, seed=1)
  for variable in potential.variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], dtype=tf.float64))
  return ma_keras.MongeAmpereBijector(potential, num_steps, 1.0 / num_steps, **kwargs)


@pytest.mark.slow
def test_a_scorer_has_the_log_densities_of_the_flow_at_any_depth_and_follows_its_weights():
  flow = bijector()
  scorer = Scorer(flow, batch_size=16)
  kernel = flow.potential.variables[0]
  for _ in range(2):
    for num_steps in (3, 12):
      copy = flow.copy(num_steps=num_steps, step_size=1.0 / num_steps)
      expected = ma_keras.standard_normal_flow(copy).log_prob(X)
      np.testing.assert_allclose(scorer(X, num_steps), expected, rtol=1e-12)
    kernel.assign_add(tf.ones_like(kernel))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_scorer_takes_steps_of_equal_size():
  plain, jittered = (Scorer(bijector(jitter=jitter), 50) for jitter in (0.0, 0.9))
  np.testing.assert_array_equal(plain(X, 3), jittered(X, 3))


@pytest.mark.slow
def test_samples_tell_the_depth_of_a_flow():
  flow = bijector(num_steps=1)
  halving = training.halve_on_samples(flow, 64, 16, seed=0)
  assert halving.within(0.1) and halving.certified_steps() > 1
  latents = seeds.normal([64, 2], seeds.stateless(0, 'certify'), tf.float64)
  x = flow.forward(latents).numpy()  # No tensor: TFP's cache would remember the way it came.
  for values, num_steps in ((halving.first, 1), (halving.fine, halving.num_steps)):
    copy = flow.copy(num_steps=num_steps, step_size=1.0 / num_steps)
    expected = ma_keras.standard_normal_flow(copy).log_prob(x)
    np.testing.assert_allclose(values, expected, rtol=1e-9)
