"""A SavedModel as an ASGI application: TensorFlow Serving's REST interface and the V2 protocol."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import inference_protocol, rest, tensors
from .body import BINARY_TYPES, JSON_TYPES, Body
from .gate import Gate
from .limits import Limits
from .metrics import CONTENT_TYPE
from .refusal import Refusal
from .servable import Arrays, Servable, Signature
from .service import Service

JSON = 'application/json'
SHORT_BYTES = 2**16
STREAMED_NUMBERS = tensors.CHUNK  # Longer answers leave in pieces.


def application(
  path: str | pathlib.Path,
  name: str,
  *,
  token: str | None = None,
  limits: Limits = Limits(),  # noqa: B008  Limits never change.
  poll_seconds: float = 1.0,
) -> Starlette:
  """The ASGI application that serves a SavedModel, for any server and for mounting.

  Args:
    path: Directory of a SavedModel, or of numbered versions, of which the highest is served.
    name: What to call the model in addresses: /v1/models/NAME.
    token: What clients must send as `Authorization: Bearer TOKEN`; None for anybody.
    limits: Bounds of requests, queue and time.
    poll_seconds: Time between two looks for a new version.

  Returns:
    The application; its `state.service` is the `Service` behind it.

  Raises:
    ValueError: `path` holds no sound SavedModel, `name` does not fit into an address, or `token`
      is empty.
  """
  return Application(Service(path, name, token=token, limits=limits, poll_seconds=poll_seconds))


class Application(Starlette):
  """The routes of a service, behind its gate.

  Attributes:
    state.service: What is served.
  """

  def __init__(self, service: Service) -> None:
    """Starts the service with the application.

    Args:
      service: What is served.
    """
    super().__init__(routes=_routes(), lifespan=_lifespan)
    self.router.redirect_slashes = False
    self.state.service = service

  def build_middleware_stack(self) -> ASGIApp:
    """The gate answers errors itself: Starlette's own layers would only take time."""
    return Gate(self.router, self.state.service)


@contextlib.asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
  app.state.service.start()
  yield
  app.state.service.stop()


class _Endpoint:
  """A handler as an ASGI application."""

  def __init__(self, handler: Callable[[Request], Awaitable[Response]]) -> None:
    self._handler = handler

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    response = await self._handler(Request(scope, receive, send))
    await response(scope, receive, send)


class _Word(Convertor[str]):
  """A part of an address that ends at a slash or a colon."""

  regex = '[^/:]+'

  def convert(self, value: str) -> str:
    """Text as it is."""
    return value

  def to_string(self, value: str) -> str:
    """Text as it is."""
    return value


register_url_convertor('ma_keras_word', _Word())


def _routes() -> list[Route]:
  model, version = '/models/{name:ma_keras_word}', '/versions/{version:ma_keras_word}'
  places = (model, model + version)
  posts = {f'/v1{place}:predict': _predict for place in places}
  posts |= {f'/v2{place}/infer': _infer for place in places}
  gets = {
    '/healthz': _healthy,
    '/readyz': _ready,
    '/metrics': _metrics,
    '/v2': _server,
    '/v2/health/live': _live,
    '/v2/health/ready': _ready,
  }
  for place in places:
    gets |= {f'/v1{place}': _status, f'/v1{place}/metadata': _metadata}
    gets |= {f'/v2{place}': _model, f'/v2{place}/ready': _model_ready}
  return [
    *(Route(path, _Endpoint(handler), methods=['POST']) for path, handler in posts.items()),
    *(Route(path, _Endpoint(handler), methods=['GET']) for path, handler in gets.items()),
  ]


async def _predict(request: Request) -> Response:
  service, servable = _begun(request, 'predict')
  body, limits = _body(request), service.limits
  body.check_type(JSON_TYPES)
  text = await body.read(limits.max_json_bytes, limits.body_seconds)
  signature, arrays, kind = await _aside(service, _read_rest, text, servable)
  del text
  outputs = await service.compute(signature, arrays, request.scope['share'])
  return _answer(rest.answered(outputs, kind), outputs)


async def _infer(request: Request) -> Response:
  service, servable = _begun(request, 'infer')
  body, limits = _body(request), service.limits
  body.check_type(BINARY_TYPES)
  marked = request.headers.get(inference_protocol.JSON_LENGTH)
  bound = limits.max_json_bytes if marked is None else limits.max_bytes
  text = await body.read(bound, limits.body_seconds)
  length = len(text) if marked is None else _json_length(marked, len(text), limits.max_json_bytes)
  question = await _aside(service, _read_inference, text, length, servable)
  del text
  outputs = await service.compute(question.signature, question.arrays, request.scope['share'])
  answer = inference_protocol.answered(question, outputs, service.name, servable.version)
  if answer.json_length is None:
    return _answer(answer.pieces, outputs)
  response = _answer(answer.pieces, outputs, 'application/octet-stream')
  response.headers[inference_protocol.JSON_LENGTH] = str(answer.json_length)
  return response


