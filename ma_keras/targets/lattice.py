"""The square lattice as matrices: neighbours, couplings and their spectra, all NumPy float64.

Site (r, c) of a rows x columns lattice has index r * columns + c. A periodic side of 2 joins its
two sites by two bonds, one around each way, as do Kaufman's formula and energies written with
`roll`.
"""

from __future__ import annotations

import numpy as np

from ma_keras.arguments import is_whole

BOUNDARIES = ('periodic', 'open')


def adjacency(rows: int, columns: int, boundary: str = 'periodic') -> np.ndarray:
  """A_ij = number of bonds between sites i and j; 1/2 s.A s is the sum of s_i s_j over bonds.

  Args:
    rows: Number of rows, at least 2.
    columns: Number of columns, at least 2.
    boundary: 'periodic' (a torus, every site has 4 neighbours) or 'open' (2 to 4 neighbours).

  Returns:
    Symmetric float64 array [N, N], N = rows * columns; entries 0, 1 or (periodic side of 2) 2.

  Raises:
    ValueError: If a side is below 2 or the boundary is unknown.
  """
  check_lattice(rows, columns, boundary)
  # Rows slow, columns fast: A = C_rows (x) 1 + 1 (x) C_columns with C the adjacency of one side.
  return np.kron(_ring_or_chain(rows, boundary), np.eye(columns)) + np.kron(
    np.eye(rows), _ring_or_chain(columns, boundary)
  )


def coupling_matrix(
  rows: int, columns: int, coupling: float, boundary: str = 'periodic'
) -> np.ndarray:
  """K_ij = coupling * A_ij, the matrix K of Eqs. 8 and 10: float64 [N, N], in units of kT.

  Args:
    rows: Number of rows, at least 2.
    columns: Number of columns, at least 2.
    coupling: Energy of one bond over kT; positive is ferromagnetic.
    boundary: 'periodic' or 'open'.

  Raises:
    ValueError: As `adjacency`.
  """
  return coupling * adjacency(rows, columns, boundary)


def degrees(rows: int, columns: int, boundary: str = 'periodic') -> np.ndarray:
  """D_ii, the number of bonds at every site, float64 [N]: the sums of A's rows without A.

  Raises:
    ValueError: As `adjacency`.
  """
  check_lattice(rows, columns, boundary)
  sides = (_ring_or_chain(side, boundary).sum(axis=-1) for side in (rows, columns))
  return np.add.outer(*sides).ravel()


def adjacency_eigenvalues(
  rows: int, columns: int, boundary: str = 'periodic', ascending: bool = True
) -> np.ndarray:
  """Eigenvalues of A: 2 cos p + 2 cos q, p and q the momenta of the two sides.

  Periodic momenta are 2 pi k / L, k = 0..L-1 (plane waves); open ones pi k / (L + 1), k = 1..L
  (standing waves that vanish one site beyond the edges).

  Args:
    rows: Number of rows, at least 2.
    columns: Number of columns, at least 2.
    boundary: 'periodic' or 'open'.
    ascending: True to sort them; otherwise p varies slowly and q fast, as rows and columns do.

  Returns:
    float64 array [N].

  Raises:
    ValueError: As `adjacency`.
  """
  check_lattice(rows, columns, boundary)
  sides = (2 * np.cos(_momenta(side, boundary)) for side in (rows, columns))
  eigenvalues = np.add.outer(*sides).ravel()
  return np.sort(eigenvalues) if ascending else eigenvalues


def laplacian_eigenvalues(rows: int, columns: int, boundary: str = 'periodic') -> np.ndarray:
  """Eigenvalues of D - A, ascending: (2 - 2 cos p) + (2 - 2 cos q), D_ii = bonds at site i.

  phi.(D - A) phi is the sum of (phi_i - phi_j)^2 over bonds. Periodic momenta are 2 pi k / L; open
  ones pi k / L, k = 0..L-1 (no bond leads outwards, so waves end at an edge with zero slope).

  Args:
    rows: Number of rows, at least 2.
    columns: Number of columns, at least 2.
    boundary: 'periodic' or 'open'.

  Returns:
    Non-negative float64 array [N]; the first is 0 (the uniform field).

  Raises:
    ValueError: As `adjacency`.
  """
  check_lattice(rows, columns, boundary)
  period = 2 * np.pi if boundary == 'periodic' else np.pi
  # 2 - 2 cos p as 4 sin^2(p/2): no digits are lost at long wavelengths.
  sides = (4 * np.sin(period * np.arange(side) / (2 * side)) ** 2 for side in (rows, columns))
  return np.sort(np.add.outer(*sides).ravel())


def check_lattice(rows: int, columns: int, boundary: str = 'periodic') -> None:
  """Checks that the sides are at least 2 and the boundary is known.

  Raises:
    ValueError: Naming the argument at fault.
  """
  for name, side in (('rows', rows), ('columns', columns)):
    if not is_whole(side, 2):
      raise ValueError(
        f'`{name}` must be at least 2, and whole, got {side!r}. A smaller side has no neighbour to '
        'couple to.'
      )
  if boundary not in BOUNDARIES:
    raise ValueError(f"`boundary` must be 'periodic' or 'open', got {boundary!r}.")


def _ring_or_chain(side: int, boundary: str) -> np.ndarray:
  """Adjacency [L, L] of one side: each site and its next, counted in both directions."""
  forward = np.eye(side, k=1)
  if boundary == 'periodic':
    forward[-1, 0] = 1.0
  # A sum rather than a maximum: at L = 2 the bond and its wrapped twin both count.
  return forward + forward.T


def _momenta(side: int, boundary: str) -> np.ndarray:
  """Momenta [L] of one side, in radians per site."""
  if boundary == 'periodic':
    return 2 * np.pi * np.arange(side) / side
  return np.pi * np.arange(1, side + 1) / (side + 1)
