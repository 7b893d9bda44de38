"""Energy and specific heat are the mean and the variance of the energy over all states."""

import numpy as np
import pytest

from ma_keras.targets import CRITICAL_COUPLING, thermodynamics
from tests.support import reference


def enumerated(side, coupling, boundary):
  """u and c of all 2^N states: <E>/N and K^2 (<E^2> - <E>^2)/N, E = -sum over bonds of s s'."""
  states = 1 - 2 * ((np.arange(2**side**2)[:, None] >> np.arange(side**2)) & 1)
  energy = -sum(states[:, i] * states[:, j] for i, j in reference.bonds(side, side, boundary))
  weights = np.exp(-coupling * (energy - energy.min()))
  weights /= weights.sum()
  mean = weights @ energy
  return mean / side**2, coupling**2 * (weights @ energy**2 - mean**2) / side**2


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
@pytest.mark.parametrize('coupling', [-0.3, 0.2, CRITICAL_COUPLING, 0.8])
@pytest.mark.parametrize('side', [2, 4])
def test_they_equal_enumeration(side, coupling, boundary):
  found = thermodynamics.exact(side, coupling, boundary)
  energy, heat = enumerated(side, coupling, boundary)
  log_z = reference.enumerate_log_partition(side, side, coupling, boundary)
  assert found.free_energy == pytest.approx(-log_z / side**2, rel=1e-12)
  assert found.energy == pytest.approx(energy, abs=1e-8)
  assert found.specific_heat == pytest.approx(heat, abs=1e-6)


def test_the_critical_energy_tends_to_onsagers():
  """u = -sqrt 2 (Onsager 1944), with corrections of order 1/L (Ferdinand and Fisher 1969)."""
  gaps = [thermodynamics.exact(side).energy + np.sqrt(2) for side in (16, 32, 64)]
  assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.02)
  assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.01)


def test_the_critical_specific_heat_grows_as_the_logarithm_of_the_side():
  """c = (8 K^2/pi) ln L + const: doubling L adds (8 K^2/pi) ln 2 (Ferdinand and Fisher 1969)."""
  heats = [thermodynamics.exact(side).specific_heat for side in (16, 32, 64)]
  step = 8 * CRITICAL_COUPLING**2 / np.pi * np.log(2)
  assert heats[1] - heats[0] == pytest.approx(step, rel=0.02)
  assert heats[2] - heats[1] == pytest.approx(step, rel=0.01)
