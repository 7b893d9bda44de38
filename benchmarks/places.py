"""Values in files of results, by the names of their places.

A place is FILE:KEYS. FILE is relative to the folder, and a JSON file where it has no suffix; a .csv
file has its columns as keys. KEYS are separated by slashes; an item of a list goes by its `name` or
`run`, or else by its number from zero; * stands for all keys.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import pathlib
from typing import Any


@dataclasses.dataclass(frozen=True)
class Files:
  """Files below a folder."""

  folder: pathlib.Path

  def expanded(self, place: str) -> list[str]:
    """The place alone, or one for every key that a * stands for."""
    head, star, tail = place.partition('*')
    if not star:
      return [place]
    keys = keyed(self.read(head.removesuffix('/')))
    return [each for key in keys for each in self.expanded(f'{head}{key}{tail}')]

  def read(self, place: str) -> Any:
    """The value at a place without a *.

    Raises:
      ValueError: If there is none; the message has the file or the key that is missing.
    """
    file, colon, keys = place.partition(':')
    if not colon:
      raise ValueError(f'"{place}" names no file: write FILE:KEYS')
    value = content(self.folder / (file if file.endswith('.csv') else f'{file}.json'))
    for key in keys.split('/') if keys else []:
      items = keyed(value)
      if key not in items:
        raise ValueError(f'"{key}" of {place} is none of {", ".join(items) or "no keys"}')
      value = items[key]
    return value


def keyed(value: Any) -> dict[str, Any]:
  """Items of a dictionary or a list by their keys: numbers, unless they have names."""
  if isinstance(value, dict):
    return value
  items = value if isinstance(value, list) else []
  by_name = {name(item, str(number)): item for number, item in enumerate(items)}
  if len(by_name) < len(items):
    raise ValueError(f'items of one name among {", ".join(by_name)}')
  return by_name


def name(item: Any, number: str) -> str:
  """Name of an item of a list."""
  names = item if isinstance(item, dict) else {}
  return str(names.get('name', names.get('run', number)))


@functools.cache
def content(path: pathlib.Path) -> Any:
  """Reads a file: JSON, or the columns of a table of numbers."""
  if not path.is_file():
    raise ValueError(f'there is no file {path}')
  text = path.read_text()
  if path.suffix == '.json':
    return json.loads(text)
  head, *rows = csv.reader(text.splitlines())
  columns = zip(*[[float('nan' if cell == 'NA' else cell) for cell in row] for row in rows])
  return {title: list(column) for title, column in zip(head, columns)}
