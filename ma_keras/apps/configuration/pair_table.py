"""Numbers of pairs of kinds as a text: 0-1:1.5,1-1:0.5."""

from __future__ import annotations

import math
import re

PAIR = re.compile(r'(\d+)-(\d+):(.+)', re.ASCII)


def parse(text: str) -> dict[tuple[int, int], float]:
  """Numbers by pair (a, b), a <= b, of '0-1:1.5,1-1:0.5'.

  Raises:
    ValueError: It has another form, a pair stands twice, or a number is not positive.
  """
  entries: dict[tuple[int, int], float] = {}
  for part in (part.strip() for part in text.split(',')):
    match = PAIR.fullmatch(part)
    first, second = sorted(map(int, match.groups()[:2])) if match else (0, 0)
    number = _number(match[3]) if match else None
    if number is None or (first, second) in entries:
      raise ValueError(
        f'{part!r} is no pair of kinds with a positive number, or stands twice: write '
        '0-1:1.5,1-1:0.5; pairs that are left out have 1.'
      )
    entries[first, second] = number
  return entries


def table(text: str, kinds: int) -> tuple[tuple[float, ...], ...]:
  """The symmetric table of so many kinds, 1 where the text says nothing.

  Raises:
    ValueError: It names another kind, or as `parse`.
  """
  entries = parse(text)
  unknown = sorted({kind for pair in entries for kind in pair if kind >= kinds})
  if unknown:
    raise ValueError(f'there is no kind {unknown[0]} among --species: name 0 to {kinds - 1}')
  return tuple(
    tuple(entries.get((min(a, b), max(a, b)), 1.0) for b in range(kinds)) for a in range(kinds)
  )


def _number(text: str) -> float | None:
  try:
    number = float(text)
  except ValueError:
    return None
  return number if 0 < number < math.inf else None
