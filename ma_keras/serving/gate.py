"""Gate that every request passes: token, bounds of head and answer, errors in JSON, counters."""

from __future__ import annotations

import hmac
import logging
import time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from . import tensors
from .body import Gone
from .deadline import timeout
from .refusal import CLOSE, Refusal

if TYPE_CHECKING:
  from starlette.types import ASGIApp, Message, Receive, Scope, Send

  from .service import Service

LOG = logging.getLogger('ma_keras.serving')
OPEN = ('/healthz', '/readyz', '/v2/health/live', '/v2/health/ready')  # Probes have no token.
MAX_MESSAGE = 2000  # Characters: an error does not repeat the whole request.
WENT_AWAY = 499  # The customary status of a request whose client left.


class Late(Exception):
  """The answer does not leave in time; the server then closes the connection."""


class Gate:
  """ASGI middleware around the routes."""

  def __init__(self, app: ASGIApp, service: Service) -> None:
    """Stands before an application.

    Args:
      app: The routes.
      service: What they serve.
    """
    self._app, self._service = app, service
    token = service.token
    self._secret = None if token is None else f'Bearer {token}'.encode()

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers one request."""
    if scope['type'] != 'http':
      return await self._app(scope, receive, send)
    start, answer = time.perf_counter(), Answer(send, self._service)
    self._service.requests_in_flight += 1
    try:
      with self._service.budget.share() as scope['share']:
        await self._answered(scope, receive, answer)
    except Gone:
      answer.status = WENT_AWAY
    except Late:
      LOG.info('%s: the client is too slow to read the answer', scope['path'])
    finally:
      self._service.requests_in_flight -= 1
      seconds = time.perf_counter() - start
      self._service.metrics.request(scope.get('kind', 'other'), answer.status, seconds)

  async def _answered(self, scope: Scope, receive: Receive, answer: Answer) -> None:
    try:
      self._check(scope)
      await self._app(scope, receive, answer.send)
    except (Gone, Late):
      raise
    except Refusal as refusal:
      await _error(refusal.status, str(refusal), refusal.headers)(scope, receive, answer.send)
    except HTTPException as error:  # The routes' own.
      await self._astray(error, scope)(scope, receive, answer.send)
    except Exception as error:
      LOG.exception('%s failed', scope['path'])
      if not answer.status:
        text = f'The server failed: {type(error).__name__}.'
        await _error(500, text)(scope, receive, answer.send)

  def _check(self, scope: Scope) -> None:
    """Lets a request in.

    Raises:
      Refusal: Its head is too long (431), or its token is wrong (401).
    """
    headers = scope['head'] = dict(scope['headers'])
    size = sum(map(len, headers)) + sum(map(len, headers.values()))
    size += len(scope['path']) + len(scope.get('query_string', b''))
    limit = self._service.limits.max_head_bytes
    if size > limit:
      raise Refusal(431, f'The head has {size} bytes, the limit is {limit}.', CLOSE)
    if self._secret is None or scope['path'] in OPEN:
      return
    if not hmac.compare_digest(headers.get(b'authorization', b''), self._secret):
      text = 'The header `Authorization: Bearer TOKEN` is missing, or its token is another.'
      raise Refusal(401, text, {'WWW-Authenticate': 'Bearer', **CLOSE})

  def _astray(self, error: HTTPException, scope: Scope) -> Response:
    """The answer at a wrong address, or to a wrong method."""
    path, name = scope['path'][:200], self._service.name
    if error.status_code == 405:
      allowed = dict(error.headers or {}).get('Allow', '')
      method = 'POST' if 'POST' in allowed else 'GET'
      return _error(405, f'{path} takes {method}, got {scope["method"]}.', {'Allow': allowed})
    text = (
      f'Nothing is at {path}: there are GET /v1/models/{name}, GET the same with /metadata, POST '
      f'the same with :predict; GET /v2/models/{name}, POST the same with /infer; /healthz, '
      '/readyz and /metrics.'
    )
    return _error(error.status_code, text)


class Answer:
  """The answer on its way out.

  Attributes:
    status: HTTP status; 0 before the answer has begun.
  """

  def __init__(self, send: Send, service: Service) -> None:
    """Starts with nothing sent.

    Args:
      send: ASGI's channel.
      service: What is served.
    """
    self._send, self._service = send, service
    self._deadline = 0.0
    self.status = 0

  async def send(self, message: Message) -> None:
    """Passes a message on, as long as there is time."""
    if message['type'] == 'http.response.start':
      self.status = message['status']
      if self._service.draining:
        message = {**message, 'headers': _closing(message['headers'])}
      return await self._send(message)
    if not message.get('more_body'):
      return await self._send(message)
    self._deadline = self._deadline or time.monotonic() + self._service.limits.send_seconds
    try:
      async with timeout(self._deadline - time.monotonic()):
        await self._send(message)
    except TimeoutError as error:
      raise Late from error


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
  body = tensors.to_json({'error': text[:MAX_MESSAGE]})
  return Response(body, status, headers, 'application/json')


def _closing(headers: list[Any]) -> list[Any]:
  return [
    *(pair for pair in headers if pair[0].lower() != b'connection'),
    (b'connection', b'close'),
  ]
