"""Requests that are answered by an error."""

from __future__ import annotations

RETRY_SECONDS = 1  # What a client is told to wait when the server is full.
CLOSE = {'Connection': 'close'}  # Header of an answer ahead of whose end a body was not read.


class Refusal(Exception):
  """A request that is answered by an error: its HTTP status and the remedy.

  Attributes:
    status: HTTP status.
    headers: Further headers of the answer.
  """

  def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
    """Keeps the status.

    Args:
      status: HTTP status.
      message: Names what is wrong, and the remedy.
      headers: Further headers of the answer.
    """
    super().__init__(message)
    self.status, self.headers = status, headers or {}


def busy(message: str) -> Refusal:
  """The refusal of a full server: 503, with Retry-After."""
  return Refusal(503, message, {'Retry-After': str(RETRY_SECONDS)})
