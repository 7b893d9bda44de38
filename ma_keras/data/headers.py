"""Headers of text tables: a first row of data is never taken for names of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ma_keras.data import cells

REMEDY = 'pass --header=yes if it names the columns, --header=no if it is data'


def is_header(rows: Sequence[Sequence[str]], header: str, decimal: str) -> bool:
  """Tells if the first row names the columns.

  With header='auto' it does where it has words over numbers and no number over numbers, as in
  x,y over 1,2. All numbers are data, and so are words over words beside numbers over numbers,
  as in anna,1 over bob,2.

  Args:
    rows: The first rows, as cells.
    header: 'auto', 'yes' or 'no'.
    decimal: '.' or ','.

  Raises:
    ValueError: It could be either; the message goes on after the name of the file.
  """
  if header != 'auto':
    return header == 'yes'
  first, rest = list(rows[0]), rows[1:]
  if rest and len(first) == usual_width(rest) - 1:  # R names rows, and not their column.
    first = ['', *first]
  kinds = column_kinds(rest, len(first), decimal)
  numeric = [kind in ('number', 'truth') for kind in kinds]
  is_word = [_is_word(cell, decimal) for cell in first]
  if not any(is_word):
    return _is_range(first, rest)
  over = any(word and number for word, number in zip(is_word, numeric))
  numbers = any(
    number and not word and not cells.is_missing(cell)
    for cell, word, number in zip(first, is_word, numeric)
  )
  if over and numbers and rest:
    raise ValueError(f'has a first row of words and numbers, {",".join(first)[:60]!r}: {REMEDY}')
  return over or not any(numeric)


def usual_width(rows: Sequence[Sequence[str]]) -> int:
  """The number of cells that most rows have."""
  return Counter(map(len, rows)).most_common(1)[0][0]


def column_kinds(rows: Sequence[Sequence[str]], width: int, decimal: str) -> list[str]:
  """Returns the kind of cells of every column, by `cells.kind`; shorter rows do not count."""
  columns = list(zip(*(row for row in rows if len(row) == width)))
  return [cells.kind(column, decimal) for column in columns] or ['number'] * width


def _is_word(cell: str, decimal: str) -> bool:
  return not (cells.is_missing(cell) or cells.is_number(cell, decimal) or cells.is_truth(cell))


def _is_range(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
  """Tells if numbers 0, 1, 2, ... name columns, as pandas writes them where nobody named any.

  They do beside the empty name of an index; alone over fractions they may.

  Raises:
    ValueError: They may.
  """
  stripped = [cell.strip() for cell in first]
  unnamed = stripped[0] == '' and len(stripped) > 1
  names = stripped[1:] if unnamed else stripped
  if names != [str(k) for k in range(len(names))] or not rest:
    return False
  if unnamed:
    return True
  if all(cell.strip().lstrip('+-').isdigit() for row in rest for cell in row):
    return False
  raise ValueError(f'has a first row 0, ..., {len(names) - 1} over fractions: {REMEDY}')
