"""The stream of batches is a function of the step."""

import itertools

import numpy as np
import pytest

from ma_keras import data

POINTS = np.arange(20, dtype=np.float32)[:, np.newaxis]


def stream(count, first=0, seed=0, batch_size=5):
  made = data.batches(POINTS, batch_size, seed, first)
  return [(n.numpy(), x.numpy()) for n, x in itertools.islice(made, count)]


def test_every_epoch_visits_every_point_once_in_another_order():
  points = [x.ravel() for _, x in stream(8)]
  first, second = np.concatenate(points[:4]), np.concatenate(points[4:])
  np.testing.assert_array_equal(np.sort(first), POINTS.ravel())
  np.testing.assert_array_equal(np.sort(second), POINTS.ravel())
  assert np.any(first != second)


@pytest.mark.parametrize('first', [1, 4, 6])
def test_it_resumes_at_any_step(first):
  for (_, x), (_, expected) in zip(stream(3, first), stream(first + 3)[first:]):
    np.testing.assert_array_equal(x, expected)


def test_samples_are_numbered():
  np.testing.assert_array_equal(stream(1)[0][0], np.arange(5))


def test_the_seed_names_the_order():
  assert np.any(stream(1, seed=0)[0][1] != stream(1, seed=1)[0][1])


def test_what_does_not_fill_a_batch_waits_for_another_epoch():
  made = data.batches(POINTS, 6, 0)
  epoch = np.concatenate([x.numpy().ravel() for _, x in itertools.islice(made, 3)])
  assert len(set(epoch)) == 18


def test_batches_larger_than_the_data_are_refused():
  with pytest.raises(
    ValueError, match='`batch_size` must be at most the number of training points'
  ):
    data.batches(POINTS, 21, 0)


def test_no_batch_is_empty():
  with pytest.raises(ValueError, match='and positive, got 0'):
    data.batches(POINTS, 0, 0)


def test_nothing_tunes_it():
  assert not data.batches(POINTS, 5, 0).options().autotune.enabled


@pytest.mark.parametrize('size', [2.5, 'two', None])
def test_a_batch_has_a_whole_number_of_points(size):
  with pytest.raises(ValueError, match='`batch_size` must be at most'):
    data.batches(np.zeros([9, 2]), size, 0)