def _begun(request: Request, kind: str) -> tuple[Service, Servable]:
  """The service and its model, if new requests get in."""
  request.scope['kind'] = kind
  service: Service = request.app.state.service
  service.check_open()
  return service, _servable(request)


def _body(request: Request) -> Body:
  return Body(request.scope['head'], request.receive, request.scope['share'])


def _servable(request: Request) -> Servable:
  """The model of an address.

  Raises:
    Refusal: There is none (404).
  """
  service: Service = request.app.state.service
  servable, name = service.servable, request.path_params['name']
  here = str(servable.version)
  version = request.path_params.get('version', here)
  if (name, version) != (service.name, here):
    raise Refusal(
      404,
      f'Model {name!r}, version {version}, is not here: this is {service.name!r}, version {here}.',
    )
  return servable


async def _aside(service: Service, read: Callable[..., Any], text: bytes, *others: Any) -> Any:
  """Reads long bodies in a thread, one at a time, so that short requests go on meanwhile.

  Raises:
    Refusal: The body does not fit (400), or would take too much memory (413).
  """
  limit = service.limits.max_parsed_bytes
  if len(text) <= SHORT_BYTES:
    return _read(read, text, limit, *others)
  loop = asyncio.get_running_loop()
  return await loop.run_in_executor(service.reader, _read, read, text, limit, *others)


def _read(read: Callable[..., Any], *arguments: Any) -> Any:
  """The result of `read`; a refusal goes without its traceback, which would hold what was read."""
  try:
    return read(*arguments)
  except Refusal as refusal:
    status, message, headers = refusal.status, str(refusal), refusal.headers
  raise Refusal(status, message, headers)


def _read_rest(text: bytes, limit: int, servable: Servable) -> tuple[Signature, Arrays, str]:
  return rest.understood(_parsed(text, limit), servable)


def _read_inference(
  text: bytes, limit: int, length: int, servable: Servable
) -> inference_protocol.Question:
  value, raw = _parsed(text[:length], limit), memoryview(text)[length:]
  return inference_protocol.understood(value, raw, servable)


def _parsed(text: bytes, limit: int) -> Any:
  if len(text) > SHORT_BYTES and (size := tensors.parsed_bytes(text)) > limit:
    raise Refusal(
      413, f'The JSON would take {size} bytes of memory, the limit is {limit}: send fewer rows.'
    )
  try:
    return tensors.parse(text)
  except ValueError as error:
    raise Refusal(400, f'The body is no JSON: {error}.') from error


def _json_length(text: str, length: int, limit: int) -> int:
  if not (text.isascii() and text.isdigit() and int(text) <= length):
    raise Refusal(400, f'{inference_protocol.JSON_LENGTH} must be in [0, {length}], got {text!r}.')
  if int(text) > limit:
    raise Refusal(413, f'The JSON has {text} bytes, the limit is {limit}: send raw bytes.')
  return int(text)


def _answer(pieces: Iterator[bytes], outputs: Arrays, media_type: str = JSON) -> Response:
  """Short answers leave at once, long ones in pieces, so that they are never whole in memory."""
  if sum(array.size for array in outputs.values()) > STREAMED_NUMBERS:
    return StreamingResponse(pieces, media_type=media_type)
  return Response(b''.join(pieces), media_type=media_type)


async def _status(request: Request) -> Response:
  state = {
    'version': str(_servable(request).version),
    'state': 'AVAILABLE',
    'status': {'error_code': 'OK', 'error_message': ''},
  }
  return _json({'model_version_status': [state]})


async def _metadata(request: Request) -> Response:
  servable = _servable(request)
  version = str(servable.version)
  spec = {'name': request.app.state.service.name, 'signature_name': '', 'version': version}
  return _json({'model_spec': spec, 'metadata': servable.describe()})


async def _server(request: Request) -> Response:
  return _json(inference_protocol.server_metadata(str(request.app.state.service.servable.version)))


async def _model(request: Request) -> Response:
  servable = _servable(request)
  return _json(inference_protocol.model_metadata(request.path_params['name'], servable))


async def _model_ready(request: Request) -> Response:
  _servable(request)
  return await _ready(request)


async def _healthy(request: Request) -> Response:
  return _json({'status': 'ok'})


async def _live(request: Request) -> Response:
  return _json({'live': True})


async def _ready(request: Request) -> Response:
  ready = not request.app.state.service.draining
  return _json({'ready': ready}, 200 if ready else 503)


async def _metrics(request: Request) -> Response:
  service: Service = request.app.state.service
  return Response(service.metrics.text(), headers={'Content-Type': CONTENT_TYPE})


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
  return Response(tensors.to_json(value), status, headers, JSON)
