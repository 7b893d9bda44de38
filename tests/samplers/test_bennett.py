"""Free energies of two Gaussians: F_1 - F_0 = -ln of the ratio of their widths."""

import numpy as np
import pytest

from ma_keras import samplers


def works(rng, widths, shapes):
  x, y = (width * rng.normal(size=shape) for width, shape in zip(widths, shapes))
  difference = lambda x: 0.5 * x**2 * (widths[1] ** -2 - widths[0] ** -2)  # noqa: E731
  return difference(x), -difference(y)


@pytest.mark.parametrize('shapes', [((100, 50), (100, 50)), ((400, 50), (50, 20))])
def test_the_difference_of_two_gaussians(rng, shapes):
  result = samplers.free_energy_difference(*works(rng, (1.0, 1.8), shapes))
  assert result.error < 0.05 and not result.doubts()
  assert abs(result.value + np.log(1.8)) < 4 * result.error


def test_equal_densities_have_no_difference_and_overlap_wholly(rng):
  result = samplers.free_energy_difference(np.zeros([30, 4]), np.zeros([10, 3]))
  assert result.value == pytest.approx(0.0, abs=1e-9) and result.error == 0.0
  assert result.overlap == pytest.approx(1.0)


def test_a_constant_added_to_an_energy_is_added_to_the_difference(rng):
  forward, reverse = works(rng, (1.0, 1.5), ((50, 10), (50, 10)))
  plain = samplers.free_energy_difference(forward, reverse)
  shifted = samplers.free_energy_difference(forward + 700.0, reverse - 700.0)
  assert shifted.value - plain.value == pytest.approx(700.0, abs=1e-8)
  assert shifted.error == pytest.approx(plain.error)


def test_samples_that_clash_have_no_weight(rng):
  """An energy of 1e30 counts as one sample more of weight zero, and as nothing else."""
  forward, reverse = rng.normal(1.0, 1.0, [100, 4]), rng.normal(-1.0, 1.0, [100, 4])
  clashes = forward.copy()
  clashes[0] = 1e30
  lost = forward.copy()
  lost[0] = 1e3
  difference = samplers.free_energy_difference(clashes, reverse)
  assert difference.value == pytest.approx(
    samplers.free_energy_difference(lost, reverse).value, abs=1e-8
  )
  plain = samplers.free_energy_difference(forward, reverse)
  assert abs(difference.value - plain.value) < 0.1


def test_the_error_is_the_spread_over_repetitions(rng):
  """Chains whose samples all agree count once each."""
  results = []
  for _ in range(200):
    parts = works(rng, (1.0, 1.5), ((1, 30), (1, 30)))
    results.append(samplers.free_energy_difference(*(np.repeat(w, 20, axis=0) for w in parts)))
  spread = np.std([result.value for result in results])
  assert np.mean([result.error for result in results]) == pytest.approx(spread, rel=0.2)


def test_densities_far_apart_are_doubted(rng):
  x, y = rng.normal(size=(50, 10)), 12.0 + rng.normal(size=(50, 10))
  difference = lambda x: 72.0 - 12.0 * x  # noqa: E731
  assert 'overlap' in samplers.free_energy_difference(difference(x), -difference(y)).doubts()


def test_values_that_are_no_chains_are_refused():
  with pytest.raises(ValueError, match=r'`reverse` must have shape \[samples, chains\]'):
    samplers.free_energy_difference(np.zeros([3, 2]), np.zeros(3))
