"""uvicorn around the application: sockets, signals, slow and silent connections."""

from __future__ import annotations

import ipaddress
import logging
import pathlib
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any

import uvicorn

from .asgi import Application
from .connection import connection_class
from .limits import Limits
from .service import Service

LOG = logging.getLogger('ma_keras.serving')
BACKLOG = 1024  # Connections that may wait to be accepted.
KEEP_ALIVE_SECONDS = 60
DRAIN_SECONDS = 1.0  # Time in which balancers see /readyz fail, and clients are told to go.


class Server:
  """A server in a thread: `with Server(path, name) as server:`.

  Attributes:
    service: What is served.
    name: What the model is called in addresses.
    port: Where it listens.
    url: Address of the model.
  """

  def __init__(
    self,
    path: str | pathlib.Path,
    name: str,
    host: str = '127.0.0.1',
    port: int = 0,
    *,
    token: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  Limits never change.
    poll_seconds: float = 1.0,
    access_log: bool = False,
  ) -> None:
    """Loads the model and listens; answers come within `with`, or from `run`.

    Args:
      path: Directory of a SavedModel, or of numbered versions, of which the highest is served.
      name: What to call the model in addresses: /v1/models/NAME.
      host: Interface to listen at; '' for all.
      port: Port to listen at; 0 picks a free one.
      token: What clients must send as `Authorization: Bearer TOKEN`; None for anybody.
      limits: Bounds of requests, queue and time.
      poll_seconds: Time between two looks for a new version.
      access_log: True for a line per request in the log `uvicorn.access`.

    Raises:
      ValueError: `path` holds no sound SavedModel, `name` does not fit into an address, or `token`
        is empty.
      OSError: The port cannot be had.
    """
    self.service = Service(path, name, token=token, limits=limits, poll_seconds=poll_seconds)
    self._socket = _listening(host, port)
    self.name, self.port = name, int(self._socket.getsockname()[1])
    shown = host or '0.0.0.0'
    self.url = f'http://{f"[{shown}]" if ":" in shown else shown}:{self.port}/v1/models/{name}'
    self._uvicorn = _Uvicorn(_config(self.service, access_log), self.service)

  def run(self) -> int | None:
    """Serves until a signal comes (in the main thread) or `stop`, and drains.

    Returns:
      The signal, if there was one.
    """
    try:
      self._uvicorn.run(sockets=[self._socket])
    finally:
      self._socket.close()
    return self._uvicorn.signal

  def stop(self) -> None:
    """Drains: answers what was accepted, refuses what is new, then ends."""
    self._uvicorn.drain()

  def __enter__(self) -> Server:
    self._thread = threading.Thread(target=self.run, daemon=True)
    self._thread.start()
    while not self._uvicorn.started and self._thread.is_alive():
      time.sleep(0.01)
    return self

  def __exit__(self, *_: Any) -> None:
    self._uvicorn.drain_seconds = 0.0
    self.stop()
    self._thread.join()


def serve(
  path: str | pathlib.Path,
  name: str,
  host: str = '127.0.0.1',
  port: int = 8501,
  *,
  token: str | None = None,
  limits: Limits = Limits(),  # noqa: B008  Limits never change.
  poll_seconds: float = 1.0,
  access_log: bool = True,
) -> None:
  """Serves a SavedModel until SIGINT or SIGTERM, and answers what it has accepted by then.

  Args:
    path: Directory of a SavedModel, or of numbered versions, of which the highest is served.
    name: What to call the model in addresses: /v1/models/NAME.
    host: Interface to listen at; '' for all.
    port: Port to listen at; 0 picks a free one.
    token: What clients must send as `Authorization: Bearer TOKEN`; None for anybody.
    limits: Bounds of requests, queue and time.
    poll_seconds: Time between two looks for a new version.
    access_log: True for a line on stdout per request.

  Raises:
    ValueError: `path` holds no sound SavedModel, `name` does not fit into an address, or `token`
      is empty.
    OSError: The port cannot be had.
    SystemExit: SIGTERM came; the code is 143.
  """
  _log_to_screen()
  server = Server(
    path,
    name,
    host,
    port,
    token=token,
    limits=limits,
    poll_seconds=poll_seconds,
    access_log=access_log,
  )
  print(f'{server.url} has {", ".join(sorted(server.service.servable.signatures))}.', flush=True)
  if token is None and not _is_loopback(host):
    text = f'ma_keras.serving: whoever reaches {host or "this machine"} can use it: set a token.'
    print(text, file=sys.stderr, flush=True)
  if server.run() == signal.SIGTERM:
    sys.exit(128 + signal.SIGTERM)


class _Uvicorn(uvicorn.Server):
  """uvicorn's server, which drains before it stops.

  Attributes:
    signal: The signal that ended it, if there was one.
    drain_seconds: Time for which it tells clients to go, at least.
  """

  def __init__(self, config: uvicorn.Config, service: Service) -> None:
    super().__init__(config)
    self.signal: int | None = None
    self.drain_seconds = DRAIN_SECONDS
    self._service, self._drained_at = service, 0.0

  def drain(self) -> None:
    """Refuses new requests from now on, and ends after the answers to the others."""
    self._drained_at = time.monotonic()
    self._service.draining = True

  def handle_exit(self, sig: int, frame: FrameType | None) -> None:
    """The first signal drains, the second ends the process at once."""
    self.force_exit = self.should_exit = self._service.draining
    self.signal = sig
    self.drain()

  async def on_tick(self, counter: int) -> bool:
    """Ten times a second: True to end."""
    over = time.monotonic() - self._drained_at >= self.drain_seconds
    if self._service.draining and over and not self._service.requests_in_flight:
      self.should_exit = True
    return await super().on_tick(counter)


def _config(service: Service, access_log: bool) -> uvicorn.Config:
  return uvicorn.Config(
    Application(service),
    http=connection_class(service.limits),
    ws='none',
    loop='uvloop',
    lifespan='on',
    access_log=access_log,
    log_config=None,
    server_header=False,
    backlog=BACKLOG,
    timeout_keep_alive=KEEP_ALIVE_SECONDS,
    timeout_graceful_shutdown=int(service.limits.compute_seconds) + 1,
  )


def _log_to_screen() -> None:
  """Requests to stdout, the rest to stderr; logging.config would close absl's handlers."""
  streams = {'uvicorn.access': sys.stdout, 'uvicorn.error': sys.stderr, LOG.name: sys.stderr}
  for name, stream in streams.items():
    logger, handler = logging.getLogger(name), logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter('%(asctime)s %(message)s'))
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)


def _listening(host: str, port: int) -> socket.socket:
  family = socket.AF_INET6 if ':' in host else socket.AF_INET
  try:
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
  except OSError as error:
    why = error.strerror or error
    raise OSError(f'`port` {port} of {host!r} cannot be had ({why}): choose another.') from error


def _is_loopback(host: str) -> bool:
  try:
    return ipaddress.ip_address(host).is_loopback
  except ValueError:
    return host == 'localhost'
