"""One process to a run directory: a lock that any death of its owner gives back."""

from __future__ import annotations

import fcntl
import os
import pathlib
import socket

from absl import logging

NAME = 'lock'
# (device, inode) of a lock file -> descriptor that holds it: the same folder by whatever name.
_HELD: dict[tuple[int, int], int] = {}


class Owned(RuntimeError):
  """Another process is at work in the directory."""


def take(folder: pathlib.Path) -> None:
  """Makes this process the owner of a folder, until `release` or its end; again does nothing.

  `flock` belongs to an open file, which a forked child shares: children close theirs at once, so
  that none of them outlives the owner as one. A lock file without a lock means nothing. A file
  system that has no locks gets a warning.

  Args:
    folder: An existing folder.

  Raises:
    Owned: Another process is the owner; nothing was touched.
    OSError: The lock file cannot be opened or written.
  """
  descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
  try:
    if _identity(descriptor) in _HELD:
      os.close(descriptor)
      return
    _lock(descriptor, folder)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f'process {os.getpid()} on {socket.gethostname()}\n'.encode(), 0)
  except OSError:
    os.close(descriptor)
    raise
  _HELD[_identity(descriptor)] = descriptor


def release(folder: pathlib.Path) -> None:
  """Gives the folder back, if this process is its owner."""
  try:
    status = os.stat(folder / NAME)
  except OSError:
    return
  descriptor = _HELD.pop((status.st_dev, status.st_ino), None)
  if descriptor is not None:
    os.close(descriptor)


def _lock(descriptor: int, folder: pathlib.Path) -> None:
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    owner = os.pread(descriptor, 200, 0).decode(errors='replace').strip() or 'another process'
    raise Owned(
      f'`--run_dir` {folder} belongs to {owner}, which is at work: wait for its end, or choose '
      'another --run_dir'
    ) from error
  except OSError as error:
    logging.warning(
      'The file system of %s has no locks (%s): start no second process there.',
      *(folder, error.strerror),
    )


def _identity(descriptor: int) -> tuple[int, int]:
  status = os.fstat(descriptor)
  return status.st_dev, status.st_ino


def _forget() -> None:
  for descriptor in _HELD.values():
    os.close(descriptor)
  _HELD.clear()


os.register_at_fork(after_in_child=_forget)
