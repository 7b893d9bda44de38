"""Importance weights of any size: bounds of the ESS, and what a constant may change."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from ma_keras.samplers import importance
from tests.properties import strategies

# Eighths, which float64 adds up without rounding.
EIGHTHS = st.lists(st.integers(-4000, 4000).map(lambda k: k / 8), min_size=2, max_size=20)
HUGE = st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=20)


@pytest.mark.slow
@strategies.examples(200)
@hypothesis.given(log_weights=EIGHTHS | HUGE)
def test_bounds_hold_and_everything_is_finite(log_weights):
  """1 <= n ESS <= n, 1/n <= max w / sum w <= 1, and ln Z between the mean's and the largest's."""
  found, n = importance.estimate(log_weights), len(log_weights)
  assert 1 - 1e-12 <= n * found.effective_sample_size <= n * (1 + 1e-12)
  assert (1 - 1e-12) / n <= found.largest_share <= 1 + 1e-12
  assert 0 <= found.standard_error <= 1 + 1e-12
  peak = max(log_weights)
  rounding = 1e-12 * (1 + abs(peak))
  assert peak - np.log(n) - rounding <= -found.negative_log_partition <= peak + rounding
  assert np.isfinite(found.bias) and isinstance(found.doubts(), str)


@strategies.examples(100)
@hypothesis.given(log_weights=EIGHTHS, shift=st.integers(-(2**40), 2**40))
def test_a_constant_shifts_ln_z_and_nothing_else(log_weights, shift):
  one, two = (importance.estimate(np.array(log_weights) + c) for c in (0, shift))
  rounding = 1e-12 * (1 + abs(shift))
  moved = one.negative_log_partition - shift
  assert two.negative_log_partition == pytest.approx(moved, rel=1e-12, abs=rounding)
  for name in ('standard_error', 'effective_sample_size', 'largest_share', 'num_samples'):
    assert getattr(one, name) == getattr(two, name)


@strategies.examples(50)
@hypothesis.given(log_weight=st.floats(-1e30, 1e30), n=st.integers(2, 50))
def test_equal_weights_count_in_full(log_weight, n):
  found = importance.estimate(np.full(n, log_weight))
  assert found.effective_sample_size == 1 and found.standard_error == 0
  assert found.negative_log_partition == pytest.approx(-log_weight, rel=1e-15, abs=1e-300)


@strategies.examples(50)
@hypothesis.given(
  log_weights=HUGE, bad=st.sampled_from([np.nan, np.inf, -np.inf]), place=st.integers(0, 20)
)
def test_what_is_not_finite_is_refused(log_weights, bad, place):
  log_weights.insert(place, bad)
  with pytest.raises(ValueError, match='1 are not finite'):
    importance.estimate(log_weights)
