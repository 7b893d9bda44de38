"""Context columns beside the numbers of a table: codes of words, and numbers as they are."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from ma_keras.data import cells
from ma_keras.data.context_columns import ContextColumn, column_of
from ma_keras.data.reader import Blocks, Reader

TEXT = ('text', '<U')  # Kinds of columns of words, as readers name them.
FEW = 20  # Rows of a category that tell little of it.


def surveyed(
  reader: Reader, numbers: Sequence[int], categorical: Collection[str] = ()
) -> tuple[ContextColumn, ...]:
  """The context columns of a table, read once for all numbers and once for each column of words.

  Args:
    reader: The table.
    numbers: Those of the columns.
    categorical: Names of columns whose numbers are names of something, 'region' say.

  Raises:
    ValueError: A column does not vary, has as many words as rows, or holds dates.
  """
  return tuple(_surveyed(reader, number, reader.name(number) in categorical) for number in numbers)


def _surveyed(reader: Reader, number: int, categorical: bool) -> ContextColumn:
  name, holds = reader.name(number), reader.unfit.get(number, '')
  if holds and not holds.startswith(TEXT) and not categorical:
    raise ValueError(
      f'has {holds.partition(",")[0]} in context column {name!r}: write numbers, or take its words '
      f'as categories by --column_kind={name}:category'
    )
  if not (holds or categorical):
    values = np.concatenate([rows[:, 0] for rows, _ in reader.read([number], None)])
    return column_of(name, values[np.isfinite(values)])
  counts = Counter(_words(reader, number))
  present = {word: count for word, count in counts.items() if not cells.is_missing(word)}
  return column_of(name, present)


def blocks(
  reader: Reader,
  columns: Sequence[ContextColumn],
  numbers: Sequence[int],
  others: Sequence[int],
  ids: int | None,
) -> Blocks:
  """Blocks [b, O + N] of contexts and of other columns, and ids; NaN for words that are missing.

  Args:
    reader: The table.
    columns: O columns, as they were in training.
    numbers: Their numbers in the table, [O].
    others: Numbers of the other columns, [N].
    ids: Number of the column of ids, or None.

  Raises:
    ValueError: A word is none of the categories; the message goes on after the name of the file.
  """
  places = {k: number for k, number in enumerate(numbers) if columns[k].categories is None}
  for number in places.values():
    if number in reader.unfit:
      raise ValueError(
        f'has {reader.unfit[number]} in context column {reader.name(number)!r}, of which the model '
        'takes numbers: write them'
      )
  words = {k: _words(reader, number) for k, number in enumerate(numbers) if k not in places}
  start = 0
  for block, labels in reader.read([*places.values(), *others], ids):
    rows = np.empty((len(block), len(numbers) + len(others)))
    rows[:, list(places)] = block[:, : len(places)]
    rows[:, len(numbers) :] = block[:, len(places) :]
    for k, texts in words.items():
      rows[:, k] = _codes(columns[k], list(itertools.islice(texts, len(block))), start)
    yield rows, labels
    start += len(block)


def doubts(column: ContextColumn, codes: np.ndarray) -> str:
  """Says in one line which categories few rows have; empty if none."""
  if column.categories is None:
    return ''
  counts = np.bincount(codes.astype(int), minlength=column.size)
  few = [f'{column.categories[k]!r} ({counts[k]})' for k in np.flatnonzero(counts < FEW).tolist()]
  if not few:
    return ''
  return (
    f'{column.name} has categories of fewer than {FEW} training rows, which tell little of them: '
    f'{", ".join(few[:5])}{", ..." if len(few) > 5 else ""}'
  )


def _words(reader: Reader, number: int) -> Iterator[str]:
  """Words of a column one by one: a file may have other blocks of them than of its neighbours."""
  for _, texts in reader.read([], number):
    yield from (text.strip() for text in texts or ())


def _codes(column: ContextColumn, words: Sequence[str], start: int) -> np.ndarray:
  """Codes of words, [n]; NaN of missing ones."""
  known = {word: column.code(word) for word in column.categories or ()}
  codes = np.empty(len(words))
  for k, word in enumerate(words):
    code = known.get(word, np.nan)
    if np.isnan(code) and not cells.is_missing(word):
      try:
        column.code(word)
      except ValueError as error:
        raise ValueError(f'{error}, in row {start + k} (from 0, without header)') from None
    codes[k] = code
  return codes
