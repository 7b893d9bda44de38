"""Kaufman's formula and the transfer matrix equal enumeration, and Onsager's limit."""

import math

import numpy as np
import pytest

from ma_keras.targets import CRITICAL_COUPLING, kaufman
from tests.support import reference

SHAPES = [(2, 2), (2, 3), (3, 2), (3, 3), (3, 4), (4, 3), (4, 4), (2, 6)]
COUPLINGS = [1e-8, 0.05, 0.3, 0.44, CRITICAL_COUPLING, 0.4407, 0.7, 2.0]


def onsager_log_partition_per_site(coupling, points=4096):
  """ln 2 + 1/2 <ln(cosh^2 2K - sinh 2K (cos p + cos q))>; the mean over q is done by hand."""
  p = (np.arange(points) + 0.5) * np.pi / points
  a = np.cosh(2 * coupling) ** 2 - np.sinh(2 * coupling) * np.cos(p)
  b = np.sinh(2 * coupling)
  return math.log(2) + 0.5 * np.mean(np.log((a + np.sqrt(a**2 - b**2)) / 2))


@pytest.mark.parametrize('coupling', COUPLINGS)
@pytest.mark.parametrize('rows, columns', SHAPES)
def test_torus_equals_enumeration(rows, columns, coupling):
  exact = reference.enumerate_log_partition(rows, columns, coupling)
  assert kaufman.log_partition(rows, columns, coupling) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize('coupling', [-0.9, -0.2, 0.0, 0.3, CRITICAL_COUPLING, 2.0])
@pytest.mark.parametrize('rows, columns', SHAPES)
def test_open_edges_equal_enumeration(rows, columns, coupling):
  exact = reference.enumerate_log_partition(rows, columns, coupling, 'open')
  assert kaufman.open_log_partition(rows, columns, coupling) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
  'rows, columns', [(2, 2), (2, 4), (4, 4), (2, 3), (3, 2), (3, 3), (3, 4), (4, 3), (5, 3)]
)
@pytest.mark.parametrize('coupling', [-0.05, -0.2, -CRITICAL_COUPLING, -0.6, -1.0])
def test_antiferromagnets_frustrated_or_not_equal_enumeration(rows, columns, coupling):
  exact = reference.enumerate_log_partition(rows, columns, coupling)
  assert kaufman.log_partition(rows, columns, coupling) == pytest.approx(exact, rel=1e-11)


def test_frustration_costs_a_domain_wall():
  """Z(-K)/Z(K) on an odd torus: near criticality of order one, and less below."""
  ratios = [
    kaufman.log_partition(33, 33, -k) - kaufman.log_partition(33, 33, k)
    for k in (0.2, CRITICAL_COUPLING, 0.5)
  ]
  assert abs(ratios[0]) < 1e-3 and -3 < ratios[1] < -0.1 and ratios[2] < ratios[1]


@pytest.mark.parametrize('coupling', [0.2, CRITICAL_COUPLING, 0.6])
def test_rows_and_columns_may_be_exchanged(coupling):
  transposed = kaufman.log_partition(31, 8, coupling)
  assert kaufman.log_partition(8, 31, coupling) == pytest.approx(transposed, rel=1e-13)


@pytest.mark.parametrize('coupling', [0.2, 0.4, 0.5, 0.8])
def test_large_lattices_reach_onsagers_limit_off_criticality(coupling):
  """Off criticality corrections vanish exponentially, up to the ln 2 of the two ordered phases."""
  size = 128**2
  per_site = (kaufman.log_partition(128, 128, coupling) - math.log(2) * (coupling > 0.45)) / size
  assert per_site == pytest.approx(onsager_log_partition_per_site(coupling), abs=1e-12)


def test_critical_lattices_reach_onsagers_limit_as_one_over_area():
  """ln Z / N = 2 G / pi + ln 2 / 2 + 0.6399 / L^2: the conformal constant of the square torus."""
  catalan = 0.915965594177219015
  limit = 2 * catalan / math.pi + math.log(2) / 2
  amplitudes = [
    side**2 * (kaufman.log_partition(side, side, CRITICAL_COUPLING) / side**2 - limit)
    for side in (32, 64, 128)
  ]
  # Z_CFT(tau = i) = sum of |theta_2,3,4| / 2 |eta|, by q = exp(-pi).
  q = math.exp(-math.pi)
  theta2 = 2 * sum(q ** ((n + 0.5) ** 2) for n in range(6))
  theta3 = 1 + 2 * sum(q ** (n**2) for n in range(1, 6))
  theta4 = 1 + 2 * sum((-1) ** n * q ** (n**2) for n in range(1, 6))
  eta = q ** (1 / 12) * math.prod(1 - q ** (2 * n) for n in range(1, 12))
  conformal = math.log((theta2 + theta3 + theta4) / (2 * eta))
  assert amplitudes[-1] == pytest.approx(conformal, abs=1e-4)
  errors = np.abs(np.array(amplitudes) - conformal)
  assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize('size', [4, 16, 128])
def test_smooth_through_the_critical_point_where_gamma_0_changes_sign(size):
  """A wrong sign of the fourth product would jump by far more than the curvature allows."""
  step = 1e-4 / size
  values = [
    kaufman.log_partition(size, size, CRITICAL_COUPLING + k * step) / size**2 for k in range(-3, 4)
  ]
  assert np.max(np.abs(np.diff(values, n=4))) < 1e-13


@pytest.mark.parametrize('coupling', [0.0, 1e-300, 1e-5, CRITICAL_COUPLING, 50.0, 5000.0])
def test_any_coupling_and_size_is_finite_and_between_its_bounds(coupling):
  """N ln 2 <= ln Z <= N ln 2 + 2 N K, and Z is at least its two ground states."""
  for side in (2, 128, 257):
    size = side**2
    log_partition = kaufman.log_partition(side, side, coupling)
    assert size * math.log(2) * (1 - 1e-12) <= log_partition
    assert math.log(2) + 2 * size * coupling <= log_partition * (1 + 1e-12)
    assert log_partition <= (size * math.log(2) + 2 * size * coupling) * (1 + 1e-12)


def test_zero_coupling_counts_the_states():
  assert kaufman.log_partition(3, 5, 0.0) == 15 * math.log(2)


def test_open_edges_at_side_sixteen_lie_below_the_torus_by_its_boundary():
  """Open edges lose 2 L bonds, each worth between 0 and K."""
  lost = kaufman.log_partition(16, 16, CRITICAL_COUPLING) - kaufman.open_log_partition(
    16, 16, CRITICAL_COUPLING
  )
  assert 0 < lost < 32 * CRITICAL_COUPLING


@pytest.mark.parametrize(
  'solve, arguments, message',
  [
    (kaufman.log_partition, (1, 4, 0.3), '`rows` must be at least 2, and whole, got 1'),
    (kaufman.log_partition, (4, 4, math.inf), '`coupling` must be finite, got inf'),
    (kaufman.log_partition, (33, 33, -3.0), '`coupling` is too negative .* even sides'),
    (kaufman.open_log_partition, (21, 30, 0.3), "got 21 and 30. Use boundary='periodic'"),
  ],
)
def test_errors_name_the_argument_and_the_remedy(solve, arguments, message):
  with pytest.raises(ValueError, match=message):
    solve(*arguments)
