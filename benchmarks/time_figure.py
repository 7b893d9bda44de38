"""Quality against seconds of whole training processes, with published levels, as one figure.

  python benchmarks/time_figure.py --output=docs/results/time_to_quality.png

Curves are the JSON files of benchmarks/time_to_quality.py in docs/results/benchmarks, each with its
flags, commit and machine; levels are those of docs/results/published.json, of other models on other
machines, whose times nobody published.
"""

from __future__ import annotations

import json
from typing import Any

import app_run
import numpy as np
from absl import app, flags

from ma_keras import plotting
from ma_keras.targets import Ising

FLAGS = flags.FLAGS
flags.DEFINE_string('output', 'docs/results/time_to_quality.png', 'PNG of the figure.')

RESULTS = app_run.ROOT / 'docs' / 'results'
SIDE = 16
# Flagfile -> JSON of its epochs.
ISING = {
  'ising_l16_seconds': 'time_ising_l16_seconds',
  'ising_l16_quick': 'time_ising_l16_quick',
  'ising_l16_minutes': 'time_ising_l16_minutes',
}
MNIST = {
  'mnist_seconds': 'time_mnist_seconds',
  'mnist_minutes': 'time_mnist_minutes',
  'mnist_quick': 'time_mnist_quick',
  'mnist_muon, one epoch': 'time_mnist_muon',
}


def curve(name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
  """Seconds and values of the epochs of a run."""
  rows = json.loads((RESULTS / 'benchmarks' / f'{name}.json').read_text())['results']
  rows = [row for row in rows if metric in row and 'exit_code' not in row]
  return np.array([row['seconds'] for row in rows]), np.array([row[metric] for row in rows])


def levels(axis: Any, values: dict[str, float]) -> None:
  """Horizontal lines at published values, named at their ends, neighbours at different places."""
  places = (1.0, 0.72)
  for k, name in enumerate(sorted(values, key=lambda name: -values[name])):
    axis.axhline(values[name], color='tab:gray', linestyle=':', linewidth=1)
    place = (places[k % 2], values[name])
    axis.annotate(name, place, xycoords=('axes fraction', 'data'), ha='right', va='bottom')


def clock(axis: Any) -> None:
  """A logarithmic axis of seconds with plain numbers."""
  axis.set(xscale='log', xlabel='seconds')
  first, last = axis.get_xlim()
  marks = [mark for mark in (10, 15, 30, 60, 120, 300, 600) if first <= mark <= last]
  axis.set_xticks(marks, labels=map(str, marks))
  axis.set_xticks([], minor=True)


def ising(axis: Any, published: dict[str, Any]) -> None:
  """KL(flow, target) of the Ising model after every epoch: N times F/N less its exact value."""
  target = Ising(SIDE)
  exact = -target.exact_log_partition() / SIDE**2
  for flagfile, name in ISING.items():
    seconds, values = curve(name, 'free_energy_per_site')
    axis.plot(seconds, SIDE**2 * (values - exact), marker='.', label=flagfile)
  paper = published['Zhang, E & Wang 2018']['Ising 16 x 16']
  levels(axis, {'Zhang, E & Wang 2018': float(paper['KL'])})
  axis.set(yscale='log', ylabel='KL, nats', title='Ising, L = 16')
  clock(axis)
  axis.legend()


def mnist(axis: Any, published: dict[str, Any]) -> None:
  """Negative log likelihood of validation images after every epoch."""
  for flagfile, name in MNIST.items():
    seconds, values = curve(name, 'val_nll')
    axis.plot(seconds, values, marker='.', label=flagfile)
  theirs = published['Papamakarios et al. 2017']['MNIST nats']
  paper = published['Zhang, E & Wang 2018']['MNIST nats'].split()[0]
  levels(axis, {**{k: float(v) for k, v in theirs.items()}, 'Zhang, E & Wang 2018': float(paper)})
  axis.set(ylabel='nats', title='MNIST')
  clock(axis)
  axis.legend()


def main(argv: list[str]) -> None:
  """Draws both and writes the figure."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  published = json.loads((RESULTS / 'published.json').read_text())
  figure, (left, right) = plotting.canvas.subplots(1, 2, figsize=(9, 4))
  ising(left, published)
  mnist(right, published)
  plotting.canvas.save(figure, FLAGS.output)


if __name__ == '__main__':
  app.run(main)
