"""TensorFlow's errors of writing, as the OSError that Python raises there."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf

# A full disk, a quota, a file size limit; no access; no folder; a file in its place; a bad disk.
UNWRITABLE = (
  *(OSError, tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError),
  *(tf.errors.PermissionDeniedError, tf.errors.NotFoundError),
  *(tf.errors.FailedPreconditionError, tf.errors.UnknownError),
)


@contextlib.contextmanager
def disk_errors(what: str, path: str | pathlib.Path) -> Iterator[None]:
  """Raises OSError, `no WHAT could be written to PATH`, where TensorFlow cannot write."""
  try:
    yield
  except UNWRITABLE as error:
    raise OSError(f'no {what} could be written to {path} ({last_line(error)})') from error


def last_line(error: Exception) -> str:
  """The last line of an error, where TensorFlow says what happened."""
  return (str(error).strip().splitlines() or [type(error).__name__])[-1]
