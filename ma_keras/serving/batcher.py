"""One thread that runs the model, on rows of many requests put together."""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Callable

import numpy as np

from .limits import Limits
from .refusal import Refusal, busy
from .servable import Arrays, Signature

Piece = tuple['Job', int, int]  # A job, and its first and last row (exclusive) in a batch.


class Job:
  """A request's rows on their way through the model.

  Attributes:
    signature: Function to call.
    arrays: Its inputs.
    rows: Number of rows.
    start: Rows that are done or under way.
    outputs: Results of the rows done.
    future: Receives the results.
  """

  def __init__(self, signature: Signature, arrays: Arrays, rows: int) -> None:
    """Starts with no row done; to be made on the event loop.

    Args:
      signature: Function to call.
      arrays: Its inputs.
      rows: Number of rows.
    """
    self.signature, self.arrays, self.rows, self.start = signature, arrays, rows, 0
    self.outputs: Arrays = {}
    self.future: asyncio.Future[Arrays] = asyncio.get_running_loop().create_future()

  def store(self, outputs: Arrays, first: int, last: int) -> bool:
    """Keeps the results of rows `first` to `last`; True if all rows are done."""
    if first == 0 and last == self.rows:
      self.outputs = outputs
      return True
    for name, array in outputs.items():
      if first == 0:
        self.outputs[name] = np.empty([self.rows, *array.shape[1:]], array.dtype)
      self.outputs[name][first:last] = array
    return last == self.rows


class Batcher:
  """Runs jobs in a thread of its own: rows of one signature together, long jobs in pieces.

  Batches for functions that XLA compiles are padded to a power of two, so that they meet few sizes.
  Signatures take turns, and so do jobs of more rows than a batch has. A batch waits for as many
  rows as waited the last time, and not longer than `max_wait_ms`.

  Attributes:
    queued_rows: Rows that wait.
  """

  def __init__(self, limits: Limits, observe: Callable[[int], None] = lambda rows: None) -> None:
    """Starts no thread yet; see `start`.

    Args:
      limits: Sizes of batches and queue.
      observe: Told the number of rows of every batch.
    """
    self._limits, self._observe = limits, observe
    self._queues: collections.OrderedDict[Signature, collections.deque[Job]]
    self._queues = collections.OrderedDict()
    self._changed = threading.Condition()
    self._thread: threading.Thread | None = None
    self._stopping = False
    self._expected = 1  # Rows that a batch waits for: as many as waited the last time.
    self.queued_rows = 0

  def start(self) -> None:
    """Starts the thread, if it does not run."""
    if self._thread is None:
      self._stopping = False
      self._thread = threading.Thread(target=self._work, name='ma_keras_batcher', daemon=True)
      self._thread.start()

  def stop(self) -> None:
    """Ends the thread when the queue is empty."""
    if self._thread is not None:
      with self._changed:
        self._stopping = True
        self._changed.notify()
      self._thread.join()
      self._thread = None

  def submit(self, signature: Signature, arrays: Arrays, rows: int) -> asyncio.Future[Arrays]:
    """Puts a job into the queue.

    Args:
      signature: Function to call.
      arrays: Its inputs.
      rows: Number of rows, 1 or more.

    Returns:
      The results to come.

    Raises:
      Refusal: The queue is full (503).
    """
    if self.queued_rows and self.queued_rows + rows > self._limits.max_queued_rows:
      raise busy(f'{self.queued_rows} rows are waiting: try again later.')
    job = Job(signature, arrays, rows)
    with self._changed:
      self._queues.setdefault(signature, collections.deque()).append(job)
      self.queued_rows += rows
      self._changed.notify()
    return job.future

  def _work(self) -> None:
    while (pieces := self._next()) is not None:
      if pieces:
        self._run(pieces)
        del pieces  # A thread that waits holds no request's arrays.

  def _next(self) -> list[Piece] | None:
    """The next batch; None at the end."""
    with self._changed:
      self._changed.wait_for(lambda: self._queues or self._stopping)
      if not self._queues:
        return None
      self._changed.wait_for(self._is_full, self._limits.max_wait_ms / 1e3)
      self._expected = min(self.queued_rows, self._limits.max_batch_rows)
      return self._take()

  def _is_full(self) -> bool:
    return self.queued_rows >= self._expected or self._stopping

  def _take(self) -> list[Piece]:
    """Rows of the signature whose turn it is, as many as a batch holds."""
    signature, jobs = self._queues.popitem(last=False)
    pieces: list[Piece] = []
    room = self._limits.max_batch_rows
    while jobs and room > 0:
      job = jobs.popleft()
      first = job.start
      if job.future.done():  # Its time is over, or its client has gone.
        self.queued_rows -= job.rows - first
        continue
      last = min(job.rows, first + room) if signature.has_rows else job.rows
      pieces.append((job, first, last))
      job.start = last
      self.queued_rows -= last - first
      room = room - (last - first) if signature.has_rows else 0
      if last < job.rows:
        jobs.append(job)
    if jobs:
      self._queues[signature] = jobs
    return pieces

  def _run(self, pieces: list[Piece]) -> None:
    signature = pieces[0][0].signature
    self._observe(sum(last - first for _, first, last in pieces))
    try:
      outputs = _batch(signature, pieces)
    except Exception as error:
      if isinstance(error, Refusal) and len(pieces) > 1:
        for piece in pieces:  # A bad row is its own request's fault alone.
          self._run([piece])
        return
      _deliver([(job, error) for job, _, _ in pieces])
      return
    done: list[tuple[Job, Exception | None]] = []
    row = 0
    for job, first, last in pieces:
      own = {name: array[row : row + last - first] for name, array in outputs.items()}
      row += last - first
      if job.store(own if signature.has_rows else outputs, first, last):
        done.append((job, None))
    _deliver(done)


def _batch(signature: Signature, pieces: list[Piece]) -> Arrays:
  """Outputs of the rows of all pieces, one after another."""
  if not signature.has_rows:
    return signature(pieces[0][0].arrays)
  rows = sum(last - first for _, first, last in pieces)
  padding = (1 << (rows - 1).bit_length()) - rows if signature.is_compiled else 0
  arrays = {}
  for name in signature.inputs:
    parts = [job.arrays[name][first:last] for job, first, last in pieces]
    if padding:
      parts.append(np.repeat(parts[-1][-1:], padding, axis=0))
    arrays[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
  outputs = signature(arrays)
  if any(len(array) != rows + padding for array in outputs.values()):
    raise RuntimeError(f'Signature {signature.name!r} does not return a row for each row.')
  return outputs


def _deliver(results: list[tuple[Job, Exception | None]]) -> None:
  """Hands results over to the event loop, all at once."""
  if results:
    loop = results[0][0].future.get_loop()
    try:
      loop.call_soon_threadsafe(_resolve, results)
    except RuntimeError:
      return  # The loop is closed: nobody waits any more.


def _resolve(results: list[tuple[Job, Exception | None]]) -> None:
  for job, error in results:
    if job.future.done():
      continue
    if error is None:
      job.future.set_result(job.outputs)
    else:
      job.future.set_exception(error)
