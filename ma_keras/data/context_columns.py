"""Context columns of a table: what is given beside each row, numbers or words."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

SHOWN = 8


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
    hint = f'; did you mean {close[0]!r}?' if close else ''
    raise ValueError(
      f'has {word!r} in context column {self.name!r}, and the model was trained on '
      f'{_listed(categories)}{hint}'
    )

  def outside(self, values: np.ndarray) -> np.ndarray:
    """Tells which values lie outside the range of training, [n]."""
    return (values < self.least) | (values > self.greatest)


def column_of(name: str, values: np.ndarray | Sequence[str]) -> ContextColumn:
  """Survey of the values of one column: numbers [n], or words, whose order is that of the alphabet.

  Raises:
    ValueError: It does not vary, or has as many words as rows.
  """
  if isinstance(values, np.ndarray):
    least, greatest, categories = float(np.min(values)), float(np.max(values)), None
  else:
    categories = tuple(sorted(set(values)))
    least, greatest = 0.0, len(categories) - 1.0
  if least == greatest:
    only = categories[0] if categories else f'{least:g}'
    raise ValueError(
      f'has {only!r} alone in context column {name!r}, of which nothing depends: leave it out of '
      '--context_columns'
    )
  if categories and 2 * len(categories) > len(values):
    raise ValueError(
      f'has {len(categories)} different words in {len(values)} rows of context column {name!r}: '
      'these are names and no categories; leave it out of --context_columns'
    )
  return ContextColumn(name, categories, least, greatest)


def _listed(words: Sequence[str]) -> str:
  first = ', '.join(map(repr, words[:SHOWN]))
  return first if len(words) <= SHOWN else f'{first}, ... ({len(words):,} in all)'
