"""Weights of the flows that docs/watch/flow.html moves in the browser: python -m website.watch.

Trains a small flow of each data set (half a minute of a core each, seeded), rounds its weights, and
writes them into the page, with points and log densities that the page holds its own against.
"""

from __future__ import annotations

import json
import pathlib
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.datasets import make_moons

import ma_keras
from ma_keras import potentials, targets, training

PAGE = pathlib.Path(__file__).resolve().parent.parent / 'docs' / 'watch' / 'flow.html'
DATA = re.compile(r'(<script id="flows" type="application/json">).*?(</script>)', re.DOTALL)
NUM_STEPS, TIME, UNITS, FUNCTIONS = 16, 2.0, 64, 6
ROWS, TEST_ROWS, BATCH, EPOCHS = 8000, 2000, 250, 30
DIGITS = 5  # Of a weight.


def moons(n: int, seed: int) -> np.ndarray:
  """Two half circles, [n, 2]."""
  return make_moons(n, noise=0.1, random_state=seed)[0]


def ring_of_modes(n: int, seed: int) -> np.ndarray:
  """Eight modes on a circle, [n, 2]."""
  return targets.GaussianMixture(radius=2.0, scale=0.25).sample(n, seed=[seed, 1]).numpy()


def pinwheel(n: int, seed: int) -> np.ndarray:
  """Five arms that turn as they go outwards, [n, 2]."""
  rng = np.random.default_rng(seed)
  radius, across = rng.normal([1.0, 0.0], [0.3, 0.09], size=(n, 2)).T
  angle = 2 * np.pi * rng.integers(5, size=n) / 5 + 0.9 * radius
  turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
  return np.einsum('ijn,jn->ni', turn, [radius, across])


SETS: dict[str, Callable[[int, int], np.ndarray]] = {
  'two moons': moons,
  'eight modes': ring_of_modes,
  'pinwheel': pinwheel,
}


def trained(name: str, epochs: int = EPOCHS) -> dict[str, Any]:
  """A flow of a data set as plain numbers.

  Args:
    name: One of `SETS`.
    epochs: Passes through the training points.

  Returns:
    Weights, steps, what TensorFlow makes of a few latents, and ln p of test points.
  """
  points = SETS[name](ROWS + TEST_ROWS, 0)
  points = ((points - points.mean(axis=0)) / points.std(axis=0)).astype(np.float32)
  phi = potentials.OneHiddenLayer(2, UNITS, time_basis=basis(), seed=0)
  penalties = {'stiffness': 0.3, 'kinetic': 0.01}  # Honest steps, and no detours.
  model = training.MaximumLikelihood(flow_of(phi), penalties=penalties)
  model.compile(training.adam(0.02, total_steps=epochs * ROWS // BATCH, warmup_steps=50))
  begin = time.process_time()
  model.fit(points[:ROWS], batch_size=BATCH, epochs=epochs, verbose=0)
  seconds = time.process_time() - begin
  weights = {part: rounded(getattr(phi, part)) for part in ('kernel', 'bias', 'amplitude')}
  return {
    'name': name,
    'time': TIME,
    'num_steps': NUM_STEPS,
    **weights,
    **judged(weights, points[ROWS:]),
    'seconds': round(seconds),
  }


def judged(weights: dict[str, Any], test: np.ndarray) -> dict[str, Any]:
  """Points, log densities and the mean of ln p that the rounded weights have in float64."""
  phi = potentials.OneHiddenLayer(2, UNITS, time_basis=basis(), dtype=tf.float64, seed=0)
  for part, values in weights.items():
    getattr(phi, part).assign(values)
  flow = ma_keras.standard_normal_flow(flow_of(phi))
  z = np.random.default_rng(1).normal(size=(12, 2)).round(3)
  x, log_prob = ma_keras.distributions.push_forward(flow, tf.constant(z))
  scores = flow.log_prob(tf.constant(test, tf.float64)).numpy()
  return {
    'check': {'z': z.tolist(), 'x': x.numpy().tolist(), 'log_prob': log_prob.numpy().tolist()},
    'log_prob': round(float(scores.mean()), 3),
    'error': round(float(scores.std(ddof=1) / np.sqrt(scores.size)), 3),
  }


def basis() -> potentials.TimeBasis:
  """Functions of time that amplitudes are made of."""
  return potentials.TimeBasis(TIME, FUNCTIONS)


def flow_of(phi: potentials.Potential) -> ma_keras.MongeAmpereBijector:
  """The flow along a potential."""
  return ma_keras.MongeAmpereBijector(phi, NUM_STEPS, TIME / NUM_STEPS)


def rounded(variable: tf.Variable) -> Any:
  """Values of few digits, as lists."""
  return [
    [float(f'{x:.{DIGITS}g}') for x in row] if np.ndim(row) else float(f'{row:.{DIGITS}g}')
    for row in variable.numpy()
  ]


def main() -> None:
  """Trains, and writes the page."""
  text = json.dumps({'flows': [trained(name) for name in SETS]}, separators=(',', ':'))
  page = DATA.sub(lambda match: match[1] + text + match[2], PAGE.read_text(encoding='utf-8'))
  PAGE.write_text(page, encoding='utf-8')


if __name__ == '__main__':
  main()
