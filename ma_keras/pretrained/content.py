"""Content that strangers wrote: how much of it is read, and how it is shown."""

from __future__ import annotations

from typing import Protocol

CHUNK = 1 << 20


class Readable(Protocol):
  """An open file, or the answer of a server."""

  def read(self, size: int, /) -> bytes:
    """At most that many bytes; none at the end."""


def head(file: Readable, most: int) -> bytes:
  """The first bytes of a file, `most` + 1 at most, which tells a larger one from the others.

  Memory is taken as bytes come, and not by what an index says of them.
  """
  chunks, left = [], most + 1
  while chunk := file.read(min(CHUNK, left)):
    chunks.append(chunk)
    left -= len(chunk)
  return b''.join(chunks)


def check_size(content: bytes, most: int, where: str) -> None:
  """Raises ValueError if there are more than `most` bytes."""
  if len(content) > most:
    raise ValueError(f'{where} is larger than the {most:,} bytes that it may have.')


def printable(text: str) -> str:
  """One line without characters that steer a terminal: spaces or question marks replace them."""
  return ''.join(c if c.isprintable() else ' ' if c.isspace() else '?' for c in text)


def printable_lines(text: str) -> str:
  """Lines without such characters; newlines alone end them."""
  return '\n'.join(printable(line) for line in text.expandtabs().splitlines())
