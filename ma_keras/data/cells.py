"""Kinds of cells of a text table: a number, a truth value, a date, text, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

MISSING = (
  *('', 'NA', 'N/A', 'n/a', 'na', '<NA>', 'NaN', 'nan', 'NAN', '-nan', '-NaN', 'NaT', 'NULL'),
  *('null', 'Null', 'None', 'none', 'nil', 'missing', '?', '.', '-', '--', '*', '#N/A', '#N/A N/A'),
  *('#NA', '#VALUE!', '#DIV/0!', '#REF!', '#NAME?', '#NUM!', '#NULL!', '1.#QNAN', '1.#IND'),
  *('-1.#QNAN', '-1.#IND'),
)
TRUE = ('true', 'True', 'TRUE')
FALSE = ('false', 'False', 'FALSE')
SHOWN = 30

_EXPONENT = r'([eE][+-]?\d+)?'
_INFINITE = r'[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?'
_NUMBER = {
  '.': re.compile(rf'[+-]?(\d+\.?\d*|\.\d+){_EXPONENT}|{_INFINITE}'),
  ',': re.compile(rf'[+-]?(\d+(,\d+)?|,\d+){_EXPONENT}|{_INFINITE}'),
}
_DATE = re.compile(
  r'\d{4}[-/.]\d\d?[-/.]\d\d?([T ].*)?|\d\d?[-/.]\d\d?[-/.]\d{2,4}( .*)?|\d+:\d\d.*'
)
_MISSING = frozenset(MISSING)
_WORDS = frozenset((*TRUE, *FALSE))


def is_missing(cell: str) -> bool:
  """Tells if a cell stands for a missing value."""
  return cell.strip() in _MISSING


def is_number(cell: str, decimal: str) -> bool:
  """Tells if a cell is a number, with '.' or ',' for the decimal mark; infinity is one."""
  return _NUMBER[decimal].fullmatch(cell.strip()) is not None


def is_truth(cell: str) -> bool:
  """Tells if a cell is true or false."""
  return cell.strip() in _WORDS


def kind(cells: Sequence[str], decimal: str) -> str:
  """Returns the kind of most cells: 'number', 'truth', 'dates' or 'text'; missing ones vote not.

  A column of nothing is one of numbers.
  """
  words = [cell for cell in cells if not is_missing(cell)]
  numbers = sum(is_number(cell, decimal) for cell in words)
  if 2 * numbers > len(words) or not words:
    return 'number'
  if 2 * sum(map(is_truth, words)) > len(words):
    return 'truth'
  dates = sum(_DATE.fullmatch(cell.strip()) is not None for cell in words)
  return 'dates' if 2 * dates > len(words) else 'text'


def shown(cell: str) -> str:
  """The cell as errors quote it, in one line."""
  text = cell.strip()
  return repr(text if len(text) <= SHOWN else f'{text[:SHOWN]}...')
