"""A scan over temperature: measured points on exact curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots


def thermodynamics(
  couplings: np.ndarray,
  measured: Mapping[str, Sequence[tuple[float, float]]],
  curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
  critical: float | None = None,
) -> Any:
  """One panel per quantity, against the coupling.

  Args:
    couplings: K of the points, shape [P].
    measured: Name to (value, error) of every point.
    curves: Name to exact values (K [C], value [C]); a quantity without has its points alone.
    critical: K of the infinite lattice's transition, a dotted line; None leaves it out.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(
    1, len(measured), figsize=(4 * len(measured), 3.5), squeeze=False, sharex=True
  )
  for panel, (name, points) in zip(axes[0], measured.items()):
    if name in curves:
      panel.plot(*curves[name], color='red', linewidth=1, label='exact')
    values, errors = np.array(points).T
    panel.errorbar(couplings, values, errors, fmt='.', capsize=2, label='flow, reweighted')
    if critical is not None:
      panel.axvline(critical, color='gray', linestyle=':', linewidth=1)
    panel.set(xlabel='coupling K', ylabel=name)
    panel.legend()
  return figure
