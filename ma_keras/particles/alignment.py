"""Configurations of particles moved and relabelled so as to lie close to others."""

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
  """Rows x moved by permutations and rotations, in a box translations, towards a reference.

  The best labels at these positions (Hungarian method) and the best rotation or reflection for
  these labels (Kabsch) take turns, and |x - reference|^2 falls with both, to a local minimum: the
  lowest of several starts is returned, of which x itself is one. Like particles alone change
  places where there are several species.

  A periodic box is left alone by translations, not by rotations: there they take turns, and every
  particle of the result is the image that is nearest to its partner in the reference.

  Args:
    x: Configurations, [n, N], whose centre of mass is zero but in a box.
    reference: As many of them, [n, N].
    pairing: Particles and dimensions, species and box.
    orientations: How many random rotations, or translations, of x to start from, besides x.
    seed: Names them.

  Returns:
    The moved rows, [n, N], in the precision of x.

  Raises:
    ValueError: x and the reference differ in shape.
  """
  x, reference = _positions(x, reference, pairing)
  starts = [x, *_moved(x, pairing, orientations, np.random.default_rng(seed))]
  candidates = np.stack([_descended(start, reference, pairing) for start in starts])
  distances = np.sum(np.square(candidates - reference), axis=(2, 3))
  closest = candidates[np.argmin(distances, axis=0), np.arange(len(x))]
  return closest.reshape(len(x), pairing.event_size).astype(np.result_type(x, np.float32))


def matched(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Rows x in the order that brings rows of like shapes together, [n, N].

  The order is the best one (Hungarian method) for the squared distance of sorted pair distances,
  which no permutation, rotation or reflection changes, nor a translation of a box; of several
  species every kind of pair is sorted by itself. It takes time n^3: n is a batch.
  """
  positions = _positions(x, reference, pairing)
  cost = [_shapes(rows, pairing) for rows in positions[::-1]]
  squares = [np.sum(np.square(shape), axis=1) for shape in cost]
  total = squares[0][:, np.newaxis] + squares[1] - 2.0 * cost[0] @ cost[1].T
  return x[optimize.linear_sum_assignment(total)[1]]


def _positions(x: Any, reference: Any, pairing: Pairing) -> tuple[np.ndarray, np.ndarray]:
  """Both as [n, particles, D]."""
  x, reference = np.asarray(x), np.asarray(reference)
  if x.ndim != 2 or x.shape != reference.shape or x.shape[1] != pairing.event_size:
    raise ValueError(
      f'`x` and `reference` must have as many rows of {pairing.event_size} numbers, got '
      f'{list(x.shape)} and {list(reference.shape)}.'
    )
  shape = (-1, pairing.particles, pairing.dimensions)
  return x.reshape(shape), reference.reshape(shape)


def _moved(
  x: np.ndarray, pairing: Pairing, number: int, rng: np.random.Generator
) -> list[np.ndarray]:
  """Random rotations of positions [n, particles, D], in a box translations."""
  if pairing.box is not None:
    shifts = np.array(pairing.box) * rng.random(size=(number, len(x), 1, pairing.dimensions))
    return [x + shift for shift in shifts]
  size = (number, len(x), pairing.dimensions, pairing.dimensions)
  return [x @ rotation for rotation in np.linalg.qr(rng.normal(size=size))[0]]


def _descended(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Labels and rotations, in a box translations, in turn, [n, particles, D]."""
  kinds = np.array(pairing.species or (0,) * pairing.particles)
  unlike = kinds[:, np.newaxis] != kinds
  for _ in range(SWEEPS):
    costs = np.where(unlike, np.inf, _costs(x, reference, pairing))
    labels = [optimize.linear_sum_assignment(cost)[1] for cost in costs]
    x = np.take_along_axis(x, np.reshape(labels, (*x.shape[:2], 1)).astype(np.intp), axis=1)
    x = _rotated(x, reference) if pairing.box is None else _translated(x, reference, pairing)
  return x


def _costs(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Squared distances of all particles i of the reference and j of x, [n, i, j], but a constant."""
  if pairing.box is None:
    return -reference @ np.swapaxes(x, 1, 2)
  gaps = _nearest(x[:, np.newaxis] - reference[:, :, np.newaxis], pairing)
  return np.sum(np.square(gaps), axis=-1)


def _rotated(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
  """The best rotation or reflection for these labels (Kabsch)."""
  left, _, right = np.linalg.svd(np.swapaxes(x, 1, 2) @ reference)
  return x @ (left @ right)


def _translated(x: np.ndarray, reference: np.ndarray, pairing: Pairing) -> np.ndarray:
  """The best translation for these labels and images, then images that are nearer still."""
  gaps = _nearest(x - reference, pairing)
  return reference + _nearest(gaps - np.mean(gaps, axis=1, keepdims=True), pairing)


def _nearest(differences: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Differences [..., D] to the nearest image of a box; as they are without one."""
  if pairing.box is None:
    return differences
  return differences - pairing.box * np.round(differences / pairing.box)


def _shapes(x: np.ndarray, pairing: Pairing) -> np.ndarray:
  """Sorted distances of all pairs, one kind of pair after the other, [n, pairs]."""
  positions = np.reshape(x, (-1, pairing.particles, pairing.dimensions))
  first, second = np.triu_indices(pairing.particles, 1)
  gaps = _nearest(positions[:, first] - positions[:, second], pairing)
  distances = np.linalg.norm(gaps, axis=-1)
  kinds = np.array(pairing.species or (0,) * pairing.particles)
  pairs = np.sort(np.stack([kinds[first], kinds[second]], axis=-1), axis=-1)
  _, labels = np.unique(pairs, axis=0, return_inverse=True)
  order = np.lexsort((distances, np.broadcast_to(labels.ravel(), distances.shape)), axis=-1)
  return np.take_along_axis(distances, order, axis=1)
