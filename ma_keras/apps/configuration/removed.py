"""Flags that are gone, and what says the same today."""

from __future__ import annotations

from collections.abc import Callable


def _penalty(stiffness_weight: str) -> str:
  try:
    weight = float(stiffness_weight)
  except ValueError:
    return '--penalty=stiffness:0.3'
  return f'--penalty=stiffness:{weight:g}' if weight else '--penalty='


# Name -> text of its value -> the line of a flagfile that replaces it.
REMOVED: dict[str, Callable[[str], str]] = {'stiffness_weight': _penalty}


def today(line: str) -> str:
  """The line of a flagfile as it is written today."""
  name, separator, value = line.removeprefix('--').partition('=')
  return REMOVED[name](value) if separator and name in REMOVED else line
