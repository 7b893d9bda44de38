"""Bodies of requests: read whole, within bounds of bytes and time."""

from __future__ import annotations

from starlette.types import Receive

from .deadline import timeout
from .limits import Share
from .refusal import CLOSE, Refusal

JSON_TYPES = {
  b'',
  b'application/json',
  b'application/x-www-form-urlencoded',  # curl -d and urllib say so of any body.
  b'text/plain',
}
BINARY_TYPES = JSON_TYPES | {
  b'application/octet-stream',
  b'application/vnd.sagemaker-triton.binary+json',
}


class Gone(Exception):
  """The client has closed the connection."""


class Body:
  """The body of one request, on its way in."""

  def __init__(self, headers: dict[bytes, bytes], receive: Receive, share: Share) -> None:
    """Reads nothing yet.

    Args:
      headers: Of the request, in lower case.
      receive: ASGI's channel.
      share: Bytes of this request, which grow as the body arrives.
    """
    self._headers, self._receive, self._share = headers, receive, share
    self._parts: list[bytes] = []

  def check_type(self, allowed: set[bytes]) -> None:
    """Checks that the body is of a kind that is understood.

    Raises:
      Refusal: It is not (415).
    """
    kind = self._headers.get(b'content-type', b'').partition(b';')[0].strip().lower()
    if kind not in allowed:
      raise Refusal(415, f'The body must be application/json, got {_shown(kind)}.', CLOSE)
    coding = self._headers.get(b'content-encoding', b'identity').strip().lower()
    if coding != b'identity':
      raise Refusal(415, f'The body must not be compressed, got {_shown(coding)}.', CLOSE)

  async def read(self, max_bytes: int, seconds: float) -> bytes:
    """The whole body.

    Args:
      max_bytes: Longest body.
      seconds: Time for it to arrive.

    Raises:
      Refusal: The body has no length (411), is too long (413), too slow (408) or broken (400), or
        the server is full (503).
      Gone: The client went away.
    """
    length = self._length()
    try:
      async with timeout(seconds):
        if length > max_bytes:
          await self._discard(length, max_bytes)
          text = f'The body has {length} bytes, the limit is {max_bytes}: send fewer rows.'
          raise Refusal(413, text, CLOSE)
        continues = True
        while continues:
          continues = await self._part()
          self._share.grow(len(self._parts[-1]))
    except TimeoutError as error:
      raise Refusal(408, f'The body did not arrive in {seconds} s.', CLOSE) from error
    body = self._parts[0] if len(self._parts) == 1 else b''.join(self._parts)
    self._parts.clear()
    if len(body) != length:
      raise Refusal(400, f'The body ends after {len(body)} of {length} bytes.', CLOSE)
    return body

  async def _part(self) -> bool:
    """Takes the next part; True if there is another."""
    message = await self._receive()
    if message['type'] == 'http.disconnect':
      raise Gone
    self._parts.append(message.get('body', b''))
    return message.get('more_body', False)

  async def _discard(self, length: int, max_bytes: int) -> None:
    """Reads on for a while: a client that is still sending would not see the answer."""
    if self._headers.get(b'expect', b'').lower() == b'100-continue':
      return
    rest, continues = min(length, 8 * max_bytes), True
    while rest > 0 and continues:
      continues = await self._part()
      rest -= len(self._parts.pop())

  def _length(self) -> int:
    text = self._headers.get(b'content-length', b'')
    if text.isdigit() and len(text) < 19 and b'transfer-encoding' not in self._headers:
      return int(text)
    raise Refusal(
      411,
      f'The body must come whole, with its Content-Length in bytes, got {_shown(text)!r}.',
      CLOSE,
    )


def _shown(value: bytes) -> str:
  return value[:100].decode('latin-1')
