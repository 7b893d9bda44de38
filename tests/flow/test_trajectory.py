"""A trajectory is the flow itself, seen at whole steps; a horizon is checked when it is made."""

import numpy as np
import pytest

import ma_keras
from ma_keras import flow, integrators
from ma_keras.flow import Horizon
from tests.support import flows

RK4 = integrators.RK4
HORIZON = Horizon(8, 0.15)
DIRECTIONS = pytest.mark.parametrize('reverse', [False, True])


def path(times, reverse=False, x=None, horizon=HORIZON):
  x = flows.points(4) if x is None else x
  return flow.trajectory(flows.POTENTIALS['breathing'](), RK4, horizon, x, times, reverse)


@pytest.mark.slow
@DIRECTIONS
@pytest.mark.parametrize('times', [(0.0, 0.45, 1.2), (0.0, 1.2), (0.15, 0.3, 0.75, 1.2)])
def test_the_last_state_is_exactly_that_of_solve(times, reverse):
  seen = path([1.2 - t for t in times] if reverse else times, reverse)
  end, change = flow.solve(flows.POTENTIALS['breathing'](), RK4, HORIZON, flows.points(4), reverse)
  np.testing.assert_array_equal(seen.states[-1], end)
  np.testing.assert_allclose(seen.log_density_changes[-1], change, atol=1e-15)


def test_states_on_the_way_are_those_of_shorter_flows():
  seen = path([0.0, 0.3, 0.9])
  np.testing.assert_array_equal(seen.states[0], flows.points(4))
  np.testing.assert_array_equal(seen.log_density_changes[0], np.zeros(4))
  for i, steps in ((1, 2), (2, 6)):
    shorter = Horizon(steps, HORIZON.step_size)
    end, change = flow.solve(flows.POTENTIALS['breathing'](), RK4, shorter, flows.points(4))
    np.testing.assert_array_equal(seen.states[i], end)
    np.testing.assert_allclose(seen.log_density_changes[i], change, atol=1e-15)


@pytest.mark.slow
def test_states_follow_the_closed_form():
  seen = path([0.3, 0.6, 1.2], horizon=Horizon(120, 0.01))
  for i, t in enumerate([0.3, 0.6, 1.2]):
    end, change = flows.exact('breathing', flows.points(4), t)
    np.testing.assert_allclose(seen.states[i], end, atol=1e-9)
    np.testing.assert_allclose(seen.log_density_changes[i], change, atol=1e-9)


@DIRECTIONS
def test_times_are_rounded_to_whole_steps(reverse):
  times = [0.01, 0.31, 0.5, 1.19]
  seen = path(times[::-1] if reverse else times, reverse)
  expected = [0.0, 0.3, 0.45, 1.2]
  np.testing.assert_allclose(seen.times, expected[::-1] if reverse else expected, atol=1e-15)


def test_a_time_named_twice_is_seen_twice():
  seen = path([0.3, 0.3])
  np.testing.assert_array_equal(seen.states[0], seen.states[1])


@pytest.mark.parametrize('leading', [[], [0], [2, 3]])
def test_any_leading_rank(leading):
  seen = path([0.0, 0.6], x=flows.points(*leading))
  assert seen.times.shape == [2]
  assert seen.states.shape == [2, *leading, flows.EVENT_SIZE]
  assert seen.log_density_changes.shape == [2, *leading]


@pytest.mark.parametrize(
  'times, reverse, motion',
  [
    ([], False, 'rise'),
    ([-0.3], False, 'rise'),
    ([0.3, 1.5], False, 'rise'),
    ([0.6, 0.3], False, 'rise'),
    ([0.3, 0.6], True, 'fall'),
    ([1.5], True, 'fall'),
  ],
)
def test_times_outside_or_against_the_motion_are_refused(times, reverse, motion):
  got = str(times).replace('[', r'\[')
  message = rf'`times` must lie within \[0, 1.2\] and {motion}, .* got {got}'
  with pytest.raises(ValueError, match=message):
    path(times, reverse)


@pytest.mark.usefixtures('eagerly')
def test_the_bijector_gives_the_same_trajectory():
  potential = flows.steady()
  seen = ma_keras.MongeAmpereBijector(potential, 8, 0.15).trajectory(flows.points(4), [0.3, 1.2])
  expected = flow.trajectory(potential, RK4, HORIZON, flows.points(4), [0.3, 1.2])
  for one, two in zip(seen, expected):
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize('factor', [0, -1, 1.5])
def test_refining_takes_a_positive_integer(factor):
  with pytest.raises(ValueError, match=f'`factor` must be a positive integer, got {factor}'):
    Horizon(3, 0.3).refined(factor)


def test_horizon_is_steps_times_their_size():
  assert Horizon(50, 0.1).time == pytest.approx(5.0)
  assert Horizon(50, 0.1).refined() == Horizon(100, 0.05)
  assert Horizon(3, 0.3).refined(4).time == pytest.approx(Horizon(3, 0.3).time, rel=1e-15)


@pytest.mark.parametrize('num_steps', [0, -3, 2.5])
def test_the_number_of_steps_must_be_a_positive_integer(num_steps):
  message = f'`num_steps` must be a positive integer, got {num_steps}'
  with pytest.raises(ValueError, match=message):
    Horizon(num_steps, 0.1)


@pytest.mark.parametrize('step_size', [0.0, -0.1, float('inf'), float('nan')])
def test_the_step_size_must_be_positive_and_finite(step_size):
  message = f'`step_size` must be positive and finite, got {step_size}'
  with pytest.raises(ValueError, match=message):
    Horizon(10, step_size)
