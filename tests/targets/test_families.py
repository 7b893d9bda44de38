"""A family is, at every coupling, the target that it stands for."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import targets


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_energies_are_those_of_the_target_at_each_coupling(rng, boundary):
  family = targets.Phi4Masses(3, 0.7, boundary, tf.float64)
  assert isinstance(family, targets.Family) and family.event_size == 9
  x, masses = rng.normal(size=(5, 9)), rng.normal(size=(5, 1))
  expected = [family.at(c).energy(row) for row, c in zip(x, masses)]
  np.testing.assert_allclose(family.energy(x, masses), expected, rtol=1e-12)
  one = targets.Phi4(3, -0.5, 0.7, boundary, tf.float64)
  np.testing.assert_allclose(family.energy(x, [-0.5]), one.energy(x), rtol=1e-12)


@pytest.mark.parametrize('context', [[0.5, 1.0], 0.5, []])
def test_one_coupling_makes_one_target(context):
  with pytest.raises(ValueError, match=r'`context` must be m\^2 alone'):
    targets.Phi4Masses(2, 1.0).at(context)
