"""Configurations of particles turned and relabelled so as to lie close to others."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

from ma_keras.particles.pairs import Pairing

SWEEPS = 4


def aligned(
  x: np.ndarray,
  reference: np.ndarray,
  pairing: Pairing,
  *,
  orientations: int = 4,
  seed: int = 0,
) -> np.ndarray:
  """Rows x moved by permutations and rotations towards the rows of a reference.

  The best labels at these positions (Hungarian method) and the best rotation or reflection for
  these labels (Kabsch) take turns, and |x - reference|^2 falls with both, to a local minimum: the
  lowest of several starts is returned, of which x itself is one. Like particles alone change
  places where there are several species.

  Args:
    x: Configurations whose centre of mass is zero, [n, N].
    reference: As many of them, [n, N].
    pairing: Particles and dimensions.
    orientations: How many random rotations of x to start from, besides x.
    seed: Names them.

  Returns:
    The moved rows, [n, N].

  Raises:
    ValueError: x and the reference differ in shape, or the particles are in a periodic box, which
      rotations do not leave alone.
  """
  x, reference = _positions(x, reference, pairing)
  size = (orientations, len(x), pairing.dimensions, pairing.dimensions)
  rotations = np.linalg.qr(np.random.default_rng(seed).normal(size=size))[0]
  starts = [x, *(x @ rotation for rotation in rotations)]
  candidates = np.stack([_descended(start, reference, pairing) for start in starts])
  distances = np.sum(np.square(candidates - reference), axis=(2, 3))
  closest = np.argmin(distances, axis=0)
  return candidates[closest, np.arange(len(x))].reshape(len(x), -1)


def matched(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Rows x in the order that brings rows of like shapes together, [n, N].

  The order is the best one (Hungarian method) for the squared distance of sorted pair distances,
  which no permutation, rotation or reflection changes. It takes time n^3: n is a batch.
  """
  positions = _positions(x, reference, pairing)
  cost = [_shapes(rows, pairing) for rows in positions[::-1]]
  squares = [np.sum(np.square(shape), axis=1) for shape in cost]
  total = squares[0][:, np.newaxis] + squares[1] - 2.0 * cost[0] @ cost[1].T
  return x[optimize.linear_sum_assignment(total)[1]]


def _positions(x: Any, reference: Any, pairing: Pairing) -> tuple[np.ndarray, np.ndarray]:
  """Both as [n, particles, D]."""
  if pairing.box is not None:
    raise ValueError(
      f'`pairing` has a periodic box {pairing.box}: ends are aligned by rotations, of free space.'
    )
  x, reference = np.asarray(x), np.asarray(reference)
  if x.ndim != 2 or x.shape != reference.shape or x.shape[1] != pairing.event_size:
    raise ValueError(
      f'`x` and `reference` must have as many rows of {pairing.event_size} numbers, got '
      f'{list(x.shape)} and {list(reference.shape)}.'
    )
  shape = (-1, pairing.particles, pairing.dimensions)
  return x.reshape(shape), reference.reshape(shape)


def _descended(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Labels and rotations in turn, [n, particles, D]."""
  kinds = np.array(pairing.species or (0,) * pairing.particles)
  unlike = kinds[:, np.newaxis] != kinds
  for _ in range(SWEEPS):
    overlaps = reference @ np.swapaxes(x, 1, 2)
    costs = np.where(unlike, np.inf, -overlaps)
    labels = np.stack([optimize.linear_sum_assignment(cost)[1] for cost in costs])
    x = np.take_along_axis(x, labels[..., np.newaxis], axis=1)
    left, _, right = np.linalg.svd(np.swapaxes(x, 1, 2) @ reference)
    x = x @ (left @ right)
  return x


def _shapes(x: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Sorted distances of all pairs, [n, pairs]."""
  positions = np.reshape(x, (-1, pairing.particles, pairing.dimensions))
  first, second = np.triu_indices(pairing.particles, 1)
  distances = np.linalg.norm(positions[:, first] - positions[:, second], axis=-1)
  return np.sort(distances, axis=1)
