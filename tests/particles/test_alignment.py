"""Configurations moved towards others, against what moved them away."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ma_keras.particles import Pairing, aligned, matched


def centred(rng, size, n, d):
  x = rng.normal(size=(size, n, d))
  return x - x.mean(axis=1, keepdims=True)


def disturbed(rng, x):
  """Every row relabelled, rotated and perhaps reflected, and shaken a little."""
  orthogonal = stats.ortho_group.rvs(x.shape[2], size=len(x), random_state=rng)
  labels = np.argsort(rng.random(x.shape[:2]), axis=1)
  moved = np.take_along_axis(x, labels[..., np.newaxis], axis=1) @ orthogonal
  return moved + 1e-3 * centred(rng, *x.shape)


def rows(x):
  return x.reshape(len(x), -1)


def distances(x, y):
  return np.sum(np.square(rows(x) - rows(y)), axis=1)


@pytest.mark.parametrize('n, d', [(4, 2), (3, 3)])
def test_alignment_moves_along_the_orbit_and_closer(rng, n, d):
  """Pair distances stay; the distance falls, and is the least of all labels at that rotation."""
  z, x = centred(rng, 50, n, d), centred(rng, 50, n, d)
  moved = aligned(rows(x), rows(z), Pairing(n, d)).reshape(x.shape)
  for before, after in zip(x, moved):
    lengths = [np.sort(np.linalg.norm(a[:, None] - a, axis=-1).ravel()) for a in (before, after)]
    np.testing.assert_allclose(*lengths, atol=1e-12)
  assert np.all(distances(moved, z) <= distances(x, z) + 1e-12)
  orders = [list(order) for order in itertools.permutations(range(n))]
  best = np.min([distances(moved[:, order], z) for order in orders], axis=0)
  np.testing.assert_allclose(distances(moved, z), best, rtol=1e-9)


@pytest.mark.slow
def test_disturbed_configurations_come_back(rng):
  """Of many orientations one leads back."""
  x = centred(rng, 30, 5, 3)
  moved = aligned(rows(disturbed(rng, x)), rows(x), Pairing(5, 3), orientations=400)
  assert np.mean(distances(moved.reshape(x.shape), x) < 1e-3) > 0.9


def test_like_shapes_are_matched(rng):
  """Rows that are others, disturbed and in another order, find them again by their distances."""
  x = centred(rng, 30, 5, 3)
  ordered = matched(rows(disturbed(rng, x)[rng.permutation(30)]), rows(x), Pairing(5, 3))
  lengths = [
    np.sort(np.linalg.norm(y[:, :, None] - y[:, None], axis=-1).reshape(30, -1))
    for y in (ordered.reshape(x.shape), x)
  ]
  np.testing.assert_allclose(*lengths, atol=0.02)


def test_rows_that_do_not_go_together_are_refused(rng):
  x, pairing = rows(centred(rng, 3, 5, 3)), Pairing(5, 3)
  for move in (aligned, matched):
    for wrong in (x[:2], x[:, :12], x[0]):
      with pytest.raises(ValueError, match=r'as many rows of 15 numbers, got \[3, 15\] and \['):
        move(x, wrong, pairing)


def test_like_particles_alone_change_places(rng):
  """Aligned rows have the same distances between kinds as before, and lie no farther away."""
  pairing = Pairing(5, 2, (0, 1, 1, 0, 1))
  x, reference = rng.normal(size=(2, 6, 5, 2))
  x, reference = (part - part.mean(axis=1, keepdims=True) for part in (x, reference))
  rows = [part.reshape(6, -1) for part in (x, reference)]
  moved = aligned(*rows, pairing).reshape(6, 5, 2)

  def between(positions):
    first, second = positions[:, [0, 3]], positions[:, [1, 2, 4]]
    distances = np.linalg.norm(first[:, :, np.newaxis] - second[:, np.newaxis], axis=-1)
    return np.sort(distances.reshape(6, -1), axis=1)

  np.testing.assert_allclose(between(moved), between(x), rtol=1e-10)
  assert np.all(
    np.sum((moved - reference) ** 2, axis=(1, 2)) <= np.sum((x - reference) ** 2, axis=(1, 2))
  )


def test_particles_in_a_box_are_not_turned(rng):
  x = rng.normal(size=(2, 4))
  for function in (aligned, matched):
    with pytest.raises(ValueError, match=r'`pairing` has a periodic box \(3.0, 3.0\)'):
      function(x, x, Pairing(2, 2, box=(3.0, 3.0)))
