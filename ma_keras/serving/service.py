"""A model with all that serves it: versions, batches, limits and counters, without HTTP."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import pathlib
import re
import threading
from collections.abc import Callable

import numpy as np

from .batcher import Batcher
from .limits import Budget, Limits, Share
from .metrics import Metrics
from .refusal import Refusal, busy
from .servable import Arrays, Servable, Signature
from .versions import Versions

LOG = logging.getLogger('ma_keras.serving')
NAME = re.compile(r'[\w.-]+', re.ASCII)


class Service:
  """The state of an application.

  Attributes:
    name: What the model is called in addresses.
    token: What clients must know, or None.
    limits: Bounds.
    budget: Bytes in flight.
    metrics: Counters.
    draining: True when new requests are refused.
    requests_in_flight: Requests that are not answered yet.
    reader: The thread that reads long bodies.
  """

  def __init__(
    self,
    path: str | pathlib.Path,
    name: str,
    *,
    token: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  Limits never change.
    poll_seconds: float = 1.0,
  ) -> None:
    """Loads the model.

    Args:
      path: Directory of a SavedModel, or of numbered versions.
      name: What to call it in addresses.
      token: What clients must know; None for anybody.
      limits: Bounds.
      poll_seconds: Time between two looks for a new version.

    Raises:
      ValueError: `path` holds no sound SavedModel, `name` does not fit into an address, or `token`
        is empty.
    """
    if not NAME.fullmatch(name):
      raise ValueError(f'`name` must consist of letters, digits, "_", "-" and ".", got {name!r}.')
    if token is not None and not (token and token.isascii() and token.isprintable()):
      raise ValueError('`token` must be one line of printable ASCII characters, and not empty.')
    self.name, self.token, self.limits = name, token, limits
    self.draining, self.requests_in_flight = False, 0
    self.reader = concurrent.futures.ThreadPoolExecutor(1, 'ma_keras_reader')
    self.budget = Budget(limits.max_bytes_in_flight)
    self._versions = Versions(path)
    gauges: dict[str, tuple[str, Callable[[], float]]] = {
      'queued_rows': ('Rows that wait for the model.', lambda: self._batcher.queued_rows),
      'bytes_in_flight': ('Bytes that all requests hold.', lambda: self.budget.used),
      'requests_in_flight': ('Requests not answered yet.', lambda: self.requests_in_flight),
      'model_version': ('Version that is served.', lambda: self.servable.version),
    }
    self.metrics = Metrics(gauges)
    self._batcher: Batcher = Batcher(limits, self.metrics.batch)
    self._poll_seconds, self._stopped = poll_seconds, threading.Event()
    self._watcher: threading.Thread | None = None

  @property
  def servable(self) -> Servable:
    """The version that is served now."""
    return self._versions.current

  def start(self) -> None:
    """Starts the threads that run the model and look for new versions, if they do not run."""
    self._batcher.start()
    if self._watcher is None:
      self._stopped.clear()
      self._watcher = threading.Thread(target=self._watch, name='ma_keras_versions', daemon=True)
      self._watcher.start()

  def stop(self) -> None:
    """Ends the threads; what is in the queue is computed first."""
    self._stopped.set()
    self._batcher.stop()
    self._watcher = None

  async def compute(self, signature: Signature, arrays: Arrays, share: Share) -> Arrays:
    """Outputs of a signature, computed together with other requests where it has rows.

    Args:
      signature: Function to call.
      arrays: Its inputs.
      share: Bytes of this request, set to those of inputs and outputs.

    Raises:
      Refusal: Too many rows (413), a full server (503), no time left (504), or a bad input (400).
    """
    rows = signature.rows(arrays)
    if rows > self.limits.max_rows:
      limit = self.limits.max_rows
      raise Refusal(413, f'The request has {rows} rows, the limit is {limit}: send fewer.')
    if rows == 0:
      return {name: field.empty() for name, field in signature.outputs.items()}
    share.hold(sum(array.nbytes for array in arrays.values()) + rows * signature.row_bytes)
    self.start()  # A mounted application has no lifespan of its own.
    future = self._batcher.submit(signature, arrays, rows)
    seconds = self.limits.compute_seconds
    timer = future.get_loop().call_later(seconds, _expire, future, seconds)
    try:
      return await future
    finally:
      timer.cancel()

  def check_open(self) -> None:
    """Lets requests in until the server drains.

    Raises:
      Refusal: The server drains (503).
    """
    if self.draining:
      raise busy('The server is shutting down: ask another one, or try again later.')

  def _watch(self) -> None:
    while not self._stopped.wait(self._poll_seconds):
      try:
        self._versions.look()
      except Exception:
        LOG.exception('The look for new versions failed')


def _expire(future: asyncio.Future[dict[str, np.ndarray]], seconds: float) -> None:
  if not future.done():
    future.set_exception(
      Refusal(504, f'There is no result after {seconds} s: send fewer rows, or try again later.')
    )
