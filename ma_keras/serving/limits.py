"""Bounds of what a server takes on, and the bytes that it holds at a time."""

from __future__ import annotations

import dataclasses

from .refusal import busy


@dataclasses.dataclass(frozen=True)
class Limits:
  """Bounds of requests, queue and time; the defaults keep the process below 1.5 GB.

  Parsed JSON may take 24 times its length in memory, hence bounds of its own.

  Attributes:
    max_bytes: Longest body in bytes.
    max_json_bytes: Longest JSON in bytes.
    max_parsed_bytes: Memory that parsed JSON may take, by an estimate.
    max_bytes_in_flight: Bodies, arrays and results of all requests together, in bytes.
    max_rows: Rows of a request.
    max_queued_rows: Rows that may wait in all; a longer request is taken by an empty queue.
    max_batch_rows: Rows that the model gets at a time.
    max_wait_ms: Milliseconds for which a batch that is not full waits for more rows.
    body_seconds: Time for a body to arrive.
    compute_seconds: Time from a body's arrival to its result.
    send_seconds: Time for an answer to leave.
    head_seconds: Time for a request's head to arrive.
    max_head_bytes: Longest head: address and headers, in bytes.
    max_connections: Connections at a time.
  """

  max_bytes: int = 2**25
  max_json_bytes: int = 2**23
  max_parsed_bytes: int = 2**27
  max_bytes_in_flight: int = 2**27
  max_rows: int = 2**18
  max_queued_rows: int = 2**16
  max_batch_rows: int = 256
  max_wait_ms: float = 5.0
  body_seconds: float = 30.0
  compute_seconds: float = 120.0
  send_seconds: float = 120.0
  head_seconds: float = 10.0
  max_head_bytes: int = 2**14
  max_connections: int = 1024

  def __post_init__(self) -> None:
    """Checks the signs."""
    for name, value in dataclasses.asdict(self).items():
      if not (value > 0 or (name == 'max_wait_ms' and value == 0)):
        raise ValueError(f'`{name}` must be positive, got {value}.')


class Budget:
  """Bytes that all requests hold together.

  Attributes:
    limit: Bytes at most.
    used: Bytes now.
  """

  def __init__(self, limit: int) -> None:
    """Starts empty.

    Args:
      limit: Bytes at most.
    """
    self.limit, self.used = limit, 0

  def share(self) -> Share:
    """The part of one request, empty as yet."""
    return Share(self)


class Share:
  """Bytes that one request holds; `with` returns them."""

  def __init__(self, budget: Budget) -> None:
    """Starts empty.

    Args:
      budget: Bytes of all requests.
    """
    self._budget, self._bytes = budget, 0

  def hold(self, size: int) -> None:
    """Sets what the request holds to `size` bytes.

    Raises:
      Refusal: All requests together would hold too much (503).
    """
    total = self._budget.used + size - self._bytes
    if size > self._bytes and total > self._budget.limit:
      raise busy(
        f'All requests together would hold {total} bytes, the limit is {self._budget.limit}: '
        'try again later, or send fewer rows.'
      )
    self._budget.used, self._bytes = total, size

  def grow(self, size: int) -> None:
    """Adds `size` bytes; see `hold`."""
    self.hold(self._bytes + size)

  def __enter__(self) -> Share:
    return self

  def __exit__(self, *_: object) -> None:
    self.hold(0)
