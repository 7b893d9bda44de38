"""The version of a model that is served: one folder, or the newest of a folder of versions."""

from __future__ import annotations

import logging
import pathlib

import tensorflow as tf

from .servable import REMEDY, Servable

LOG = logging.getLogger('ma_keras.serving')

Files = tuple[tuple[str, int, int], ...]  # Name, bytes and time of change of every file.


class Versions:
  """Versions of a model in numbered folders, of which the highest that loads is served.

  A new version is loaded when its files have stood still between two looks. One that is incomplete
  or damaged is named in the log once, and tried again when its files change. When the folder of the
  version that is served goes away, the highest that is left takes over.

  Attributes:
    current: The version that is served.
  """

  def __init__(self, path: str | pathlib.Path) -> None:
    """Loads the highest version that can be loaded.

    Args:
      path: A SavedModel, or a folder of SavedModels whose names are numbers.

    Raises:
      ValueError: There is none, or none is sound.
    """
    self._path = pathlib.Path(path)
    self._seen: dict[int, Files] = {}
    self._refused: dict[int, Files] = {}
    if tf.saved_model.contains_saved_model(str(path)) or not self._numbers():
      self._watched = False
      self.current = _load(self._path)
      return
    self._watched = True
    for number in self._numbers():
      servable = self._attempt(number, _files(self._folder(number)))
      if servable is not None:
        self.current = servable
        return
    raise ValueError(
      f'`path` {path} holds versions {self._numbers()}, and none of them can be loaded: {REMEDY}'
    )

  def look(self) -> None:
    """Loads a higher version, if there is one by now; to be called now and then."""
    for number in self._numbers() if self._watched else []:
      if number == self.current.version:
        return
      files = _files(self._folder(number))
      still, self._seen[number] = self._seen.get(number) == files, files
      if not still or self._refused.get(number) == files:
        continue
      servable = self._attempt(number, files)
      if servable is not None:
        LOG.info('Version %d takes over from version %d.', number, self.current.version)
        self.current = servable
        return

  def _attempt(self, number: int, files: Files) -> Servable | None:
    try:
      return _load(self._folder(number))
    except ValueError as error:
      self._refused[number] = files
      LOG.warning('Version %d is not served: %s', number, error)
      return None

  def _numbers(self) -> list[int]:
    """Numbers of the versions, the highest first."""
    try:
      folders = [folder for folder in self._path.iterdir() if folder.is_dir()]
    except OSError:
      return []
    names = {folder.name for folder in folders if folder.name.isascii() and folder.name.isdigit()}
    return sorted({int(name) for name in names if str(int(name)) == name}, reverse=True)

  def _folder(self, number: int) -> pathlib.Path:
    return self._path / str(number)


def _load(path: pathlib.Path) -> Servable:
  servable = Servable(path)
  servable.warm_up()
  return servable


def _files(folder: pathlib.Path) -> Files:
  try:
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    stats = [(str(path), path.stat()) for path in paths]
  except OSError:  # Files come and go.
    return ()
  return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
