"""Interface of every kind of file to a table: its columns, and a way to read some of them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

Labels = Sequence[str] | None
Blocks = Iterator[tuple[np.ndarray, Labels]]
# Numbers of columns, and that of the ids or None -> blocks of rows, float64 [b, N], and their ids.
Read = Callable[[Sequence[int], int | None], Blocks]


@dataclasses.dataclass(frozen=True)
class Reader:
  """A file whose columns are known and whose rows are still to be read.

  Attributes:
    path: Where it lies.
    form: What was understood of how it is written, in words.
    width: Number of columns.
    read: Reads some columns; see `Read`.
    names: Names of all columns, or None.
    unfit: Column number -> what it holds that is no number.
    spare: Column number -> why nobody wants it, an index say.
    num_rows: Number of rows, or None if only reading can tell.
    event_shape: Shape of a row; None for [width].
    levels: Number of values of pixels and bytes, 0..levels-1; None where the file does not tell.
    part: Which part of the file it is, in words; empty for all of it.
    label: Name of a last column of classes, which belongs to no event; empty where there is none.
  """

  path: pathlib.Path
  form: str
  width: int
  read: Read
  names: tuple[str, ...] | None = None
  unfit: Mapping[int, str] = dataclasses.field(default_factory=dict)
  spare: Mapping[int, str] = dataclasses.field(default_factory=dict)
  num_rows: int | None = None
  event_shape: tuple[int, ...] | None = None
  levels: int | None = None
  part: str = ''
  label: str = ''

  def name(self, number: int) -> str:
    """Name of a column, or its number from 0."""
    if self.label and number == self.width - 1:
      return self.label
    return self.names[number] if self.names else str(number)
