"""How a command ends, for scripts that ask: `$?` and one line on stderr."""

from __future__ import annotations

import contextlib
import enum
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import NoReturn


class ExitCode(enum.IntEnum):
  """Exit codes, as `$?` has them; 128 + n is death by signal n, as in every shell."""

  DONE = 0
  USAGE = 1  # A flag, a file or the data are wrong: nothing was done. absl's own is 1, too.
  STOPPED = 3  # Training diverged or cheated, or the result is in doubt: the line says what to do.
  NO_ROOM = 4  # Disk, memory, access or another process are in the way: the same command goes on.
  INTERRUPTED = 130  # Ctrl-C.
  UNREAD = 141  # SIGPIPE: whoever read what is printed has gone, as `head` does.
  TERMINATED = 143  # SIGTERM.


def end(code: ExitCode, message: object) -> NoReturn:
  """Ends the process with one line, `command: message`."""
  line = re.sub(r'\s*\n\s*', ' ', str(message).strip())
  print(f'{pathlib.Path(sys.argv[0]).stem}: {line}', file=sys.stderr, flush=True)
  sys.exit(code)


@contextlib.contextmanager
def ending_unread() -> Iterator[None]:
  """Ends the process in silence, as SIGPIPE ends others, where nobody reads stdout any more."""
  try:
    try:
      yield
    finally:
      sys.stdout.flush()
  except BrokenPipeError:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())  # For what Python writes on its way out.
    sys.exit(ExitCode.UNREAD)
