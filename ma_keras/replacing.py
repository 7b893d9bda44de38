"""Files that are whole at any moment."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a path beside to write to, renamed to `path` at the end.

  A full disk or a kill on the way leaves the old file whole.
  """
  temporary = path.with_name(path.name + '.tmp')
  yield temporary
  os.replace(temporary, path)
