"""Context columns of a table: what is given beside each row, numbers or words."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SHOWN = 8
LABEL = 'label'  # The class of an image.


@dataclasses.dataclass(frozen=True)
class ContextColumn:
  """A column that a density is conditional on, as it was in the training rows.

  Attributes:
    name: Name, or number from 0 where the table has no names.
    categories: Words that occurred; their places are their codes, 0..K-1. None for numbers.
    least: Smallest number, or code.
    greatest: Largest number, or code.
  """

  name: str
  categories: tuple[str, ...] | None
  least: float
  greatest: float

  def __post_init__(self) -> None:
    """Raises ValueError on what is no column."""
    words = self.categories or ()
    if not isinstance(self.name, str) or not all(isinstance(word, str) for word in words):
      raise ValueError('a context column has a name and categories of text')
    if not -np.inf < self.least <= self.greatest < np.inf or len(set(words)) < len(words):
      raise ValueError(f'context column {self.name!r} has no range, or categories twice')

  @property
  def size(self) -> int:
    """Number of features: 1 of numbers, K of categories."""
    return 1 if self.categories is None else len(self.categories)

  def config(self) -> dict[str, Any]:
    """The column as plain values."""
    return dataclasses.asdict(self)

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> ContextColumn:
    """The column of `config`; raises ValueError or TypeError on any other."""
    categories = config['categories']
    return cls(**{**config, 'categories': None if categories is None else tuple(categories)})

  def code(self, word: str) -> float:
    """Place of a word among the categories.

    Raises:
      ValueError: It did not occur in training.
    """
    categories = self.categories or ()
    if word in categories:
      return float(categories.index(word))
    close = difflib.get_close_matches(word, categories, n=1)
    hint = f' (did you mean {close[0]!r}?)' if close else ''
    raise ValueError(
      f'has {word!r} in context column {self.name!r}, and the model was trained on '
      f'{_listed(categories)}{hint}'
    )

  @property
  def coded(self) -> str:
    """Categories with their codes, in words."""
    return ', '.join(f'{word} = {code}' for code, word in enumerate(self.categories or ()))

  def outside(self, values: np.ndarray) -> np.ndarray:
    """Tells which values lie outside the range of training, [n]."""
    return (values < self.least) | (values > self.greatest)


def from_flag(text: str, columns: Sequence[ContextColumn]) -> np.ndarray:
  """Numbers and codes [O] of 'age=40,sex=F': the value of --context.

  Args:
    text: One pair for every column, in any order; in quotes where it has a comma, '"town=A, b"'.
    columns: O columns.

  Raises:
    ValueError: A column is missing, unknown or named twice, or has no such value.
  """
  values: dict[str, float] = {}
  for pair in next(csv.reader([text], skipinitialspace=True), []):
    fitting = [column for column in columns if pair.startswith(f'{column.name}=')]
    column = max(fitting, key=lambda one: len(one.name), default=None)
    if column is None or column.name in values:
      wrong = 'names no context column' if column is None else 'has a column twice'
      raise ValueError(f'`--context` {wrong}, {pair!r}: an example is {example(columns)}.')
    values[column.name] = _value(column, pair[len(column.name) + 1 :].strip())
  missing = [column.name for column in columns if column.name not in values]
  if missing:
    raise ValueError(
      f'`--context` {text!r} lacks {", ".join(missing)}: an example is {example(columns)}.'
    )
  return np.array([values[column.name] for column in columns])


def _value(column: ContextColumn, word: str) -> float:
  """Number or code of a word."""
  if column.categories is not None:
    try:
      return column.code(word)
    except ValueError as error:
      raise ValueError(f'`--context` {error}.') from None
  try:
    value = float(word)
  except ValueError:
    value = np.nan
  if not np.isfinite(value):
    raise ValueError(f'`--context` {column.name}={word} is no number, with a point for decimals.')
  return value


def example(columns: Sequence[ContextColumn]) -> str:
  """A value of --context."""
  words = [c.categories[0] if c.categories else f'{c.least:g}' for c in columns]
  line = io.StringIO()
  pairs = [f'{column.name}={word}' for column, word in zip(columns, words)]
  csv.writer(line, lineterminator='').writerow(pairs)
  return line.getvalue()


def column_of(name: str, values: np.ndarray | Mapping[str, int]) -> ContextColumn:
  """Survey of the values of one column: numbers [n], or numbers of rows by word.

  Words have their codes in the order of the alphabet.

  Raises:
    ValueError: It does not vary, or has about as many words as rows.
  """
  if isinstance(values, np.ndarray):
    least, greatest = (float(np.min(values)), float(np.max(values))) if values.size else (0.0, 0.0)
    categories, only = None, f'{least:g}' if values.size else 'no number'
  else:
    categories = tuple(sorted(values))
    least, greatest = 0.0, float(max(len(categories) - 1, 0))
    only = repr(categories[0]) if categories else 'no word'
  if least == greatest:
    raise ValueError(
      f'has {only} alone in context column {name!r}, on which nothing can depend: leave it out of '
      '--context_columns'
    )
  if not isinstance(values, np.ndarray) and 2 * len(values) > sum(values.values()):
    raise ValueError(
      f'has {len(values)} different words in {sum(values.values())} rows of context column '
      f'{name!r}: these are names and no categories; leave it out of --context_columns'
    )
  return ContextColumn(name, categories, least, greatest)


def _listed(words: Sequence[str]) -> str:
  first = ', '.join(map(repr, words[:SHOWN]))
  return first if len(words) <= SHOWN else f'{first}, ... ({len(words):,} in all)'
