"""The map of a column is the one that is better beyond doubt, and none for two separate modes."""

import numpy as np
import pytest

from ma_keras.data import columns
from ma_keras.data.columns import kinds

SEEDS = range(5)


def mixture(rng, n, weight, first, second):
  """A share `weight` of N(*first), the rest of N(*second)."""
  return np.where(rng.random(n) < weight, rng.normal(*first, n), rng.normal(*second, n))


def with_one(rng, n, value):
  return np.append(rng.normal(size=n - 1), value)


KINDS = {
  'normal': ('real', 0, lambda rng, n: rng.normal(3.0, 2.0, n)),
  'far from zero': ('real', 0, lambda rng, n: 1e5 + rng.normal(0, 1e-3, n)),
  'huge': ('real', 0, lambda rng, n: 1e300 * rng.normal(size=n)),
  'Laplace': ('real', 0, lambda rng, n: rng.laplace(size=n)),
  'Unix seconds': ('real', 0, lambda rng, n: 1.7e9 + rng.permutation(n)),
  'uniform on [0, 5]': ('real', 0, lambda rng, n: rng.uniform(0, 5, n)),
  'one far out': ('heavy', 0, lambda rng, n: with_one(rng, n, 1e6)),
  'one at 100': ('heavy', 0, lambda rng, n: with_one(rng, n, -100.0)),
  'Cauchy': ('heavy', 0, lambda rng, n: rng.standard_cauchy(n)),
  'Student t2': ('heavy', 0, lambda rng, n: 5 + 0.1 * rng.standard_t(2, n)),
  'negative lognormal': ('heavy', 0, lambda rng, n: -rng.lognormal(0, 2, n)),
  'lognormal': ('positive', 0, lambda rng, n: rng.lognormal(0, 2, n)),
  'small lognormal': ('positive', 0, lambda rng, n: rng.lognormal(-4, 1, n)),
  'Pareto': ('positive', 0, lambda rng, n: 1 + rng.pareto(1.5, n)),
  'exponential': ('positive', 0, lambda rng, n: rng.exponential(0.15, n)),
  'two lognormals': ('positive', 0, lambda rng, n: np.exp(mixture(rng, n, 0.5, (0, 1), (8, 1)))),
  'uniform': ('unit', 0, lambda rng, n: rng.random(n)),
  'beta': ('unit', 0, lambda rng, n: rng.beta(0.5, 0.5, n)),
  'beta with both ends': ('unit', 0, lambda rng, n: np.append(rng.beta(0.5, 0.5, n - 2), [0, 1])),
  'beta within': ('real', 0, lambda rng, n: rng.beta(2, 5, n)),
  'small beta': ('positive', 0, lambda rng, n: rng.beta(0.5, 9, n)),
  'shares in hundredths': ('unit', 0.01, lambda rng, n: np.round(rng.random(n), 2)),
  'Zipf': ('positive', 1, lambda rng, n: rng.zipf(2, n)),
  'two modes': ('real', 0, lambda rng, n: mixture(rng, n, 0.5, (-3, 1), (3, 1))),
  'two modes far apart': ('real', 0, lambda rng, n: mixture(rng, n, 0.5, (0, 1), (1e3, 1))),
  'a mode of a tenth': ('real', 0, lambda rng, n: mixture(rng, n, 0.9, (0, 1), (20, 1))),
  'positive modes': ('real', 0, lambda rng, n: mixture(rng, n, 0.9, (10, 1), (100, 1))),
  'Poisson': ('real', 1, lambda rng, n: rng.poisson(3, n)),
  'coin': ('real', 1, lambda rng, n: rng.integers(0, 2, n)),
  'rare event': ('real', 1, lambda rng, n: rng.random(n) < 0.02),
  'ages': ('real', 1, lambda rng, n: rng.integers(18, 90, n)),
  'tenths': ('real', 0.1, lambda rng, n: np.round(rng.normal(5.8, 0.8, n), 1)),
  'overdispersed counts': ('positive', 1, lambda rng, n: rng.negative_binomial(1, 0.05, n)),
  'incomes in thousands': ('positive', 1e3, lambda rng, n: np.round(rng.lognormal(10, 1, n), -3)),
}


@pytest.mark.parametrize('name', KINDS)
@pytest.mark.parametrize('seed', SEEDS)
def test_the_map_of_known_distributions(name, seed):
  kind, step, draw = KINDS[name]
  values = np.asarray(draw(np.random.default_rng(seed), 1200), float)
  (column,) = columns.survey(values[:, np.newaxis])
  assert (column.kind, column.step) == (kind, pytest.approx(step)), column.reason


def test_the_gain_of_a_logarithm_is_that_of_its_closed_form():
  """X exponential: l(none) = 0, l(log) = -ln(pi / sqrt 6) - E ln X = 0.3284 nats."""
  quantiles = (np.random.default_rng(0).permutation(100_000) + 0.5) / 100_000
  expected = np.euler_gamma - np.log(np.pi / np.sqrt(6))
  (column,) = columns.survey(-np.log(quantiles)[:, np.newaxis])
  assert column.reason == f'log: {expected:.2f} nats a row better than none'


@pytest.mark.parametrize('scale', [1e-300, 1e-3, 1.0, 1e300])
def test_log_deviation_of_any_magnitude(scale):
  values = np.random.default_rng(0).normal(5.0, 2.0, 100)
  expected = np.log(np.std(values)) + np.log(scale)
  assert kinds.log_deviation(values * scale) == pytest.approx(expected, rel=1e-12)
  assert kinds.log_deviation(np.full(3, scale)) == -np.inf


def test_neither_scale_nor_shift_changes_a_verdict():
  rng = np.random.default_rng(0)
  for draw in (
    rng.standard_cauchy,
    rng.standard_normal,
    lambda n: mixture(rng, n, 0.8, (0, 1), (9, 1)),
  ):
    values = draw(500)
    verdicts = {
      columns.survey((shift + scale * values)[:, np.newaxis])[0].kind
      for shift, scale in [(0, 1), (-1e6, 1), (3e4, 1e-3), (0, 1e9)]
    }
    assert len(verdicts) == 1


@pytest.mark.parametrize('seed', SEEDS)
def test_a_mode_of_six_rows_is_no_heavy_tail(seed):
  """54 rows at 0 and 6 at 1000: bins of the histogram are too few to show the gap."""
  rng = np.random.default_rng(seed)
  values = np.concatenate([rng.normal(0, 1, 54), rng.normal(1000, 1, 6)])
  (column,) = columns.survey(values[:, np.newaxis])
  assert column.kind == 'real', column.reason


def test_valleys_are_the_bins_between_peaks():
  counts = np.array([0, 90, 100, 2, 100, 90, 1, 95, 100, 60, 4, 70, 90, 0])
  assert kinds._valleys(counts, counts.sum()) == [3, 6, 10]
  shallow = np.array([0, 90, 100, 60, 100, 90, 0])  # More than half of its peaks: one mode.
  assert kinds._valleys(shallow, shallow.sum()) == []


@pytest.mark.parametrize('count, reason', [(5, 'few different values'), (6, 'no map is better')])
def test_five_values_on_a_lattice_are_too_few_to_have_a_tail(count, reason):
  values = np.random.default_rng(0).integers(0, count, (300, 1)).astype(float)
  assert columns.survey(values)[0].reason.startswith(reason)
