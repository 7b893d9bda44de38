"""Files and folders that are whole or absent at any moment, whatever happens to who writes them."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Collection, Iterator

REMAINS = re.compile(r'\.[0-9a-f]{8}\.tmp$')


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a path beside to write to, `NAME.xxxxxxxx.tmp`, renamed to `path` at the end.

  An error leaves what was at `path`, and nothing beside; a kill leaves the `.tmp` at most. A link
  is followed: what it points to is replaced.

  Raises:
    ValueError: There is no such folder, or a folder, a pipe or a device has that name.
  """
  path = target(path)
  temporary = _beside(path)
  try:
    yield temporary
    _synchronise(temporary)
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(
  path: pathlib.Path, names: Collection[str] | None = None
) -> Iterator[pathlib.Path]:
  """Yields a new folder beside to fill, which takes the place of `path` at the end.

  Args:
    path: The folder; its parents are made.
    names: What may be in a folder that is replaced; None: anything.

  Raises:
    ValueError: It is a file, or holds something else.
  """
  path = pathlib.Path(os.path.realpath(path))
  check_folder(path, names)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary, before = _beside(path), _beside(path)
  try:
    temporary.mkdir()
    yield temporary
    if path.exists():
      os.rename(path, before)
    os.rename(temporary, path)
  finally:
    if before.exists() and not path.exists():  # Interrupted between the two.
      os.rename(before, path)
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


def target(path: pathlib.Path) -> pathlib.Path:
  """The file that a name, or the link of that name, stands for; raises as `replacing` does."""
  path = pathlib.Path(os.path.realpath(path))
  if not path.parent.is_dir():
    raise ValueError(f'`path` {path}: there is no folder {path.parent}; make it first.')
  if path.exists() and not path.is_file():
    raise ValueError(f'`path` {path} is a folder, a pipe or a device: name a file.')
  return path


def check_folder(path: pathlib.Path, names: Collection[str] | None) -> None:
  """Raises as `replacing_folder` does."""
  if path.exists() and not path.is_dir():
    raise ValueError(f'`path` {path} is a file: name a folder.')
  strangers = set(os.listdir(path)) - set(names) if names is not None and path.exists() else set()
  if strangers:
    raise ValueError(
      f'`path` {path} holds {", ".join(sorted(strangers)[:3])}, which would be lost: name another '
      'folder.'
    )


def check_apart(output: str | pathlib.Path, *inputs: str | pathlib.Path | None) -> None:
  """Raises ValueError if the output is one of the inputs, by whatever name or link."""
  for path in inputs:
    pair = (output, path or '')
    if all(map(os.path.exists, pair)) and os.path.samefile(*pair):
      raise ValueError(f'`--output` {output} is the input {path}, which would be lost.')


def check_outside(output: str | pathlib.Path, folder: str | pathlib.Path) -> None:
  """Raises ValueError if the output lies in a folder of input: next time it would be input."""
  if pathlib.Path(folder).resolve() in pathlib.Path(output).resolve().parents:
    raise ValueError(f'`--output` {output} is within the folder {folder} of the input.')


def check_room(folder: pathlib.Path, size: int) -> None:
  """Raises OSError if that many bytes are not free where the folder lies."""
  free = shutil.disk_usage(folder).free
  if size > free:
    raise OSError(errno.ENOSPC, f'{size} bytes are needed and {free} are free', str(folder))


def remove_remains(folder: pathlib.Path) -> None:
  """Removes what killed processes left of files and folders that they were replacing."""
  for remains in folder.iterdir():
    if REMAINS.search(remains.name):
      shutil.rmtree(remains) if remains.is_dir() else remains.unlink()


def _beside(path: pathlib.Path) -> pathlib.Path:
  return path.with_name(f'{path.name[:50]}.{secrets.token_hex(4)}.tmp')


def _synchronise(path: pathlib.Path) -> None:
  """Waits for the disk, which may only now say that it is full."""
  with path.open('rb') as file:
    os.fsync(file.fileno())
