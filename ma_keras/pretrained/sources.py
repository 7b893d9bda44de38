"""Places where trained models lie: a folder, or an address on the web with a cache beside it."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import os
import pathlib
import re
import urllib.parse
import urllib.request

from ma_keras.files.replacing import replacing
from ma_keras.pretrained import web
from ma_keras.pretrained.content import check_size, head
from ma_keras.pretrained.index import Entry

CACHE_VARIABLE = 'MA_KERAS_CACHE'
# A scheme of two letters or more and a slash; `https:` is what is left of `https:/NAME`.
ADDRESS = re.compile(r'[a-z][a-z0-9+.-]+:(/|$)', re.IGNORECASE)
# Whatever is before an @ in the first part of an address, however many slashes lead to it.
USER = re.compile(r'[^:]+:/*[^/]*@')


class Source(abc.ABC):
  """A place with an index.json, model files and their cards."""

  @abc.abstractmethod
  def where(self, name: str) -> str:
    """Path or address of a file, for errors."""

  @abc.abstractmethod
  def read(self, name: str, most: int) -> bytes:
    """Content of a file.

    Args:
      name: The file's name.
      most: The most bytes that it may have.

    Raises:
      ValueError: There is no such file, or it is larger.
      OSError: It cannot be read now.
    """

  @abc.abstractmethod
  def model_path(self, entry: Entry) -> pathlib.Path:
    """A file here with the model, whose hash has been checked.

    Raises:
      ValueError: There is none, or it is not what the index says.
      OSError: It cannot be read, or the cache cannot be written.
    """

  def check(self, content: bytes, entry: Entry) -> None:
    """Raises ValueError unless a model file has the hash of the index."""
    actual = hashlib.sha256(content).hexdigest()
    if actual != entry.sha256:
      raise ValueError(
        f'{self.where(entry.name + ".npz")} is not the file of the index: SHA-256 {actual}, '
        f'expected {entry.sha256}. It is damaged, or the index is of another version: get both '
        'again.'
      )


@dataclasses.dataclass(frozen=True)
class Folder(Source):
  """A folder of this machine.

  Attributes:
    path: The folder.
  """

  path: pathlib.Path

  def where(self, name: str) -> str:
    """The path."""
    return str(self.path / name)

  def read(self, name: str, most: int) -> bytes:
    """See `Source`."""
    path = self.path / name
    if not path.is_file():
      raise ValueError(f'There is no {path}.')
    with path.open('rb') as file:
      content = head(file, most)
    check_size(content, most, str(path))
    return content

  def model_path(self, entry: Entry) -> pathlib.Path:
    """See `Source`."""
    self.check(self.read(f'{entry.name}.npz', entry.size), entry)
    return self.path / f'{entry.name}.npz'


@dataclasses.dataclass(frozen=True)
class Address(Source):
  """An address of http or https; models are kept in a folder by their hashes.

  Attributes:
    address: The address of the folder, without a slash at its end.
    cache: The folder for models.
  """

  address: str
  cache: pathlib.Path

  def where(self, name: str) -> str:
    """The address."""
    return f'{self.address}/{name}'

  def read(self, name: str, most: int) -> bytes:
    """See `Source`."""
    return web.fetch(self.where(name), most)

  def model_path(self, entry: Entry) -> pathlib.Path:
    """See `Source`; a model that was loaded before needs no network."""
    path = self.cached(entry.sha256)
    if path is not None:
      return path
    content = self.read(f'{entry.name}.npz', entry.size)
    self.check(content, entry)
    self.cache.mkdir(parents=True, exist_ok=True)
    path = self.cache / f'{entry.sha256}.npz'
    with replacing(path) as beside:
      beside.write_bytes(content)
    return path

  def cached(self, sha256: str) -> pathlib.Path | None:
    """The file of that hash in the cache; None where there is none, or it is damaged."""
    path = self.cache / f'{sha256}.npz'
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
      return path
    return None


def is_address(text: str) -> bool:
  """Tells an address, which may be none that is understood, from a path."""
  return ADDRESS.match(text) is not None


def source_of(place: str | os.PathLike[str]) -> Source:
  """The source that a path or an address names.

  Args:
    place: A folder, or an address of http, https or file.

  Raises:
    ValueError: It is neither, or holds a password.
  """
  text = os.fspath(place)
  if not is_address(text):
    return Folder(pathlib.Path(text))
  if USER.match(text):
    raise ValueError(
      '`source` must hold no user and no password, which errors and logs would show: leave out '
      'what is before the @ of its host.'
    )
  if (parts := _parts(text)) is None:
    raise ValueError(
      '`source` must be a folder or an address such as https://HOST/FOLDER or file:///FOLDER, got '
      f'{text!r}; that of a model is followed by /NAME.'
    )
  if parts.scheme == 'file':
    return Folder(pathlib.Path(urllib.request.url2pathname(parts.path or '/')))
  return Address(text.rstrip('/'), cache_folder())


def cache_folder() -> pathlib.Path:
  """The folder of models from the web: $MA_KERAS_CACHE, or ma_keras/models in the user's cache."""
  chosen = os.environ.get(CACHE_VARIABLE)
  if chosen:
    return pathlib.Path(chosen)
  base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  return pathlib.Path(base) / 'ma_keras' / 'models'


def _parts(text: str) -> urllib.parse.SplitResult | None:
  """Parts of the address of a folder; None if it is none."""
  try:
    parts = urllib.parse.urlsplit(text)
    host, port = parts.hostname, parts.port
  except ValueError:  # No IPv6 address, no number of a port.
    return None
  if parts.query or parts.fragment:
    return None
  if parts.scheme == 'file':
    return parts if host in (None, 'localhost') and port is None else None
  return parts if parts.scheme in ('http', 'https') and host else None
