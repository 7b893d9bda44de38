"""Hashes of data: the same content under whatever name, and another under the same."""

from __future__ import annotations

import hashlib
import pathlib

import numpy as np

BLOCK = 1 << 20


def of_file(path: str | pathlib.Path) -> str:
  """SHA-256 of the bytes of a file, read a block at a time; raises OSError where it cannot be.

  A folder's is that of the names within and of the hashes of what they hold.
  """
  path = pathlib.Path(path)
  digest = hashlib.sha256()
  if path.is_dir():
    for file in sorted(file for file in path.rglob('*') if file.is_file()):
      digest.update(f'{file.relative_to(path)} {of_file(file)} '.encode())
    return digest.hexdigest()
  with open(path, 'rb') as stream:
    while block := stream.read(BLOCK):
      digest.update(block)
  return digest.hexdigest()


def of_arrays(*arrays: np.ndarray) -> str:
  """SHA-256 of dtypes, shapes and values."""
  digest = hashlib.sha256()
  for array in arrays:
    digest.update(f'{array.dtype.str} {array.shape} '.encode())
    digest.update(np.ascontiguousarray(array).data)
  return digest.hexdigest()
