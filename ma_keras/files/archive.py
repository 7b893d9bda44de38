"""Arrays out of a .npz that anybody may have written: sizes are checked before data are read."""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

MOST_BYTES = 64 << 20  # In all; above, a file may hold
MOST_RATIO = 20  # so many times its own size. Weights hardly compress, tables of groups 15 times.
MOST_MEMBERS = 10_000
HEADERS = {
  (1, 0): np.lib.format.read_array_header_1_0,
  (2, 0): np.lib.format.read_array_header_2_0,
}


class Header(NamedTuple):
  """Dtype and shape that a member claims for its array.

  Attributes:
    shape: Shape.
    dtype: No object array: reading one would execute code.
  """

  shape: tuple[int, ...]
  dtype: np.dtype


class Archive:
  """The arrays of a .npz by name; none is read before it is asked for.

  Attributes:
    size: Bytes of the file.
    headers: Name to header.
  """

  def __init__(self, file: IO[bytes]) -> None:
    """Reads the directory and the headers, a few hundred bytes an array.

    Raises:
      ValueError: Sizes contradict each other or the file, or a name stands twice.
      Exception: Whatever zipfile and zlib raise of damaged bytes.
    """
    self.size = os.fstat(file.fileno()).st_size
    self._zip = zipfile.ZipFile(file)
    members = self._zip.infolist()
    self._check_sizes(members)
    self.headers = {
      member.filename.removesuffix('.npy'): self._header(member) for member in members
    }
    if len(self.headers) < len(members):
      raise ValueError('a name stands twice in it.')

  def read(self, name: str) -> np.ndarray:
    """The array; raises an Exception of zipfile's or zlib's if its checksum is wrong."""
    with self._zip.open(f'{name}.npy') as stream:
      array = np.lib.format.read_array(stream, allow_pickle=False)
      stream.read(1)  # The end, where zipfile compares the checksum.
    return array

  def _check_sizes(self, members: list[zipfile.ZipInfo]) -> None:
    packed = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or packed > self.size:
      raise ValueError(f'{len(members)} arrays of {packed} bytes do not fit in {self.size} bytes.')
    if unpacked > max(MOST_BYTES, MOST_RATIO * self.size):
      raise ValueError(f'{self.size} bytes that would become {unpacked}: no model compresses so.')

  def _header(self, member: zipfile.ZipInfo) -> Header:
    with self._zip.open(member) as stream:
      shape, _, dtype = HEADERS[np.lib.format.read_magic(stream)](stream)
      expected = stream.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or expected != member.file_size or not member.filename.endswith('.npy'):
      raise ValueError(
        f'{member.filename} says that it is {dtype} {list(shape)}, {expected} bytes, and has '
        f'{member.file_size}.'
      )
    return Header(shape, dtype)


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[Archive]:
  """The archive of a regular file: a pipe or a device might never end.

  Raises:
    ValueError: `path` is none, or see `Archive`.
    OSError: It cannot be opened.
  """
  if path.exists() and not path.is_file():
    raise ValueError('it is no regular file')
  with path.open('rb') as file:
    yield Archive(file)
