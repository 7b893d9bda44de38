"""The report on the columns of a table, as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from ma_keras.data.columns.column import Column

HEAD = ['column', 'unique', 'missing', 'least', 'greatest', 'median', 'robust deviation']
HEAD += ['mean', 'deviation', 'whole', 'suggested']
Pairs = Sequence[tuple[str, str, float]]


def report(
  columns: Sequence[Column], pairs: Pairs = (), groups: Sequence[Sequence[str]] = ()
) -> str:
  """Returns the report as text: a table with a line for every column, then doubts and relations.

  Args:
    columns: Of `columns.survey`.
    pairs: Of `collinear`.
    groups: Of `dependent`.
  """
  cells = [HEAD, *(_cells(column) for column in columns)]
  widths = [max(map(len, cell)) for cell in zip(*cells)]
  lines = ['  '.join(map(str.ljust, line, widths)).rstrip() for line in cells]
  count = columns[0].count if columns else 0
  note = '' if all(column.exact for column in columns) else '; ~ is of rows drawn at random'
  return '\n'.join([f'{count} rows{note}', *lines, *remarks(columns, pairs, groups), ''])


def remarks(
  columns: Sequence[Column], pairs: Pairs = (), groups: Sequence[Sequence[str]] = ()
) -> list[str]:
  """Returns a line for everything in doubt; none where all is well."""
  lines = [f'{c.name}: {doubt}.' for c in columns for doubt in c.doubts]
  lines += [f'{c.name}: {c.reason}.' for c in columns if c.kind == 'constant' and c.sampled]
  lines += [f'{c.name}: {c.missing} of {c.count} values are missing.' for c in columns if c.missing]
  for first, second, correlation in pairs:
    lines.append(f'{first} and {second}: correlation {correlation:.6f}, hardly two columns.')
  for group in groups:
    lines.append(f'{", ".join(group)}: a linear relation holds, one of them follows from others.')
  return lines


def suggestion(column: Column) -> str:
  """Returns the preprocessing in words: 'positive, log: 0.84 nats a row better than none'."""
  noise = f', cells of {column.step:g}' if column.step else ''
  return f'{column.kind}{noise}, {column.reason}'


def _cells(column: Column) -> list[str]:
  mark = '' if column.exact else '~'
  return [
    column.name,
    f'{mark}{column.unique}',
    str(column.missing),
    f'{column.least:.7g}',
    f'{column.greatest:.7g}',
    f'{mark}{column.median:.7g}',
    f'{mark}{column.robust_deviation:.4g}',
    f'{column.mean:.7g}',
    f'{column.deviation:.4g}',
    'yes' if column.whole else 'no',
    suggestion(column),
  ]


def as_json(
  columns: Sequence[Column], pairs: Pairs = (), groups: Sequence[Sequence[str]] = ()
) -> str:
  """Returns the report as JSON: {'columns': [...], 'collinear': [...], 'dependent': [...]}."""
  described = {
    'columns': [_described(column) for column in columns],
    'collinear': [list(pair) for pair in pairs],
    'dependent': [list(group) for group in groups],
  }
  return json.dumps(described, indent=2, allow_nan=False, ensure_ascii=False)


def _described(column: Column) -> dict[str, object]:
  """Attributes as plain values; null for numbers that there are not."""
  values = dataclasses.asdict(column)
  return {
    key: None if isinstance(value, float) and not np.isfinite(value) else value
    for key, value in values.items()
  }
