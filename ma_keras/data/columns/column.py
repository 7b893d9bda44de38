"""Statistics of one column of a table."""

from __future__ import annotations

import dataclasses

import numpy as np

from ma_keras.data.columns import doubts, kinds, lattice

NORMAL_MAD = 1.4826  # Deviation over median absolute deviation of a normal distribution,
NORMAL_IQR = 1.349  # and its quartile range over its deviation.
LARGEST_EXPONENT = 500


@dataclasses.dataclass(frozen=True)
class Column:
  """Statistics of a column, and what they suggest.

  Attributes:
    name: Name; its number from 0 where the table has no names.
    count: Number of rows.
    missing: Number of rows that are NaN or infinite here, which nothing below takes in.
    sampled: Number of values that `unique`, `median`, `robust_deviation`, `step` and `kind` come
      from; they are exact where it is `count - missing`.
    unique: Number of different values among those.
    least: Smallest value; NaN, as all numbers below, of a column without values.
    greatest: Largest value.
    mean: Mean.
    deviation: Standard deviation, the square root of the mean squared distance from the mean.
    median: Median.
    robust_deviation: 1.4826 times the median absolute deviation; the quartile range over 1.349
      where that is 0, and `deviation` where both are.
    whole: True where all values are whole numbers.
    step: Spacing of the lattice `least + k step` that all values lie on with many ties; 0.0 where
      they do not. Noise of one cell, `step` wide around the value, dequantises them.
    row_number: True where the values look like numbers of rows: 0..n-1 or 1..n in any order, or
      whole numbers that rise or fall from row to row.
    kind: Suggested map: 'real' (none), 'heavy' (asinh of the robustly scaled value), 'positive'
      (log), 'unit' (logit), after dequantisation where `step` is not 0; 'constant' does not vary.
    reason: Phrase that says why.
    doubts: Phrases that name what may be wrong with the column.
  """

  name: str
  count: int
  missing: int
  sampled: int
  unique: int
  least: float
  greatest: float
  mean: float
  deviation: float
  median: float
  robust_deviation: float
  whole: bool
  step: float
  row_number: bool
  kind: str
  reason: str
  doubts: tuple[str, ...]

  @property
  def exact(self) -> bool:
    """True where no number comes from a sample of the values."""
    return self.sampled == self.count - self.missing


@dataclasses.dataclass(frozen=True)
class Moments:
  """Statistics of all values of a column, missing ones left out, as of `Column`."""

  name: str
  count: int
  missing: int
  least: float
  greatest: float
  mean: float
  deviation: float
  whole: bool
  ordered: bool  # Whole numbers that rise, or fall, from row to row.


def column(moments: Moments, values: np.ndarray) -> Column:
  """Completes the statistics of a column by what a sample of its finite values tells.

  Args:
    moments: Statistics of all values.
    values: Sample, shape [m].
  """
  if not values.size or moments.least == moments.greatest:
    return _constant(moments, values)
  unique, repeats = np.unique(values, return_counts=True)
  scale = _power_of_two(values)
  with np.errstate(over='ignore', invalid='ignore', divide='ignore', under='ignore'):
    scaled = values / scale
    deviation = moments.deviation / scale
    if not 0 < deviation < np.inf:  # Squares overflow, or underflow.
      deviation = float(np.exp(kinds.log_deviation(scaled)))
    median = float(np.median(scaled))
    robust = robust_deviation(scaled, median) or deviation
    step = lattice.lattice_step(unique / scale, values.size)
    judgement = kinds.judge(scaled, step, median, robust)
  row_number = _is_row_number(moments, unique.size == values.size)
  return Column(
    name=moments.name,
    count=moments.count,
    missing=moments.missing,
    sampled=values.size,
    unique=unique.size,
    least=moments.least,
    greatest=moments.greatest,
    mean=moments.mean if np.isfinite(moments.mean) else float(np.mean(scaled)) * scale,
    deviation=deviation * scale,
    median=median * scale,
    robust_deviation=robust * scale,
    whole=moments.whole,
    step=step * scale,
    row_number=row_number,
    kind=judgement.kind,
    reason=judgement.reason,
    doubts=(
      *(['looks like numbers of rows: --ignore_columns leaves it out'] if row_number else []),
      *(doubts.doubts(unique, repeats, step * scale) if unique.size > 1 else []),
    ),
  )


def _power_of_two(values: np.ndarray) -> float:
  """A unit in which squares neither overflow nor vanish: 1, unless values are beyond 2^+-500."""
  exponent = int(np.frexp(np.max(np.abs(values)))[1])
  return 2.0 ** (exponent - 1) if abs(exponent) > LARGEST_EXPONENT else 1.0


def robust_deviation(values: np.ndarray, median: float) -> float:
  """1.4826 MAD, or the quartile range over 1.349 where that is 0; 0 where both are."""
  deviation = NORMAL_MAD * float(np.median(np.abs(values - median)))
  if deviation > 0:
    return deviation
  low, high = np.quantile(values, [0.25, 0.75])
  return float(high - low) / NORMAL_IQR


def _is_row_number(moments: Moments, different: bool) -> bool:
  if not (moments.whole and different) or moments.missing or moments.count < 3:
    return False
  numbered = moments.greatest - moments.least == moments.count - 1
  return moments.ordered or (numbered and moments.least in (0.0, 1.0))


def _constant(moments: Moments, values: np.ndarray) -> Column:
  """A column that does not vary, or has no values in the sample."""
  value, deviation = (moments.least, 0.0) if values.size else (np.nan, np.nan)
  remedy = f'--ignore_columns={moments.name}'
  present = moments.count - moments.missing
  return Column(
    name=moments.name,
    count=moments.count,
    missing=moments.missing,
    sampled=values.size,
    unique=min(values.size, 1),
    least=value,
    greatest=value,
    mean=value,
    deviation=deviation,
    median=value,
    robust_deviation=deviation,
    whole=bool(values.size) and moments.whole,
    step=0.0,
    row_number=False,
    kind='constant',
    reason=f'does not vary: {remedy}'
    if values.size
    else f'has {present} values in {moments.count} rows: {remedy}',
    doubts=(),
  )
