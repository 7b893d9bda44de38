"""Places where trained models lie: a folder, or an address on the web with a cache beside it."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request

from ma_keras.files.replacing import replacing
from ma_keras.pretrained.index import Entry

CACHE_VARIABLE = 'MA_KERAS_CACHE'
SECONDS = 30.0  # Without a byte from the server.


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
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
      raise ValueError(
        f'{self.where(entry.name + ".npz")} is not the file of the index: SHA-256 {found}, '
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
      return _limited(file.read(most + 1), most, str(path))

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
    where = self.where(name)
    try:
      with urllib.request.urlopen(where, timeout=SECONDS) as response:
        content = response.read(most + 1)
    except urllib.error.HTTPError as error:
      with error:
        raise ValueError(f'{where} is answered by {error.code} {error.reason}.') from error
    except (OSError, ValueError, http.client.HTTPException) as error:
      # No network, no such host, a certificate, time.
      reason = getattr(error, 'reason', error)
      raise OSError(f'{where} cannot be reached ({reason}): check address and network') from error
    return _limited(content, most, where)

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


def source_of(place: str | os.PathLike[str]) -> Source:
  """The source that a path or an address names.

  Args:
    place: A folder, or an address of http, https or file.

  Raises:
    ValueError: It is neither.
  """
  text = os.fspath(place)
  if '://' not in text:
    return Folder(pathlib.Path(text))
  parts = urllib.parse.urlsplit(text)
  if parts.scheme == 'file':
    return Folder(pathlib.Path(urllib.request.url2pathname(parts.path)))
  if parts.scheme not in ('http', 'https') or not parts.netloc or parts.query or parts.fragment:
    raise ValueError(
      f'`source` must be a folder or an address such as https://HOST/FOLDER, got {text!r}.'
    )
  return Address(text.rstrip('/'), cache_folder())


def cache_folder() -> pathlib.Path:
  """The folder of models from the web: $MA_KERAS_CACHE, or ma_keras/models in the user's cache."""
  chosen = os.environ.get(CACHE_VARIABLE)
  if chosen:
    return pathlib.Path(chosen)
  base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  return pathlib.Path(base) / 'ma_keras' / 'models'


def _limited(content: bytes, most: int, where: str) -> bytes:
  if len(content) > most:
    raise ValueError(f'{where} is larger than the {most:,} bytes that it may have.')
  return content
