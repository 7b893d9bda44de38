"""Axes of columns: outliers do not set their range, and positive numbers spread on a logarithm."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

LARGEST_BINS = 60
MARGIN = 0.04  # Of the range, at both ends.
ROUNDING = 1e-12  # Relative range below which numbers are equal.


@dataclasses.dataclass(frozen=True)
class Axis:
  """Axis of one column, on which u(x) is plotted: x, ln x, or asinh(x / width).

  Attributes:
    name: Label.
    low: Least x shown.
    high: Largest x shown.
    scale: 'linear', 'log' or 'asinh', as matplotlib names them.
    width: Of the part around 0 that is all but linear, for 'asinh'.
  """

  name: str
  low: float
  high: float
  scale: str = 'linear'
  width: float = 1.0

  @classmethod
  def around(cls, name: str, x: np.ndarray, edge: float | None = None) -> Axis:
    """Axis of a range that holds the numbers, far outliers excepted.

    Args:
      name: Label.
      x: Numbers, any shape; what is not finite, or not above the edge, sets no range.
      edge: Lower end of the support, 0 or less, of a column that is positive above it; None:
        a linear scale.

    Returns:
      The axis.
    """
    x = np.asarray(x, np.float64)
    x = x[np.isfinite(x)] if edge is None else x[np.isfinite(x) & (x > edge)]
    scale, width = 'linear', 1.0
    if edge == 0:
      scale = 'log'
    elif edge is not None and edge < 0 <= np.min(x, initial=0.0):
      scale, width = 'asinh', -edge
    unbounded = cls(name, -np.inf, np.inf, scale, width)
    low, high = unbounded.inverse(np.array(_range(unbounded.forward(x), scale == 'linear')))
    return cls(name, float(low), float(high), scale, width)

  def forward(self, x: np.ndarray) -> np.ndarray:
    """u(x)."""
    if self.scale == 'log':
      return np.log(x)
    return np.asarray(x) if self.scale == 'linear' else np.arcsinh(x / self.width)

  def inverse(self, u: np.ndarray) -> np.ndarray:
    """x(u)."""
    if self.scale == 'log':
      return np.exp(u)
    return np.asarray(u) if self.scale == 'linear' else self.width * np.sinh(u)

  def slope(self, x: np.ndarray) -> np.ndarray:
    """dx/du: p(x) dx/du is the density of u, whose areas the eye sees."""
    if self.scale == 'log':
      return np.asarray(x)
    return np.ones(np.shape(x)) if self.scale == 'linear' else np.hypot(x, self.width)

  @property
  def density_label(self) -> str:
    """Name of the density of u."""
    names = {
      'linear': 'density',
      'log': f'density of ln({self.name})',
      'asinh': f'density of asinh({self.name} / {self.width:.3g})',
    }
    return names[self.scale]

  def grid(self, count: int) -> np.ndarray:
    """Numbers at equal distances on paper, from low to high, shape [count]."""
    low, high = self.forward(np.array([self.low, self.high]))
    return self.inverse(np.linspace(low, high, count))

  def shows(self, x: np.ndarray) -> np.ndarray:
    """Tells which numbers lie within the range."""
    return (x >= self.low) & (x <= self.high)

  def histogram(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density of u in bins: shares of all x, so that those beyond the range are missed.

    Args:
      x: Numbers, shape [n].

    Returns:
      Densities [bins], and edges of the bins, as x [bins + 1].
    """
    shown = x[self.shows(x)]
    edges = self.grid(int(np.clip(np.sqrt(len(x)), 10, LARGEST_BINS)) + 1)
    u = self.forward(edges)
    counts, _ = np.histogram(self.forward(shown), u)
    return counts / (max(len(x), 1) * np.diff(u)), edges

  def apply(self, axes: Any, which: str) -> None:
    """Sets scale and range of matplotlib's `axes` along 'x' or 'y'."""
    options = {'linear_width': self.width} if self.scale == 'asinh' else {}
    getattr(axes, f'set_{which}scale')(self.scale, **options)
    getattr(axes, f'set_{which}lim')(self.low, self.high)
    if self.scale == 'log':
      self._few_ticks(getattr(axes, f'{which}axis'))

  def _few_ticks(self, axis: Any) -> None:
    """Ticks of a logarithm at powers of ten, and between them where there are few powers."""
    from matplotlib import ticker

    axis.set_minor_formatter(ticker.NullFormatter())
    if self.high < 100 * self.low:
      axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
      axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f'{x:g}'))


def _range(u: np.ndarray, linear: bool) -> tuple[float, float]:
  """Least and largest, no farther from the middle 98 % than they are wide; never empty."""
  if not u.size:
    return -1.0, 1.0
  low, high = float(np.min(u)), float(np.max(u))
  near, far = (float(q) for q in np.quantile(u, [0.01, 0.99]))
  if far > near:
    low, high = max(low, 2 * near - far), min(high, 2 * far - near)
  size = max(abs(low), abs(high))
  margin = MARGIN * (high - low)
  if high - low <= ROUNDING * size:  # A constant.
    margin = max(0.5 * size, 0.5) if linear else 0.5
  return low - margin, high + margin
