"""Start of the flow of a table: maps of its columns, a Gaussian, and perhaps a mixture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import bases
from ma_keras.data.column_maps import ColumnMaps
from ma_keras.data.columns import Column
from ma_keras.data.preprocessing import dequantised
from ma_keras.fitting import mixture
from ma_keras.fitting.gaussian import Gaussian

WIDTHS = (0.3, 1.0, 3.0)  # Of the straight part of a heavy map, robust deviations.
MARGIN = 1e-6  # By which a unit interval is widened for values at its ends.
MOST_ROWS = 200_000  # So many rows tell mean and covariance.


@dataclasses.dataclass(frozen=True)
class Start:
  """p(x) before any training: column maps, and a base in their whitened space.

  Attributes:
    maps: y -> x, y of mean 0 and covariance I.
    base: p(y, 0), a mixture; None for Normal(0, I).
  """

  maps: ColumnMaps
  base: bases.Mixture | None

  @property
  def name(self) -> str:
    """'Gaussian', or 'mixture of K'."""
    if self.base is None:
      return 'Gaussian'
    return f'mixture of {len(self.base.parameters["probabilities"])}'

  @property
  def dtype(self) -> tf.DType:
    """Floating dtype of y."""
    return self.maps.inverse_dtype()

  def latents(self, rows: np.ndarray, seed: int) -> np.ndarray:
    """y of rows [m, N], each anywhere in its cell: a function of the seed."""
    return self.maps.inverse(dequantised(rows, seed, cell_sizes=self.maps.cell_sizes)).numpy()

  @classmethod
  def fitted(
    cls,
    rows: np.ndarray,
    columns: Sequence[Column],
    seed: int = 0,
    dtype: tf.DType = tf.float32,
    with_mixture: bool = True,
    held_out: np.ndarray | None = None,
  ) -> Start:
    """Fits all of it to rows, [n, N], of a table that `columns` are a survey of.

    Args:
      rows: Finite float64 numbers.
      columns: N columns with the kinds that are to be used.
      seed: Non-negative integer that names folds, noise and restarts.
      dtype: Of y.
      with_mixture: Whether a mixture may be the base.
      held_out: Further rows, [m, N], which choose among several starts of the mixture.

    Raises:
      ValueError: A column does not vary.
    """
    _check(columns)
    rng = np.random.default_rng(seed)
    if len(rows) > MOST_ROWS:
      rows = rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]
    cells = np.array([column.step for column in columns])
    rows = rows + cells * (rng.random(rows.shape) - 0.5)
    frame = _unmixing(rows, columns, dtype)
    u = frame.unmixed(rows).numpy()
    gaussian = Gaussian.fitted(u, seed)
    maps = frame.copy(mean=gaussian.mean, scale_tril=gaussian.scale_tril)
    judges = None
    if held_out is not None:
      judges = frame.unmixed(dequantised(held_out, seed, cell_sizes=cells)).numpy()
    chosen = mixture.choose(u, gaussian, seed, judges) if with_mixture else None
    return cls(maps, mixture.as_base(chosen, dtype))


def _check(columns: Sequence[Column]) -> None:
  constant = [column.name for column in columns if column.kind == 'constant']
  if constant:
    raise ValueError(
      f'{len(constant)} columns do not vary, which have no density: {", ".join(constant[:5])}. '
      f'Leave them out (--ignore_columns={",".join(constant[:5])}).'
    )


def _unmixing(rows: np.ndarray, columns: Sequence[Column], dtype: Any) -> ColumnMaps:
  """The maps column by column, still without mean and covariance."""
  frames = [_frame(values, column) for values, column in zip(rows.T, columns)]
  centre, scale = (np.array(part) for part in zip(*frames))
  size = len(columns)
  return ColumnMaps(
    kinds=[column.kind for column in columns],
    centre=centre,
    scale=scale,
    mean=np.zeros(size),
    scale_tril=np.eye(size),
    cell_sizes=np.array([column.step for column in columns]),
    origins=np.array([column.least for column in columns]),
    dtype=dtype,
  )


def _frame(values: np.ndarray, column: Column) -> tuple[float, float]:
  """Centre and scale of a column's map; see `ColumnMaps`."""
  if column.kind == 'heavy':
    widths = column.robust_deviation * np.array(WIDTHS)
    gains = [_gaussian_gain(values - column.median, width) for width in widths]
    return column.median, float(widths[np.argmax(gains)])
  if column.kind == 'positive':
    centre = 0.0 if column.least > column.step / 2 else column.least - column.step
    return centre, column.median - centre
  if column.kind == 'unit':
    margin = MARGIN + column.step
    return -margin, 1.0 + 2.0 * margin
  return column.mean, column.deviation


def _gaussian_gain(values: np.ndarray, width: float) -> float:
  """Profile log density, nats a row, of a Gaussian of asinh(values / width)."""
  w = values / width
  return float(-np.log(np.std(np.arcsinh(w))) - np.mean(0.5 * np.log1p(w**2)) - np.log(width))
