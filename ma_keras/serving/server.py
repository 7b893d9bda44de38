"""The REST interface of TensorFlow Serving: status, metadata and predict, of one version.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import contextlib
import http
import http.server
import json
import logging
import pathlib
import re
import threading
import urllib.parse
from typing import Any

from . import tensors
from .servable import Refusal, Servable

VERSION = '1'
MAX_BYTES = 2**26  # Of a body: some 4000 images of MNIST.
ADDRESS = re.compile(r'/v1/models/([^/:]+)(?:/versions/([^/:]+))?(/metadata|:predict)?')
LOG = logging.getLogger(__name__)


class Server(http.server.ThreadingHTTPServer):
  """Serves a SavedModel; `with Server(path, name) as server:` does so in a thread meanwhile.

  Attributes:
    servable: The loaded model.
    name: What it is called in addresses.
    max_bytes: Longer bodies are refused.
  """

  daemon_threads = True
  request_queue_size = 1024  # Connections that may wait to be accepted.

  def __init__(
    self,
    path: str | pathlib.Path,
    name: str,
    host: str = '127.0.0.1',
    port: int = 0,
    max_bytes: int = MAX_BYTES,
  ) -> None:
    """Loads the model and listens; answers come within `with`, or from `serve_forever`.

    Args:
      path: Directory of the SavedModel.
      name: What to call it in addresses: /v1/models/NAME.
      host: Interface to listen at; '' for all.
      port: Port to listen at; 0 picks a free one.
      max_bytes: Longer bodies are refused.

    Raises:
      ValueError: `path` holds no SavedModel, or `name` does not fit into an address.
      OSError: The port cannot be had.
    """
    if not re.fullmatch(r'[\w.-]+', name, re.ASCII):
      raise ValueError(f'`name` must consist of letters, digits, "_", "-" and ".", got {name!r}.')
    self.servable, self.name, self.max_bytes = Servable(path), name, max_bytes
    try:
      super().__init__((host, port), _Handler)
    except OSError as error:
      why = error.strerror or error
      raise OSError(f'`port` {port} of {host!r} cannot be had ({why}): choose another.') from error

  @property
  def port(self) -> int:
    """Where it listens."""
    return int(self.server_address[1])

  @property
  def url(self) -> str:
    """Address of the model."""
    return f'http://{self.server_address[0]!s}:{self.port}/v1/models/{self.name}'

  def __enter__(self) -> Server:
    self._thread = threading.Thread(target=self.serve_forever, args=[0.05], daemon=True)
    self._thread.start()
    return self

  def __exit__(self, *_: Any) -> None:
    self.shutdown()
    self._thread.join()
    self.server_close()

  def handle_error(self, request: Any, client_address: Any) -> None:
    """A client that went away is no event for the screen."""
    LOG.debug('Connection of %s lost', client_address, exc_info=True)


def serve(path: str | pathlib.Path, name: str, host: str = '127.0.0.1', port: int = 8501) -> None:
  """Serves a SavedModel until it is interrupted.

  Args:
    path: Directory of the SavedModel.
    name: What to call it in addresses: /v1/models/NAME.
    host: Interface to listen at; '' for all.
    port: Port to listen at; 0 picks a free one.

  Raises:
    ValueError: `path` holds no SavedModel, or `name` does not fit into an address.
    OSError: The port cannot be had.
  """
  server = Server(path, name, host, port)
  print(f'{server.url} has {", ".join(sorted(server.servable.signatures))}.', flush=True)
  with contextlib.closing(server.socket), contextlib.suppress(KeyboardInterrupt):
    server.serve_forever()


class _Handler(http.server.BaseHTTPRequestHandler):
  """One connection: finds out what is asked for, and answers in JSON."""

  server: Server
  protocol_version = 'HTTP/1.1'
  server_version = 'ma_keras'
  timeout = 60  # Seconds that a connection may be silent.
  # Head and body leave together: apart, one would wait for the other's acknowledgement.
  wbufsize = -1
  disable_nagle_algorithm = True

  def do_GET(self) -> None:
    """Answers any method: which one an address takes is checked there."""
    try:
      self._send(200, self._found(self._body()))
    except Refusal as refusal:
      self._send(refusal.status, {'error': str(refusal)})
    except OSError:
      raise  # The connection, which is beyond answering.
    except Exception as error:
      LOG.exception('%s failed', self.path)
      self._send(500, {'error': f'The server failed: {type(error).__name__}.'})

  do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

  def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
    """The standard library's own errors, in JSON too."""
    self.close_connection = True
    self._send(code, {'error': message or explain or http.HTTPStatus(code).phrase})

  def log_message(self, format: str, *args: Any) -> None:
    """To the log, not to the screen."""
    LOG.debug(format, *args)

  def _found(self, body: bytes) -> dict[str, Any]:
    """What is asked for."""
    here, path = self.server, urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
    match = ADDRESS.fullmatch(path)
    if match is None:
      raise Refusal(
        404,
        f'Nothing is at {path}: there are GET /v1/models/{here.name}, GET the same with /metadata, '
        'and POST the same with :predict.',
      )
    name, version, what = match.groups()
    if name != here.name or version not in (None, VERSION):
      raise Refusal(
        404,
        f'Model {name!r}, version {version or VERSION}, is not here: this is {here.name!r}, '
        f'version {VERSION}.',
      )
    method = 'POST' if what == ':predict' else 'GET'
    if self.command != method:
      raise Refusal(405, f'{path} takes {method}, got {self.command}.')
    if what is None:
      return _status()
    return self._metadata() if what == '/metadata' else here.servable.predict(_parsed(body))

  def _metadata(self) -> dict[str, Any]:
    spec = {'name': self.server.name, 'signature_name': '', 'version': VERSION}
    return {'model_spec': spec, 'metadata': self.server.servable.metadata()}

  def _body(self) -> bytes:
    """The whole body, which has to be read before there is an answer."""
    length = self._length()
    body = self.rfile.read(min(length, self.server.max_bytes))
    if length > self.server.max_bytes:
      self._discard(length - len(body))
      raise Refusal(
        413, f'The body has {length} bytes, the limit is {self.server.max_bytes}: send fewer rows.'
      )
    if len(body) < length:
      raise Refusal(400, f'The body ends after {len(body)} of {length} bytes.')
    return body

  def _length(self) -> int:
    given = self.headers.get('Content-Length', '' if self.command == 'POST' else '0')
    if given.isascii() and given.isdigit() and 'Transfer-Encoding' not in self.headers:
      return int(given)
    self.close_connection = True  # Where the body ends is unknown.
    raise Refusal(
      411, f'The body must come whole, with its Content-Length in bytes, got {given!r}.'
    )

  def _discard(self, rest: int) -> None:
    """Reads on for a while: who is still sending would not see the answer."""
    self.close_connection = True
    rest = min(rest, 8 * self.server.max_bytes)
    while rest > 0 and (some := len(self.rfile.read(min(rest, 2**16)))):
      rest -= some

  def _send(self, status: int, answer: dict[str, Any]) -> None:
    body = tensors.to_json(answer)
    self.send_response(status)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(body)))
    if status == 405:
      self.send_header('Allow', 'POST' if self.path.endswith(':predict') else 'GET')
    if self.close_connection:
      self.send_header('Connection', 'close')
    self.end_headers()
    if self.command != 'HEAD':
      self.wfile.write(body)


def _status() -> dict[str, Any]:
  fine = {'error_code': 'OK', 'error_message': ''}
  return {'model_version_status': [{'version': VERSION, 'state': 'AVAILABLE', 'status': fine}]}


def _parsed(body: bytes) -> Any:
  try:
    return json.loads(body)
  except (ValueError, RecursionError) as error:
    raise Refusal(400, f'The body is no JSON: {error}.') from error
