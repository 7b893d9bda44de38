"""What clients can do to a server: statuses, memory and processor time under attack.

  python benchmarks/attacks.py --output=attacks.json

`ma-keras serve` runs as a process of its own on the loopback interface, with its default limits and
the pretrained MNIST flow. VmHWM is the most memory that it ever held.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
from absl import app, flags

from ma_keras import pretrained
from ma_keras.saving import export

FLAGS = flags.FLAGS
flags.DEFINE_string('model', 'mnist', 'Of ma_keras.pretrained.')
flags.DEFINE_string('output', None, 'JSON file for the results.')
PREDICT, INFER = '/v1/models/flow:predict', '/v2/models/flow/infer'
LENGTH = 'Inference-Header-Content-Length'
Statuses = collections.Counter[Any]


class Target:
  """A running server.

  Attributes:
    process: Its process.
    port: Where it listens.
    numbers: Numbers of a row.
  """

  def __init__(self, path: pathlib.Path, log: pathlib.Path, numbers: int) -> None:
    """Starts it and waits until it listens."""
    command = [sys.executable, '-m', 'ma_keras.apps.command', 'serve', '--port=0']
    self.process = subprocess.Popen(
      [*command, f'--saved_model={path}'], stdout=log.open('w'), stderr=subprocess.STDOUT
    )
    while '/v1/models/flow has' not in (text := log.read_text()):
      time.sleep(0.1)
    line = next(line for line in text.splitlines() if '/v1/models/flow has' in line)
    self.port, self.numbers = int(line.split('/v1/')[0].rpartition(':')[2]), numbers

  def post(self, body: bytes, path: str = PREDICT, **headers: str) -> int:
    """Status of a request; the answer is read and dropped."""
    connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=300)
    with contextlib.closing(connection):
      connection.request('POST', path, body, {k.replace('_', '-'): v for k, v in headers.items()})
      answer = connection.getresponse()
      while answer.read(2**20):
        pass
      return answer.status

  def memory(self) -> int:
    """Most memory so far, in MB."""
    text = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
    return int(text.split('VmHWM:')[1].split()[0]) // 1024

  def row(self) -> bytes:
    """A request of one row."""
    return json.dumps({'inputs': {'seed': [1, 2], 'n': 1}, 'signature_name': 'sample'}).encode()


def large_json(target: Target) -> Statuses:
  """Bodies of 60 MB: valid rows, and lists of lists."""
  row = b'[' + b','.join([b'0.25'] * target.numbers) + b'],'
  valid = b'{"instances":[' + (row * (60_000_000 // len(row)))[:-1] + b']}'
  return collections.Counter(target.post(body) for body in [valid, b'[' * 60_000_000] * 2)


def dense_json(target: Target) -> Statuses:
  """Bodies of 8 MB that take the most memory for their length, and shorter ones that get in."""
  items = [b'[]', b'{}', b'1', b'"\xc3\xa9a"']
  counts = [(2**23 - 100) // (len(item) + 1) for item in items] + [
    1_350_000,
    480_000,
    3_900_000,
    10**6,
  ]
  bodies = [
    b'{"instances":[' + b','.join([item] * count) + b']}' for item, count in zip(items * 2, counts)
  ]
  row = b'[' + b','.join([b'0.25'] * target.numbers) + b']'
  bodies.append(b'{"instances":[' + b','.join([row] * (8_000_000 // len(row))) + b']}')
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    return collections.Counter(pool.map(target.post, bodies * 2))


def large_binary(target: Target) -> Statuses:
  """Valid bodies of raw bytes, three at once: of 60 MB, beyond the limit, then of 30 MB."""
  return sum((raw_bytes(target, size) for size in (60_000_000, 30_000_000)), collections.Counter())


def raw_bytes(target: Target, size: int) -> Statuses:
  """Three requests at once for points from latents of so many bytes."""
  pixels = np.full([size // (4 * target.numbers), target.numbers], 0.25, np.float32)
  entry: dict[str, Any] = {'name': 'z', 'datatype': 'FP32', 'shape': list(pixels.shape)}
  entry['parameters'] = {'binary_data_size': pixels.nbytes}
  head = json.dumps({'inputs': [entry], 'parameters': {'signature_name': 'forward'}}).encode()
  ask = lambda _: target.post(head + pixels.tobytes(), INFER, **{LENGTH: str(len(head))})  # noqa: E731
  with concurrent.futures.ThreadPoolExecutor(3) as pool:
    return collections.Counter(pool.map(ask, range(3)))


def many_samples(target: Target) -> Statuses:
  """Short requests for as many samples as the server gives, and for absurd numbers."""
  bodies = [
    json.dumps({'signature_name': 'sample', 'inputs': {'seed': [1, i], 'n': n}}).encode()
    for i, n in enumerate([10**12, -1, 10**6, *[4_000] * 4])
  ]
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    return collections.Counter(pool.map(target.post, bodies))


def deep_json(target: Target) -> Statuses:
  """Nesting of a thousand to four million levels."""
  bodies = [opening * n for opening in (b'[', b'{"a":') for n in (1000, 10**5, 10**6)]
  return collections.Counter(target.post(body) for body in bodies)


def slow_clients(target: Target) -> Statuses:
  """Two hundred clients that send a byte a second, and one that is served meanwhile."""
  head = f'POST {PREDICT} HTTP/1.1\r\nContent-Length: 1000\r\n\r\n'.encode()
  statuses: Statuses = collections.Counter()
  with contextlib.ExitStack() as stack:
    address = ('127.0.0.1', target.port)
    sockets = [stack.enter_context(socket.create_connection(address, 60)) for _ in range(200)]
    for client in sockets:
      client.sendall(head)
    for _ in range(20):
      for client in sockets:
        client.sendall(b' ')
      statuses['others', target.post(target.row())] += 1
      time.sleep(1.0)
    for client in sockets:
      statuses[int(client.makefile('rb').readline().split()[1])] += 1
  return statuses


def descriptors(target: Target) -> Statuses:
  """Connections beyond the descriptors that the process may have, then none."""
  statuses: Statuses = collections.Counter()
  pid, number = target.process.pid, resource.RLIMIT_NOFILE
  soft, hard = resource.prlimit(pid, number)
  used = len(os.listdir(f'/proc/{pid}/fd'))
  resource.prlimit(pid, number, (used + 20, hard))
  with contextlib.ExitStack() as stack:
    for _ in range(100):
      stack.enter_context(socket.create_connection(('127.0.0.1', target.port), timeout=60))
    time.sleep(5.0)
  resource.prlimit(pid, number, (soft, hard))
  for _ in range(20):
    statuses[target.post(target.row())] += 1
  return statuses


def end_under_load(target: Target) -> Statuses:
  """SIGTERM while sixteen clients ask on connections that they keep."""
  statuses: Statuses = collections.Counter()

  def client() -> None:
    connection = http.client.HTTPConnection('127.0.0.1', target.port, timeout=60)
    with contextlib.closing(connection):
      for _ in range(10_000):
        try:
          connection.request('POST', PREDICT, target.row())
        except OSError:
          statuses['not accepted'] += 1
          return
        try:
          answer = connection.getresponse()
          answer.read()
        except (OSError, http.client.HTTPException):
          statuses['lost'] += 1
          return
        statuses[answer.status] += 1
        if answer.status != 200:
          return

  threads = [threading.Thread(target=client) for _ in range(16)]
  for thread in threads:
    thread.start()
  time.sleep(3.0)
  target.process.send_signal(signal.SIGTERM)
  for thread in threads:
    thread.join()
  statuses['exit code', target.process.wait(120)] += 1
  return statuses


ATTACKS: list[Callable[[Target], Statuses]] = [
  large_json,
  dense_json,
  large_binary,
  many_samples,
  deep_json,
  slow_clients,
  descriptors,
  end_under_load,
]


def main(argv: list[str]) -> None:
  """Prints statuses and memory after each attack, and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'flow' / '1'
    model = pretrained.load(FLAGS.model)
    flow = model.latent_flow() if model.preprocessing else model.flow()
    export.save(flow, path)
    target = Target(path.parent, pathlib.Path(folder) / 'log', int(np.prod(flow.event_shape)))
    results: dict[str, Any] = {'before': {'VmHWM in MB': target.memory()}}
    print('before', results['before'], flush=True)
    for attack in ATTACKS:
      memory = target.memory()
      statuses = {str(key): count for key, count in attack(target).items()}
      memory = target.memory() if target.process.poll() is None else memory
      results[attack.__name__] = {'statuses': statuses, 'VmHWM in MB': memory}
      print(attack.__name__, results[attack.__name__], flush=True)
    log = (pathlib.Path(folder) / 'log').read_text()
  results['server errors'] = log.count('" 500') + log.count('Traceback')
  print('server errors', results['server errors'])
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
