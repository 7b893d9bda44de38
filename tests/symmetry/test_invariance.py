"""The defect of a potential: zero under symmetries of its own, and known by hand under a sign."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import symmetry
from tests.potentials import cases


def test_there_is_none_under_symmetries_of_its_own(rng):
  phi, x = cases.pairs(2, 2), tf.constant(rng.normal(size=(3, 4)))
  swap = symmetry.permutations([[0, 1, 2, 3], [2, 3, 0, 1]])
  for group in (symmetry.ParticleSymmetries(2, 2), swap):
    for part in symmetry.defect(phi, group, 0.0, x, draws=4):
      assert part.shape == [3] and np.all(part < 1e-13)


def test_a_change_of_sign_meets_the_odd_part_alone():
  """phi = sin(x_0 x_1) + sum_i x_i^3/6: of a share p of signs the spread is 2 sqrt(p (1 - p))."""
  x = np.array([[1.0, 2.0, 3.0, 4.0]])
  found = symmetry.defect(cases.Wave(4), symmetry.inversion(4), 0.0, tf.constant(x), draws=8)
  shares = np.arange(1, 5) / 8
  spreads = 2 * np.sqrt(shares * (1 - shares))
  spread = found.value.numpy()[0] / (np.sum(x**3) / 6)
  assert np.abs(spreads - spread).min() < 1e-13
  assert found.gradient.numpy()[0] == pytest.approx(spread * np.linalg.norm(x**2 / 2), rel=1e-12)
  assert found.laplacian.numpy()[0] == pytest.approx(spread * np.sum(x), rel=1e-12)


def test_it_needs_two_elements_of_the_same_size():
  group = symmetry.ParticleSymmetries(2, 2)
  with pytest.raises(ValueError, match='`draws` must be a whole number from 2 on, got 1'):
    symmetry.defect(cases.Linear(4), group, 0.0, cases.points(2), draws=1)
  with pytest.raises(ValueError, match='acts on 6 coordinates'):
    symmetry.defect(cases.Linear(4), symmetry.ParticleSymmetries(3, 2), 0.0, cases.points(2))
