"""What export and the server cost: the reloaded log_prob against the flow's own, and requests.

  python benchmarks/serving.py --output=serving.json

The two functions take turns on the same batch; the ratio of their medians counts. Requests are of
one point each, from clients on connections that they keep. The server is a process of its own, with
its defaults; with `--against=COMMAND`, which holds {path} and {port}, a second one takes turns with
it. The client is one thread that polls all connections and takes some 5 % of the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import pretrained
from ma_keras.potentials import OneHiddenLayer
from ma_keras.saving import export

FLAGS = flags.FLAGS
flags.DEFINE_list('models', ['plane', 'ising_l8', 'mnist'], 'plane, or of ma_keras.pretrained.')
flags.DEFINE_list('clients', ['1', '64', '200'], 'Concurrent clients of each row.')
flags.DEFINE_integer('batch_size', 100, 'B of the comparison.', lower_bound=1)
flags.DEFINE_integer('repeats', 30, 'Calls of each function.', lower_bound=1)
flags.DEFINE_integer('requests', 400, 'Of every row.', lower_bound=1)
flags.DEFINE_integer('rounds', 3, 'Times that the servers take turns.', lower_bound=1)
flags.DEFINE_string('against', None, 'Command of another server, with {path} and {port}.')
flags.DEFINE_string('output', None, 'JSON file for the results.')
PYTHON = shlex.quote(sys.executable)
OWN = f'{PYTHON} -m ma_keras.apps.command serve --saved_model={{path}} --port={{port}}'


def built(name: str) -> Any:
  """The flow of this name; `plane` is of 2 numbers, 64 units and 10 steps, untrained."""
  if name != 'plane':
    return pretrained.load(name).flow()
  bijector = ma_keras.MongeAmpereBijector(OneHiddenLayer(2, 64, seed=1), 10, 0.1)
  return ma_keras.standard_normal_flow(bijector)


def export_ratio(flow: Any, module: Any, x: tf.Tensor) -> dict[str, float]:
  """Medians in milliseconds, and reloaded over in-process."""
  spec = tf.TensorSpec([None, *flow.event_shape], flow.dtype)
  own = tf.function(flow.log_prob, input_signature=[spec], autograph=False)
  reloaded = lambda x: module.signatures['log_prob'](x=x)['log_prob']  # noqa: E731
  np.testing.assert_allclose(own(x), reloaded(x), rtol=1e-4)
  times = []
  for _ in range(FLAGS.repeats):
    times.append(
      [1e3 * seconds(lambda: own(x).numpy()), 1e3 * seconds(lambda: reloaded(x).numpy())]
    )
  in_process, exported = np.median(times, axis=0)
  return {'in_process': in_process, 'exported': exported, 'ratio': exported / in_process}


def seconds(work: Callable[[], Any]) -> float:
  """Time of one call."""
  start = time.perf_counter()
  work()
  return time.perf_counter() - start


@contextlib.contextmanager
def running(command: str, path: pathlib.Path) -> Iterator[tuple[int, int]]:
  """Port and process number of a server."""
  with socket.create_server(('127.0.0.1', 0)) as probe:
    port = probe.getsockname()[1]
  folder, _, line = command.format(path=path, port=port).rpartition('&&')
  process = subprocess.Popen(  # Without a shell in between, whose number it would have.
    f'{folder}{"&&" if folder else ""} exec {line}',
    shell=True,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  try:
    while process.poll() is None:
      with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
        break
      time.sleep(0.1)
    if process.poll() is not None:
      raise RuntimeError(f'{line} has ended with exit code {process.returncode}.')
    yield port, process.pid
  finally:
    process.send_signal(signal.SIGTERM)
    process.wait()


class Client:
  """A connection that is kept, with one request under way."""

  def __init__(self, port: int) -> None:
    """Connects."""
    self.socket = socket.create_connection(('127.0.0.1', port))
    self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    self._answer = b''

  def ask(self, request: bytes) -> None:
    """Sends a request."""
    self._start = time.perf_counter()
    self.socket.sendall(request)

  def receive(self) -> tuple[bool, float] | None:
    """True if the answer is 200, and its time; None if it is not whole yet."""
    text = self.socket.recv(2**16)
    self._answer += text
    head, end, body = self._answer.partition(b'\r\n\r\n')
    if text and not end:
      return None
    length = int(head.lower().partition(b'content-length:')[2].split(b'\r\n')[0])
    if text and len(body) < length:
      return None
    self._answer = b''
    return head[9:12] == b'200', time.perf_counter() - self._start


def load(port: int, bodies: list[bytes], clients: int) -> dict[str, float]:
  """Requests per second, median and 99th percentile of latency in milliseconds, and failures."""
  head = 'POST /v1/models/flow:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n'
  requests = [head.format(len(body)).encode() + body for body in bodies]
  opened = {client.socket.fileno(): client for client in (Client(port) for _ in range(clients))}
  poll = select.epoll()
  for number in opened:
    poll.register(number, select.EPOLLIN)
  answers: list[tuple[bool, float]] = []
  start = time.perf_counter()
  for client in opened.values():
    client.ask(requests.pop())
  while len(answers) < len(bodies):
    for number, _ in poll.poll(300):
      answer = opened[number].receive()
      if answer is not None:
        answers.append(answer)
        if requests:
          opened[number].ask(requests.pop())
  elapsed = time.perf_counter() - start
  for client in opened.values():
    client.socket.close()
  latencies = [1e3 * latency for _, latency in answers]
  return {
    'requests_per_second': len(answers) / elapsed,
    'median': float(np.median(latencies)),
    'percentile_99': float(np.percentile(latencies, 99)),
    'failures': sum(not fine for fine, _ in answers),
  }


def processor_seconds(pid: int) -> float:
  """Time of the processor that a process has taken."""
  fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
  return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def measure_requests(path: pathlib.Path, bodies: list[bytes]) -> dict[str, Any]:
  """Rows of one model: for each server and number of clients, one of every round."""
  commands = {'ma-keras serve': OWN, **({'against': FLAGS.against} if FLAGS.against else {})}
  rows: dict[str, Any] = {}
  with contextlib.ExitStack() as stack:
    servers = {k: stack.enter_context(running(c, path)) for k, c in commands.items()}
    for port, _ in servers.values():
      load(port, bodies[:8], 1)
    for clients in FLAGS.clients:
      for _ in range(FLAGS.rounds):
        for name, (port, pid) in servers.items():
          start = processor_seconds(pid)
          row = load(port, bodies, int(clients))
          row['processor_ms_per_request'] = 1e3 * (processor_seconds(pid) - start) / len(bodies)
          rows.setdefault(f'{clients} clients', {}).setdefault(name, []).append(row)
          print(f'{clients:>5} {name}', *(f'{k} {v:.2f}' for k, v in row.items()), flush=True)
  return rows


def measure(name: str, folder: str) -> dict[str, Any]:
  """Both tables of one model."""
  flow, path = built(name), pathlib.Path(folder) / name / '1'
  export.save(flow, path)
  x = flow.sample(FLAGS.batch_size, seed=1)
  results: dict[str, Any] = {'log_prob': export_ratio(flow, tf.saved_model.load(str(path)), x)}
  print(f'{name}: exported / in process = {results["log_prob"]["ratio"]:.3f}', flush=True)
  points = [json.dumps({'instances': [point]}).encode() for point in x.numpy().tolist()]
  bodies = [points[i % len(points)] for i in range(FLAGS.requests)]
  return results | measure_requests(path, bodies)


def main(argv: list[str]) -> None:
  """Prints the tables and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  with tempfile.TemporaryDirectory() as folder:
    results = {name: measure(name, folder) for name in FLAGS.models}
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
