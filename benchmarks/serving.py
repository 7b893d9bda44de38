"""What export and the server cost: the reloaded log_prob against the flow's own, and requests.

  python benchmarks/serving.py --output=serving.json

The two functions take turns on the same batch; the ratio of their medians counts. Requests are of
one point each, every client on a connection that it keeps, in threads of the server's own process.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import pathlib
import tempfile
import threading
import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras import export, pretrained, serving

FLAGS = flags.FLAGS
flags.DEFINE_list('models', ['ising_l8', 'mnist'], 'Of ma_keras.pretrained.')
flags.DEFINE_list('clients', ['1', '8', '200'], 'Concurrent clients of each row.')
flags.DEFINE_integer('batch_size', 100, 'B of the comparison.', lower_bound=1)
flags.DEFINE_integer('repeats', 30, 'Calls of each function.', lower_bound=1)
flags.DEFINE_integer('requests', 400, 'Of every row.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


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


def seconds(work: Any) -> float:
  """Of one call."""
  start = time.perf_counter()
  work()
  return time.perf_counter() - start


def load(server: serving.Server, bodies: list[bytes], clients: int) -> dict[str, float]:
  """Requests per second, median and 99th percentile of latency in milliseconds, and failures."""
  gate = threading.Barrier(clients)

  def client(number: int) -> list[tuple[int, float]]:
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=300)
    gate.wait()
    return [ask(connection, server.name, body) for body in bodies[number::clients]]

  with concurrent.futures.ThreadPoolExecutor(clients) as pool:
    start = time.perf_counter()
    answers = [answer for own in pool.map(client, range(clients)) for answer in own]
    elapsed = time.perf_counter() - start
  latencies = [1e3 * latency for _, latency in answers]
  return {
    'requests_per_second': len(answers) / elapsed,
    'median': float(np.median(latencies)),
    'percentile_99': float(np.percentile(latencies, 99)),
    'failures': sum(status != 200 for status, _ in answers),
  }


def ask(connection: http.client.HTTPConnection, name: str, body: bytes) -> tuple[int, float]:
  """Status and seconds of one request."""
  start = time.perf_counter()
  connection.request('POST', f'/v1/models/{name}:predict', body)
  response = connection.getresponse()
  response.read()
  return response.status, time.perf_counter() - start


def measure(name: str, folder: str) -> dict[str, Any]:
  """Both tables of one model."""
  model, path = pretrained.load(name), pathlib.Path(folder) / name
  flow = model.flow()
  export.save(flow, path)
  x = flow.sample(FLAGS.batch_size, seed=1)
  found: dict[str, Any] = {'log_prob': export_ratio(flow, tf.saved_model.load(str(path)), x)}
  print(f'{name}: exported / in process = {found["log_prob"]["ratio"]:.3f}', flush=True)
  points = [json.dumps({'instances': [point]}).encode() for point in x.numpy().tolist()]
  bodies = [points[i % len(points)] for i in range(FLAGS.requests)]
  with serving.Server(path, name) as server:
    load(server, bodies[:8], 1)
    for clients in FLAGS.clients:
      found[f'{clients} clients'] = row = load(server, bodies, int(clients))
      print(f'{clients:>5} clients', *(f'{k} {v:.1f}' for k, v in row.items()), flush=True)
  return found


def main(argv: list[str]) -> None:
  """Prints the tables and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  with tempfile.TemporaryDirectory() as folder:
    results = {name: measure(name, folder) for name in FLAGS.models}
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
