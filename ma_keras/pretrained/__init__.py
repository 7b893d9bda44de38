"""Trained models: those that come with the package, and those of a folder or an address.

Every place has an index.json with sizes, figures and hashes; a model file whose hash is another
is not opened. The card beside each model says what it is.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from ma_keras.pretrained import index, sources
from ma_keras.pretrained.index import Entry, Table
from ma_keras.pretrained.index import write as write_index

if TYPE_CHECKING:
  from ma_keras.saving.model_file import Model

__all__ = ['FOLDER', 'Entry', 'Table', 'card', 'load', 'names', 'table', 'write_index']

# Where the models of the package are.
FOLDER = pathlib.Path(__file__).resolve().parent
MOST_INDEX_BYTES = 1 << 20
MOST_CARD_BYTES = 1 << 20


def table(source: str | os.PathLike[str] | None = None) -> Table:
  """Names, sizes, figures and hashes of the models there are.

  Args:
    source: A folder with an index.json, or its address, http, https or file; None for the models
      of the package.

  Returns:
    An entry for every model, by name; `print(table())` lists them.

  Raises:
    ValueError: There is no index, or it is none.
    OSError: The address cannot be reached.
  """
  place = _place(source)
  return index.read(place.read(index.INDEX, MOST_INDEX_BYTES), place.where(index.INDEX))


def names(source: str | os.PathLike[str] | None = None) -> list[str]:
  """The models there are; see `table`."""
  return [entry.name for entry in table(source)]


def load(
  name: str, source: str | os.PathLike[str] | None = None, sha256: str | None = None
) -> Model:
  """A trained model: `load('mnist').flow()` draws images and scores them.

  A model of an address is kept in the folder that MA_KERAS_CACHE names, or in the user's cache. The
  index tells a damaged file from a whole one. If whoever serves the address is not to be trusted,
  give the hash that you expect, too; model files run no code in any case.

  Args:
    name: One of `names(source)`.
    source: A folder with an index.json, or its address; None for the models of the package.
    sha256: The hash that the file must have. A model that was loaded before then needs no network.

  Returns:
    The model; its `notes` hold the figures of merit, its card (`card`) what to know of it.

  Raises:
    ValueError: No model has that name, its file has another hash, or `sha256` is no hash.
    OSError: The address cannot be reached.
  """
  from ma_keras.saving import model_file

  return model_file.load(_path(name, source, None if sha256 is None else _hash(sha256)))


def card(name: str, source: str | os.PathLike[str] | None = None) -> str:
  """The model card, Markdown.

  Raises:
    ValueError: No model has that name, or it has no card.
    OSError: The address cannot be reached.
  """
  _entry(name, source)
  return _place(source).read(f'{name}.md', MOST_CARD_BYTES).decode('utf-8', errors='replace')


def _path(name: str, source: str | os.PathLike[str] | None, sha256: str | None) -> pathlib.Path:
  """The file of a model, its hash checked."""
  place = _place(source)
  if sha256 is not None and isinstance(place, sources.Address) and (path := place.cached(sha256)):
    return path
  entry = _entry(name, source)
  if sha256 is not None and sha256 != entry.sha256:
    raise ValueError(
      f'`sha256` {sha256} is not that of {name!r} in {place.where(index.INDEX)}, {entry.sha256}: '
      'it is another model by now.'
    )
  return place.model_path(entry)


def _hash(sha256: str) -> str:
  """The hash in small letters; raises ValueError if it is none, which must not go unnoticed."""
  lower = str(sha256).lower()
  if not index.SHA256.fullmatch(lower):
    raise ValueError(f'`sha256` must be 64 hexadecimal digits, got {sha256!r}.')
  return lower


def _place(source: str | os.PathLike[str] | None) -> sources.Source:
  return sources.source_of(FOLDER if source is None else source)


def _entry(name: str, source: str | os.PathLike[str] | None) -> Entry:
  entries = {entry.name: entry for entry in table(source)}
  if name not in entries:
    raise ValueError(f'`name` must be one of {list(entries)}, got {name!r}.')
  return entries[name]
