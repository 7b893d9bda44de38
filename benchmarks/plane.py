"""Distributions in the plane of known density: eight Gaussians, checkerboard, two moons."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special

RADIUS, DEVIATION = 4.0 / np.sqrt(2), 0.5 / np.sqrt(2)  # Of the octagon's Gaussians.
NOISE = 0.2  # Of the moons.
ARC = 1001  # Nodes of the integral along a moon, a fiftieth of the noise apart.


class Problem(NamedTuple):
  """A distribution in the plane.

  Attributes:
    sample: n, random generator -> independent points [n, 2].
    log_prob: points [n, 2] -> ln p [n], exact.
  """

  sample: Callable[[int, np.random.Generator], np.ndarray]
  log_prob: Callable[[np.ndarray], np.ndarray]


def eight_gaussians(n: int, random: np.random.Generator) -> np.ndarray:
  """Eight modes of deviation 0.35 on a circle of radius 2.8, as FFJORD and OT-Flow have them."""
  return _octagon()[random.integers(8, size=n)] + DEVIATION * random.normal(size=(n, 2))


def checkerboard(n: int, random: np.random.Generator) -> np.ndarray:
  """Eight squares of side 2 within [-4, 4]^2, uniform: an entropy of ln 32."""
  x = random.uniform(-2, 2, size=n)
  y = random.uniform(size=n) - 2 * random.integers(2, size=n) + np.floor(x) % 2
  return 2 * np.stack([x, y], axis=1)


def moons(n: int, random: np.random.Generator) -> np.ndarray:
  """Two half circles of radius 2 with noise of 0.2: scikit-learn's, twice as large."""
  return _moon(random.uniform(size=n), random.integers(2, size=n)) + NOISE * random.normal(
    size=(n, 2)
  )


def _octagon() -> np.ndarray:
  angles = np.pi / 4 * np.arange(8)
  return RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _moon(part: np.ndarray, lower: np.ndarray) -> np.ndarray:
  """Points at parts [n] of the way along the upper or the lower moon, [n, 2]."""
  arc = np.stack([np.cos(np.pi * part), np.sin(np.pi * part)], axis=1)
  return 2 * np.where(lower[:, np.newaxis], [1.0, 0.5] - arc, arc) - [1.0, 0.2]


def _log_prob_of_gaussians(
  x: np.ndarray, centres: np.ndarray, weights: np.ndarray, deviation: float
) -> np.ndarray:
  """ln sum_k w_k Normal(x; c_k, s^2), [n]."""
  squares = np.sum(x**2, axis=1)[:, np.newaxis] - 2 * x @ centres.T + np.sum(centres**2, axis=1)
  exponent = scipy.special.logsumexp(-squares / (2 * deviation**2), b=weights, axis=1)
  return exponent - np.log(2 * np.pi * deviation**2)


def _log_prob_of_octagon(x: np.ndarray) -> np.ndarray:
  return _log_prob_of_gaussians(x, _octagon(), np.full(8, 1 / 8), DEVIATION)


def _log_prob_of_checkerboard(x: np.ndarray) -> np.ndarray:
  inside = np.all(np.abs(x) < 4, axis=1) & (np.sum(np.floor(x / 2), axis=1) % 2 == 0)
  return np.where(inside, -np.log(32), -np.inf)


def _log_prob_of_moons(x: np.ndarray) -> np.ndarray:
  """The noise integrated along both moons by the trapezoidal rule."""
  part = np.tile(np.linspace(0, 1, ARC), 2)
  weights = np.where(part % 1 == 0, 0.5, 1.0) / (2 * (ARC - 1))
  centres = _moon(part, np.repeat([0, 1], ARC))
  parts = np.array_split(x, max(len(x) // 1000, 1))
  return np.concatenate([_log_prob_of_gaussians(x, centres, weights, NOISE) for x in parts])


PROBLEMS = {
  'eight_gaussians': Problem(eight_gaussians, _log_prob_of_octagon),
  'checkerboard': Problem(checkerboard, _log_prob_of_checkerboard),
  'moons': Problem(moons, _log_prob_of_moons),
}
