"""Positions of particles in files of chemistry, by ase: XYZ, and whatever else it knows.

Needs the extra `particles`: pip install 'ma_keras[particles]'.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ma_keras.files.replacing import replacing

FORMAT = 'extxyz'


def write(
  path: str | pathlib.Path,
  positions: np.ndarray,
  symbol: str = 'X',
  species: Sequence[int] | None = None,
  box: Sequence[float] | None = None,
) -> None:
  """Writes structures, one frame each, as extended XYZ; whole or not at all.

  Args:
    path: The file, .xyz say.
    positions: Of particles in the plane or in space, [S, n, 2] or [S, n, 3]; [n, D] is one frame.
    symbol: Chemical symbol of all of them; 'X' for none.
    species: Kind of every particle, 0, 1, ..., instead, which has the symbol of the atomic number
      1, 2, ..., as ase reads types of LAMMPS.
    box: Lengths of a periodic box, [D], the cell of every frame.

  Raises:
    ImportError: ase is missing.
    ValueError: The shape is another, a position is not finite, `species` or `box` are not as many
      as there are particles or dimensions, or the path cannot be a file.
  """
  ase = _ase()
  frames = np.asarray(positions, np.float64)
  frames = frames[np.newaxis] if frames.ndim == 2 else frames
  if frames.ndim != 3 or frames.shape[-1] not in (2, 3) or not np.all(np.isfinite(frames)):
    raise ValueError(
      f'`positions` must be finite, of shape [S, n, 2] or [S, n, 3], got {list(frames.shape)}.'
    )
  particles, dimensions = frames.shape[1:]
  for name, values, number in (('species', species, particles), ('box', box, dimensions)):
    if values is not None and len(values) != number:
      raise ValueError(
        f'`{name}` must hold {number} numbers, as `positions` {list(frames.shape)} have it, got '
        f'{values!r}.'
      )
  symbols = [symbol] * particles if species is None else [1 + kind for kind in species]
  missing = 3 - dimensions
  cell: dict[str, Any] = {}
  if box is not None:
    cell = {'cell': [*box, *[0] * missing], 'pbc': [axis < dimensions for axis in range(3)]}
  space = np.pad(frames, [(0, 0), (0, 0), (0, missing)])
  structures = [ase.Atoms(symbols, positions=frame, **cell) for frame in space]
  with replacing(pathlib.Path(path)) as beside, open(beside, 'w', encoding='utf-8') as file:
    ase.io.write(file, structures, format=FORMAT)


def read(path: str | pathlib.Path) -> np.ndarray:
  """Positions of all structures of a file, float64 [S, n, 3].

  Args:
    path: A file of any format that ase tells by its name or content.

  Raises:
    ImportError: ase is missing.
    ValueError: It is no such file, holds no structure, or structures of different sizes.
  """
  ase = _ase()
  try:
    structures = ase.io.read(path, index=':')
  except Exception as error:  # Every reader of ase has errors of its own.
    raise ValueError(f'`path` {path} holds no structures that ase can read: {error}.') from error
  sizes = sorted({len(structure) for structure in structures})
  if len(sizes) != 1 or not sizes[0]:
    raise ValueError(
      f'`path` {path} must hold structures of one number of particles, got {sizes or "none"}.'
    )
  return np.stack([structure.positions for structure in structures])


def _ase() -> Any:
  """The package, with its readers and writers."""
  try:
    import ase
    import ase.io
  except ImportError as error:
    raise ImportError("ase is missing: pip install 'ma_keras[particles]'.") from error
  return ase
