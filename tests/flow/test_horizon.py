"""Steps of random size: they cover [0, T], both ways alike, and change the integrator alone."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, seeds, symmetry
from ma_keras.flow.horizon import Horizon
from ma_keras.integrators import MIDPOINT, RK4
from tests.support import flows
from tests.symmetry import cases as symmetric

UNEVEN = Horizon(9, 0.1, jitter=0.8, seed=4)


@pytest.mark.parametrize('horizon', [Horizon(9, 0.1), UNEVEN, Horizon(1, 0.1, jitter=0.5)])
def test_steps_cover_the_interval_without_gaps(horizon):
  start, stop, length = (part.numpy() for part in horizon.grid(tf.float64))
  assert start[0] == 0.0
  assert stop[-1] == pytest.approx(horizon.time, rel=1e-15)
  np.testing.assert_array_equal(start[1:], stop[:-1])
  np.testing.assert_allclose(length, stop - start, rtol=1e-12)
  spread = horizon.jitter * horizon.step_size
  assert np.all(np.abs(length - horizon.step_size) <= spread + 1e-12)


def test_jitter_is_uniform_over_its_part_of_a_step():
  start = Horizon(4001, 1.0, jitter=0.6, seed=1).grid(tf.float64).start.numpy()[1:]
  shifts = (start - np.round(start)) / 0.6
  assert np.all(np.abs(shifts) <= 0.5)
  assert abs(shifts.mean()) < 5 * np.sqrt(1 / 12 / shifts.size)
  assert abs(shifts.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / shifts.size)


def test_one_seed_names_one_grid():
  one, same, other = (Horizon(9, 0.1, 0.8, s).grid(tf.float64).start for s in (4, 4, 5))
  np.testing.assert_array_equal(one, same)
  assert np.all(one[1:] != other[1:])


@pytest.mark.slow
@pytest.mark.parametrize('tableau', [MIDPOINT, RK4])
def test_uneven_steps_keep_the_order(tableau):
  x, errors = flows.points(4), []
  for steps in (16, 32):
    horizon = Horizon(steps, 1.2 / steps, jitter=0.5, seed=2)
    y, _ = flow.solve(flows.Breathing(), tableau, horizon, x)
    errors.append(flows.max_error(y, flows.exact('breathing', x, 1.2)[0]))
  assert np.all(np.abs(flows.observed_orders(errors) - tableau.order) < 0.4)


@pytest.mark.slow
def test_forward_inverse_and_log_prob_see_the_same_steps():
  potential, x = flows.Breathing(), flows.points(5)
  bijector = ma_keras.MongeAmpereBijector(potential, 24, 0.05, jitter=0.8, seed=1)
  even = ma_keras.MongeAmpereBijector(potential, 24, 0.05)
  y = bijector.forward(x)
  assert 0 < flows.max_error(y, even.forward(x)) < 1e-5
  assert flows.max_error(bijector.inverse(tf.identity(y)), x) < 1e-5
  jacobian = flows.jacobians(bijector.forward, x)
  expected = np.linalg.slogdet(jacobian)[1]
  np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_reseeding_draws_other_steps_for_the_whole_batch():
  bijector = ma_keras.MongeAmpereBijector(flows.Breathing(), 6, 0.2, jitter=0.8)
  x = flows.points(4)
  one, two = (bijector.with_seed(s).forward(x) for s in (1, 2))
  assert np.all(one != two)
  per_sample = seeds.PerSample(1, tf.range(4), 4)
  np.testing.assert_array_equal(bijector.with_seed(per_sample).forward(x), one)
  np.testing.assert_array_equal(
    bijector.copy(jitter=0.0).with_seed(1).forward(x), bijector.copy(jitter=0.0).forward(x)
  )


def test_uneven_steps_meet_the_same_group_elements():
  """Steps that straddle boundaries would draw for another interval: theirs is their middle's."""
  group = symmetry.square_lattice(symmetric.SIDE)
  potential = symmetry.OneElementPerInterval(symmetric.layer(), group, 0.02, seed=1)
  x = symmetric.points(3)
  even, uneven = (
    flow.solve(potential, RK4, Horizon(10, 0.02, jitter), x)[0] for jitter in (0.0, 0.9)
  )
  other = flow.solve(potential.with_seed(2), RK4, Horizon(10, 0.02), x)[0]
  assert flows.max_error(even, uneven) < 0.5 * flows.max_error(even, other)


@pytest.mark.slow
def test_a_trajectory_tells_the_times_it_was_at():
  found = flow.trajectory(flows.Breathing(), RK4, UNEVEN, flows.points(2), [0.0, 0.5, 0.9])
  grid = UNEVEN.grid(tf.float64)
  np.testing.assert_array_equal(found.times, [0.0, grid.start[5], grid.stop[8]])
  end, _ = flow.solve(flows.Breathing(), RK4, UNEVEN, flows.points(2))
  np.testing.assert_allclose(found.states[-1], end, rtol=1e-13)


@pytest.mark.parametrize('jitter', [-0.1, 1.0, float('nan')])
def test_bad_jitter(jitter):
  with pytest.raises(ValueError, match=rf'`jitter` must be in \[0, 1\), got {jitter}'):
    Horizon(3, 0.1, jitter)
