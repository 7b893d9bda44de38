"""The map under which a column is nearest to a Gaussian.

A map z = g(v) is judged by the profile log-likelihood of a Gaussian of z, in nats per value of v:

  l(g) = -ln deviation(z) + mean of ln g'(v),    gain = l(g) - l(identity).

Two separate modes are no heavy tail. So rows are split at the valleys of the histogram of z, and
each mode has a Gaussian of its own, before the map and after it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

KINDS = ('real', 'heavy', 'positive', 'unit')
LEAST_VALUES = 20
LEAST_GAIN = 0.1  # Nats per value, on each of two halves.
LEAST_TOTAL = 10.0  # Nats of all values together.
OUTLIER_GAIN = 0.5  # Nats per value, where a few values far out make all of the gain.
FAR = 20.0  # Robust deviations.
MARGIN = 1e-6  # Of the logit: 0 and 1 are mapped to finite numbers.
LARGEST_ENDS = 0.01  # Share of values that may be 0 or 1 exactly, of a column of shares.
LEAST_MODE = 0.02  # Share of values in the highest bin of a mode.
VALLEY = 2.5  # Standard errors by which a valley lies below the lower of its two peaks.
LEAST_GAP = 0.5  # In z, where the tail of a Cauchy falls like exp(-|z|):
GAP = 6.0  # a gap beyond which k of its values lie exceeds GAP / k with a chance of exp(-GAP).
FEW = 5  # So many different values on a lattice have no tail to speak of.

SEED = 0x6B696E64  # Of halves and noise; data are often drawn with a seed of 0.

Mapped = tuple[np.ndarray, np.ndarray]  # z and ln g'(v), [n] each.
NAMES = {'heavy': 'asinh', 'positive': 'log', 'unit': 'logit'}


class Judgement(NamedTuple):
  """The suggested map of a column, one of `KINDS`, and a phrase that says why."""

  kind: str
  reason: str


def judge(values: np.ndarray, step: float, centre: float, scale: float) -> Judgement:
  """Returns the map that is better than none beyond doubt, by the largest gain.

  Beyond doubt is a gain of 0.1 nats per value on each of two random halves, and of 10 nats in all;
  or of 0.5 nats per value where values lie 20 robust deviations from the median.

  Args:
    values: Finite float64 values, shape [n]; a lattice is dequantised here.
    step: Spacing of the lattice, or 0.
    centre: Median.
    scale: Robust deviation, positive.

  Returns:
    The judgement.
  """
  if values.size < LEAST_VALUES:
    return Judgement('real', 'too few values to tell')
  if step and np.ptp(values) < FEW * step:
    return Judgement('real', 'few different values')
  rng = np.random.default_rng(SEED)
  spread = values + step * (rng.random(values.size) - 0.5) if step else values
  half = rng.permutation(values.size) < values.size // 2
  far = bool(np.any(np.abs(spread - centre) > FAR * scale))
  maps = _candidates(values, spread, step, centre, scale)
  gains = {kind: _gains(spread, mapped, half) for kind, mapped in maps.items()}
  kind = _preferred(
    {
      kind: gain.total
      for kind, gain in gains.items()
      if np.inf > gain.total * values.size >= LEAST_TOTAL
      and (gain.least >= LEAST_GAIN or (kind == 'heavy' and far and gain.total >= OUTLIER_GAIN))
    },
    gains['positive'].total if 'positive' in gains else -np.inf,
  )
  if kind == 'real':
    return Judgement(kind, 'no map is better beyond doubt')
  return Judgement(kind, f'{NAMES[kind]}: {gains[kind].total:.2f} nats a row better than none')


def _preferred(gains: dict[str, float], log_gain: float) -> str:
  """The kind of largest gain; a bound at 1 must pay beyond doubt, and so must two tails for one."""
  if gains.get('unit', np.inf) < log_gain + LEAST_GAIN:
    del gains['unit']
  if 'positive' in gains:
    gains['positive'] += LEAST_GAIN
  return max(gains, key=lambda kind: gains[kind], default='real')


def _candidates(
  values: np.ndarray, spread: np.ndarray, step: float, centre: float, scale: float
) -> dict[str, Mapped]:
  """Maps whose domain holds all values, and their cells: a whole cell more than the values."""
  maps = {'heavy': _asinh(spread, centre, scale)}
  least, greatest = values.min(), values.max()
  if least + step > 0 <= least:
    logs = np.log(spread if least > step / 2 else spread - least + step)
    maps['positive'] = (logs, -logs)
  if least >= 0 and greatest <= 1 and _reaches_both_ends(values, step):
    maps['unit'] = _logit(spread, MARGIN + step)
  return maps


def _reaches_both_ends(values: np.ndarray, step: float) -> bool:
  """True where values come within a tenth of 0 and of 1 but seldom are 0 or 1."""
  ends = np.mean((values == 0) | (values == 1)) if not step else 0.0
  return bool(values.min() < 0.1 and values.max() > 0.9 and ends <= LARGEST_ENDS)


def _asinh(values: np.ndarray, centre: float, scale: float) -> Mapped:
  ratio = (values - centre) / scale
  return np.arcsinh(ratio), -np.log(scale) - np.log(np.hypot(1.0, ratio))


def _logit(values: np.ndarray, margin: float) -> Mapped:
  """logit((v + margin) / (1 + 2 margin))."""
  share = (values + margin) / (1 + 2 * margin)
  logs, complements = np.log(share), np.log1p(-share)
  return logs - complements, -np.log1p(2 * margin) - logs - complements


class _Gains(NamedTuple):
  """Gain over all values, and the lesser of those on two halves; nats per value."""

  total: float
  least: float


def _gains(values: np.ndarray, mapped: Mapped, half: np.ndarray) -> _Gains:
  """Gains of one map; the modes are the same in both halves."""
  groups = _groups(mapped[0])
  parts = (slice(None), half, ~half)
  total, first, second = (
    _gain(values[rows], (mapped[0][rows], mapped[1][rows]), groups[rows]) for rows in parts
  )
  return _Gains(total, min(first, second))


def _gain(values: np.ndarray, mapped: Mapped, groups: np.ndarray) -> float:
  """Mean gain in nats per value, a Gaussian for every group."""
  gain = 0.0
  for number in np.unique(groups):
    rows = groups == number
    before, after = log_deviation(values[rows]), log_deviation(mapped[0][rows])
    if np.isfinite(before) and np.isfinite(after):
      gain += np.mean(rows) * (before - after + np.mean(mapped[1][rows]))
  return float(gain)


def log_deviation(values: np.ndarray) -> float:
  """ln of the standard deviation, also where squares overflow; -inf where values are equal."""
  largest = np.max(np.abs(values))
  if not largest > 0:
    return -np.inf
  ratio = values / largest
  ratio -= np.mean(ratio)
  spread = np.max(np.abs(ratio))
  if not spread > 0:
    return -np.inf
  return float(np.log(largest) + np.log(spread) + np.log(np.mean((ratio / spread) ** 2)) / 2)


def _groups(z: np.ndarray) -> np.ndarray:
  """Number of the mode that each value belongs to, shape [n]."""
  low, high = np.quantile(z, [0.005, 0.995])
  if not 0 < high - low < np.inf:
    return np.zeros(z.size, int)
  counts, edges = np.histogram(z, int(np.clip(np.sqrt(z.size), 8, 32)), (low, high))
  cuts = np.concatenate([edges[_valleys(counts, z.size)], _gaps(np.sort(z))])
  return np.searchsorted(np.sort(cuts), z)


def _gaps(z: np.ndarray) -> np.ndarray:
  """Midpoints of the significant gaps between rising values: where rows are too few for bins."""
  index = np.arange(1, z.size)
  beyond = np.minimum(index, z.size - index)
  gap = np.diff(z)
  wide = (gap >= LEAST_GAP) & (gap * beyond >= GAP) & (beyond >= max(3, LEAST_MODE * z.size))
  return (z[1:] + z[:-1])[wide] / 2


def _valleys(counts: np.ndarray, total: int) -> list[int]:
  """Bins of the significant valleys, rising: by recursion on both sides of the deepest."""
  left = np.maximum.accumulate(counts)
  right = np.maximum.accumulate(counts[::-1])[::-1]
  peak = np.minimum(left, right)
  depth = (peak - counts) / np.sqrt(peak + 1.0)
  depth[(2 * counts >= peak) | (peak < LEAST_MODE * total)] = 0.0
  k = int(np.argmax(depth))
  if depth[k] < VALLEY:
    return []
  return [*_valleys(counts[:k], total), k, *(k + j for j in _valleys(counts[k:], total))]
