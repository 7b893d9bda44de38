"""Bytes of files, unpacked where they are packed, and what kind of file the first of them tell."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa

# First bytes -> codec of pyarrow.
PACKED = {
  b'\x1f\x8b': 'gzip',
  b'BZh': 'bz2',
  b'\x28\xb5\x2f\xfd': 'zstd',
  b'\x04\x22\x4d\x18': 'lz4',
}
PACKED_SUFFIXES = ('.gz', '.bz2', '.zst', '.lz4')
# First bytes -> kind of file.
MAGIC = {
  b'PAR1': 'Parquet',
  b'ARROW1': 'Arrow',
  b'FEA1': 'Feather 1',
  b'\x93NUMPY': '.npy',
  b'PK\x03\x04': 'zip',
  b'\x89HDF': 'HDF5',
  b'\xd0\xcf\x11\xe0': 'old Excel',
  b'\x80\x04\x95': 'Python objects',
}
Opener = Callable[[], Any]


def opener(path: pathlib.Path) -> Opener:
  """A function that opens the file at its beginning, unpacked; raises OSError where it cannot."""
  with open(path, 'rb') as file:
    head = file.read(8)
  codec = next((name for magic, name in PACKED.items() if head.startswith(magic)), None)
  return lambda: pa.input_stream(str(path), compression=codec)


def kind(head: bytes) -> str:
  """Kind of a file that begins with these bytes; empty if nothing is known of them."""
  return next((name for magic, name in MAGIC.items() if head.startswith(magic)), '')


def suffix(path: pathlib.Path) -> str:
  """Lower-case suffix of the unpacked file: '.csv' of 'T.CSV.gz'."""
  parts = [part.lower() for part in path.suffixes]
  while parts and parts[-1] in PACKED_SUFFIXES:
    parts.pop()
  return parts[-1] if parts else ''


def stem(path: pathlib.Path) -> str:
  """Name of the file without its suffixes: 'points' of 'points.csv.gz'."""
  name = path.name
  for ending in (*PACKED_SUFFIXES, suffix(path)):
    if ending and name.lower().endswith(ending):
      name = name[: -len(ending)]
  return name or path.name
