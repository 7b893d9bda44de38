"""uvicorn's connection with bounds that it lacks: of heads, silence, and slow readers."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import tensors
from .limits import Limits
from .refusal import RETRY_SECONDS

MAX_PIPELINED = 16  # Requests that a client may send ahead of the answers.
SPARE_DESCRIPTORS = 64  # For files of the model, logs and libraries.
PHRASES = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
}


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
  """The class of connections within these limits, for `uvicorn.Config(http=...)`."""
  descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS
  most = max(min(limits.max_connections, descriptors), 1)

  class Connection(HttpToolsProtocol):
    """A connection that closes on heads too long or too slow, and clients that do not read."""

    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
      """Refuses connections beyond the limit."""
      super().connection_made(transport)
      self._await_head()
      if len(self.connections) > most:
        self._refuse(503, f'The server has {most} connections, its limit: try again later.')

    def data_received(self, data: bytes) -> None:
      """Bounds what comes ahead of a request."""
      if self.transport.is_closing():
        return
      super().data_received(data)
      if self._is_idle():
        self._head_bytes += len(data)
        self._await_head()
        if self._head_bytes > limits.max_head_bytes and not self.transport.is_closing():
          self._refuse(431, f'The head has more than {limits.max_head_bytes} bytes.')
      else:
        self._head_bytes = 0
        self._timer = _cancelled(self._timer)

    def on_message_begin(self) -> None:
      """Bounds the requests that wait behind one that is not answered."""
      if len(self.pipeline) >= MAX_PIPELINED:
        raise ValueError(f'More than {MAX_PIPELINED} requests were sent ahead.')
      super().on_message_begin()

    def eof_received(self) -> bool:  # type: ignore[override]
      """A client that has sent all may still wait for its answer."""
      if self._is_idle():
        return False
      self.cycle.more_body = self.cycle.keep_alive = False
      self.cycle.message_event.set()
      return True

    def connection_lost(self, exc: Exception | None) -> None:
      """Stops the clocks."""
      self._timer, self._stalled = _cancelled(self._timer), _cancelled(self._stalled)
      super().connection_lost(exc)

    def pause_writing(self) -> None:
      """Starts the clock of a client that reads nothing."""
      super().pause_writing()
      self._stalled = self.loop.call_later(limits.body_seconds, self.transport.abort)

    def resume_writing(self) -> None:
      """Stops that clock."""
      super().resume_writing()
      self._stalled = _cancelled(self._stalled)

    def send_400_response(self, msg: str) -> None:
      """The parser's own refusal, in JSON as all others."""
      self._refuse(400, msg)

    def _is_idle(self) -> bool:
      """True if no request is under way."""
      return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
      if self._timer is None:
        self._timer = self.loop.call_later(limits.head_seconds, self._late)

    def _late(self) -> None:
      if self._head_bytes:
        self._refuse(408, f'The head did not arrive in {limits.head_seconds} s.')
      self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
      """Answers without the application, and closes."""
      if self.transport.is_closing():
        return
      body = tensors.to_json({'error': text})
      retry = f'retry-after: {RETRY_SECONDS}\r\n' if status == 503 else ''
      head = (
        f'HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n'
        f'content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n'
      )
      self.transport.write(head.encode() + body)
      self.transport.close()

  return Connection


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
  """None, in place of a timer that is not needed any more."""
  if timer is not None:
    timer.cancel()
  return None
