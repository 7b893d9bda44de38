"""The step of a lattice is the greatest common divisor of its offsets, rounding put up with."""

import numpy as np
import pytest

from ma_keras.data.columns.lattice import lattice_step


def step_of(values):
  values = np.asarray(values, np.float64)
  return lattice_step(np.unique(values), values.size)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('step', [1.0, 0.1, 0.25, 1 / 3, 1e-6, 1e3, np.pi])
@pytest.mark.parametrize('least', [0.0, -7.3, 1e4])
def test_multiples_of_a_step(seed, step, least):
  k = np.random.default_rng(seed).integers(0, 40, 400)
  assert step_of(least + k * step) == pytest.approx(step, rel=1e-4)


@pytest.mark.parametrize('step, least', [(0.1, 0.0), (0.1, -7.3), (1 / 3, 80.0), (1e3, 1e4)])
def test_multiples_in_single_precision(step, least):
  k = np.random.default_rng(0).integers(0, 40, 400)
  assert step_of((least + k * step).astype(np.float32)) == pytest.approx(step, rel=1e-4)


def test_whole_numbers_to_the_last_digit():
  values = np.repeat([1_700_000_000, 1_700_000_200, 1_700_000_401], 5)
  assert step_of(values) == 1.0
  assert step_of(np.repeat([0, 6, 15], 5)) == 3.0


def test_two_values_and_decimals_of_six_digits():
  assert step_of([0.13, 7.77, 0.13, 0.13]) == pytest.approx(7.64)
  values = [float(f'{(k - 17.3) / 3.77:.6g}') for k in np.random.default_rng(0).poisson(9, 300)]
  assert step_of(values) == pytest.approx(1 / 3.77, rel=1e-4)


def test_no_lattice_without_ties_nor_with_ties_alone():
  rng = np.random.default_rng(0)
  assert step_of(np.arange(100)) == 0.0
  assert step_of(np.full(9, 2.5)) == 0.0
  assert step_of(np.where(rng.random(500) < 0.7, 0.0, rng.normal(size=500))) == 0.0
  assert step_of(np.repeat(rng.normal(size=40), 5)) == 0.0
