"""A row of docs/robustness.md: what a user does, and what they get for it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from ma_keras.apps.exit_code import ExitCode


@dataclasses.dataclass(frozen=True)
class Row:
  """One kind of bad input.

  Attributes:
    what: What the user does, in words.
    do: Does it, in an empty folder: (one of `inputs`) -> anything; where there are none, () ->
      anything. A command returns its subprocess.CompletedProcess.
    gets: Type of the exception; exit code of the command; None where nothing is wrong: `do` checks
      the value.
    message: The whole message, the last line of a command; `...` stands for any text, and
      `{}`, `{!r}` for the input. What comes out, where nothing is wrong.
    inputs: All inputs of this kind.
  """

  what: str
  do: Callable[..., Any]
  gets: type[Exception] | ExitCode | None
  message: str
  inputs: tuple[Any, ...] = ()

  def __str__(self) -> str:
    """The name of its test."""
    return re.sub(r'[`\\]', '', self.what)

  @property
  def example(self) -> str:
    """The message for the first input."""
    return self.message.format(self.inputs[0]) if self.inputs else self.message

  def check(self) -> None:
    """Does it with every input; raises AssertionError where something else comes of it."""
    for arguments in [(value,) for value in self.inputs] or [()]:
      with empty_folder():
        gets, message = outcome(self.do, *arguments)
      expected = self.message.format(*arguments) if arguments else self.message
      assert gets == self.gets, f'{self}: {gets}, {message}'
      assert gets is not ValueError or '\n' not in message, message
      assert gets is None or matches(message, expected), f'{message}\n  is not\n{expected}'


def outcome(do: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
  """Type of the exception or exit code, and message or last line; None and '' where all is well."""
  try:
    done = do(*arguments)
  except Exception as error:
    return type(error), str(error)
  if not isinstance(done, subprocess.CompletedProcess):
    return None, ''
  assert 'Traceback' not in done.stderr, done.stderr
  lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
  return ExitCode(done.returncode), lines[-1]


def matches(message: str, pattern: str) -> bool:
  """Tells if the message is the pattern, `...` any text."""
  parts = map(re.escape, pattern.split('...'))
  return re.fullmatch('.*'.join(parts), message, re.DOTALL) is not None


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
  """The working directory is an empty folder; names within it are short in messages."""
  before = os.getcwd()
  with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
      yield
    finally:
      os.chdir(before)
