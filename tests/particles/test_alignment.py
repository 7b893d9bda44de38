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


@pytest.mark.parametrize('box', [None, (3.0, 3.0)])
def test_no_rows_are_aligned_with_none_and_precision_stays(box):
  none = np.zeros([0, 8], np.float32)
  pairing = Pairing(4, 2, box=box)
  assert aligned(none, none, pairing).shape == matched(none, none, pairing).shape == (0, 8)
  one = np.ones([1, 8], np.float32)
  for orientations in (0, 2):
    assert aligned(one, one, pairing, orientations=orientations).dtype == np.float32


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


BOX = np.array([3.0, 4.0])


def nearest(x, y):
  """Squared distances of configurations by the nearest images of all particles."""
  gaps = x - y
  return np.sum(np.square(gaps - BOX * np.round(gaps / BOX)), axis=(1, 2))


def lengths(x, first, second):
  """Sorted distances of nearest images of some pairs."""
  gaps = x[:, first] - x[:, second]
  return np.sort(np.linalg.norm(gaps - BOX * np.round(gaps / BOX), axis=-1), axis=1)


def test_alignment_in_a_box_translates_permutes_and_takes_the_nearest_images(rng):
  """Distances of nearest images stay; the end is the nearest of all labels at that translation."""
  pairing = Pairing(4, 2, (0, 1, 1, 1), BOX)
  x, z = (BOX * rng.uniform(-1.0, 2.0, size=(20, 4, 2)) for _ in range(2))
  moved = aligned(rows(x), rows(z), pairing).reshape(x.shape)
  like, unlike = ([1, 1, 2], [2, 3, 3]), ([0, 0, 0], [1, 2, 3])
  for pairs in (like, unlike):
    np.testing.assert_allclose(lengths(moved, *pairs), lengths(x, *pairs), rtol=1e-9)
  assert np.max(np.abs(moved - z) / BOX) <= 0.5 + 1e-12
  np.testing.assert_allclose(nearest(moved, z), distances(moved, z), rtol=1e-12)
  assert np.all(distances(moved, z) <= nearest(x, z)) and np.any(
    distances(moved, z) < nearest(x, z)
  )
  orders = [[0, *order] for order in itertools.permutations([1, 2, 3])]
  best = np.min([nearest(moved[:, order], z) for order in orders], axis=0)
  np.testing.assert_allclose(distances(moved, z), best, rtol=1e-9)


def test_disturbed_configurations_in_a_box_come_back(rng):
  """Translated, relabelled and in other images: one of many translations leads back."""
  pairing, x = Pairing(4, 2, None, BOX), BOX * rng.random(size=(20, 4, 2))
  labels = np.argsort(rng.random(x.shape[:2]), axis=1)[..., np.newaxis]
  y = np.take_along_axis(x, labels, axis=1) + BOX * rng.random(size=(20, 1, 2))
  y += BOX * rng.integers(-2, 3, size=x.shape) + 1e-3 * rng.normal(size=x.shape)
  moved = aligned(rows(y), rows(x), pairing, orientations=100).reshape(x.shape)
  assert np.mean(distances(moved, x) < 1e-3) > 0.9
  ordered = matched(rows(y[rng.permutation(20)]), rows(x), pairing).reshape(x.shape)
  again = aligned(rows(ordered), rows(x), pairing, orientations=100).reshape(x.shape)
  assert np.mean(distances(again, x) < 1e-3) > 0.9


def test_shapes_of_several_species_are_matched_kind_by_kind():
  """Three on a line: which of them is of another kind tells shapes apart that are alike else."""
  line = np.array([[-1.0, 0], [0, 0], [1, 0]])
  pairing = Pairing(3, 2, (0, 0, 1))
  x, z = np.stack([line, line[[0, 2, 1]]]), np.stack([line[[2, 0, 1]], line])
  ordered = matched(rows(x), rows(z), pairing)
  np.testing.assert_array_equal(ordered, rows(x[::-1]))
