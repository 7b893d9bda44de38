"""Kinds that a person chooses for the columns of a table: --column_kind."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence

from ma_keras.data.columns.column import Column
from ma_keras.data.columns.kinds import KINDS

FLAG_KINDS = (*KINDS, 'integer')


def kinds_from_flag(text: str, names: Sequence[str] | None = None) -> dict[str, str]:
  """Reads 'age:integer,share:unit,price:positive': the value of --column_kind.

  Args:
    text: Pairs of a name, or of a number from 0, and a kind; kinds join, as in integer+positive.
    names: Of the columns; None where they have none, and numbers alone are understood, unchecked.

  Returns:
    Name to kind.

  Raises:
    ValueError: A name or a kind is unknown, or a pair is none.
  """
  kinds: dict[str, str] = {}
  for pair in next(csv.reader([text], skipinitialspace=True), []):
    name, colon, kind = (part.strip() for part in pair.rpartition(':'))
    parts = kind.split('+')
    if not colon or not set(parts) <= set(FLAG_KINDS) or len(set(parts) - {'integer'}) > 1:
      raise ValueError(
        f'`column_kind` must be NAME:KIND, with a kind of {", ".join(FLAG_KINDS)}, or two such as '
        f'integer+positive, got {pair!r}.'
      )
    kinds[_column_name(name, names)] = kind
  return kinds


def categories_from_flag(text: str, contexts: Sequence[str]) -> tuple[tuple[str, ...], str]:
  """Context columns of --column_kind=region:category, and the rest of the flag.

  Args:
    text: The value of --column_kind.
    contexts: Names of the context columns.

  Raises:
    ValueError: A column is a category that is no context, or a context of another kind.
  """
  categories: list[str] = []
  rest: list[str] = []
  for pair in next(csv.reader([text], skipinitialspace=True), []):
    name, _, kind = (part.strip() for part in pair.rpartition(':'))
    if (kind == 'category') != (name in contexts):
      raise ValueError(
        f'`column_kind` got {pair!r}: columns of --context_columns may be of kind category, and no '
        'others.'
      )
    (categories if kind == 'category' else rest).append(name if kind == 'category' else pair)
  line = io.StringIO()
  csv.writer(line, lineterminator='').writerow(rest)
  return tuple(categories), line.getvalue()


def _column_name(name: str, names: Sequence[str] | None) -> str:
  if names is not None and name in names:
    return name
  if name.isdecimal() and (names is None or int(name) < len(names)):
    return str(int(name)) if names is None else names[int(name)]
  listed = 'numbers from 0: the table has no names' if names is None else ', '.join(names)
  raise ValueError(f'`column_kind` names {name!r}, and the columns are {listed}.')


def with_kinds(columns: Sequence[Column], kinds: Mapping[str, str]) -> tuple[Column, ...]:
  """Returns the columns with the kinds that a person chose.

  'integer' sets the step to 1; 'real' alone sets it to 0; other kinds leave it as surveyed.

  Raises:
    ValueError: A column has values that its kind cannot hold, or is unknown.
  """
  unknown = sorted(set(kinds) - {column.name for column in columns})
  if unknown:
    listed = ', '.join(column.name for column in columns)
    raise ValueError(f'`column_kind` names {unknown[0]!r}, and the columns are {listed}.')
  return tuple(
    _with_kind(column, kinds[column.name]) if column.name in kinds else column for column in columns
  )


def _with_kind(column: Column, text: str) -> Column:
  parts = set(text.split('+'))
  kind = next(iter(parts - {'integer'}), 'real')
  step = 1.0 if 'integer' in parts else 0.0 if parts == {'real'} else column.step
  low, high = column.least, column.greatest
  faults = (
    (column.kind == 'constant', 'do not vary'),
    ('integer' in parts and not column.whole, 'are not all whole numbers'),
    (kind == 'positive' and (low < 0 or low + step == 0), f'begin at {low:g}, not above 0'),
    (kind == 'unit' and not 0 <= low <= high <= 1, f'lie in [{low:g}, {high:g}], not in [0, 1]'),
  )
  for wrong, phrase in faults:
    if wrong:
      raise ValueError(
        f'`column_kind` says {column.name}:{text}, but its values {phrase}: choose another of '
        f'{", ".join(FLAG_KINDS)}.'
      )
  return dataclasses.replace(column, kind=kind, step=step, reason='chosen by --column_kind')
