"""Share of the variance of ln w of a lattice flow that sums over the lattice explain.

  python benchmarks/lattice_residuals.py --model=ising_l16
  python benchmarks/lattice_residuals.py --model=RUN/model.npz --num_steps=24

ln w = -E - ln q of samples of the flow has no variance where the flow is the target. Ridge
regression, fitted on three quarters of the samples and tried on the others, tells what a richer
potential would have to see. Features are sums over all sites, of the field x and of soft spins
tanh(s x): powers, products of two sites, and ln cosh of sums over blocks and crosses.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import report
import residuals
import tensorflow as tf
from absl import app, flags

from ma_keras import distributions, samplers, targets
from ma_keras.apps import evaluate, model_app
from ma_keras.apps.configuration import EvaluateConfig

FLAGS = flags.FLAGS
flags.DEFINE_string('model', 'ising_l16', 'A pretrained model, or a model.npz of apps/ising_main.')
flags.DEFINE_integer('samples', 20000, 'Samples of the flow.', lower_bound=100)
flags.DEFINE_integer('batch', 500, 'Samples at once.', lower_bound=1)
flags.DEFINE_integer('num_steps', 0, 'Steps of the flow; 0: those of the file.', lower_bound=0)
flags.DEFINE_integer('seed', 0, 'Names the samples.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

OFFSETS = ((0, 1), (1, 1), (0, 2), (1, 2), (2, 2), (0, 3), (0, 4), (0, 6), (0, 8))
GAINS = (0.5, 1.0, 2.0, 4.0)
BLOCKS = (2, 3, 4, 6)


def shifted(field: np.ndarray, *shift: int) -> np.ndarray:
  """The field [n, L, L] moved by rows and columns."""
  return np.roll(field, shift, axis=(1, 2))


def total(values: np.ndarray) -> np.ndarray:
  """The sum over all sites, [n]."""
  return values.sum(axis=(1, 2))


def log_cosh(values: Any) -> np.ndarray:
  """ln cosh, without overflow."""
  return np.logaddexp(values, -values) - np.log(2.0)


def products(field: np.ndarray) -> list[np.ndarray]:
  """Sums of products of two sites an offset apart, in both directions."""
  side = field.shape[1]
  near = [(r, c) for r, c in OFFSETS if max(r, c) <= side // 2]
  return [total(field * (shifted(field, r, c) + shifted(field, c, r))) for r, c in near]


def blocks(field: np.ndarray) -> list[np.ndarray]:
  """Sums of ln cosh of the field summed over squares and crosses, at three steepnesses."""
  squares = [
    sum(shifted(field, r, c) for r in range(size) for c in range(size)) / size for size in BLOCKS
  ]
  arms = [shifted(field, *arm) for arm in ((0, 1), (0, -1), (1, 0), (-1, 0))]
  return [
    total(log_cosh(sums / width))
    for sums in [*squares, field + sum(arms)]
    for width in (1.0, 2.0, 4.0)
  ]


def features(x: np.ndarray) -> dict[str, list[np.ndarray]]:
  """Groups of features of fields x [n, L, L]."""
  mean = x.mean(axis=(1, 2))
  groups = {
    'single sites': [total(np.abs(x) ** p) for p in (1, 2, 4)] + [total(log_cosh(x))],
    'magnetisation': [np.abs(mean)] + [mean**p for p in (2, 4, 6, 8)],
    'products of x': products(x),
    'blocks of x': blocks(x),
  }
  for gain in GAINS:
    spins = np.tanh(gain * x)
    groups[f'products of tanh({gain:g} x)'] = products(spins)
    groups[f'blocks of tanh({gain:g} x)'] = blocks(spins)
  return groups


def together(groups: dict[str, list[np.ndarray]], without: str | None = None) -> np.ndarray:
  """Columns of all groups, or of those whose name does not say `without`, [n, F]."""
  chosen = [columns for name, columns in groups.items() if without is None or without not in name]
  return np.stack(list(itertools.chain(*chosen)), axis=-1)


def draws(model: Any, target: targets.Target) -> tuple[np.ndarray, np.ndarray]:
  """Fields of the flow, [n, N], and their ln w, [n]."""
  flow = model.latent_flow()

  @tf.function(jit_compile=True)
  def weighed(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x, log_q = distributions.push_forward(flow, flow.distribution.sample(FLAGS.batch, seed=seed))
    return x, -target.energy(x) - log_q

  batches = -(-FLAGS.samples // FLAGS.batch)
  parts = [weighed(tf.constant([FLAGS.seed, number])) for number in range(batches)]
  x, log_weights = (np.concatenate(part).astype(np.float64) for part in zip(*parts))
  return x[: FLAGS.samples], log_weights[: FLAGS.samples]


def main(argv: list[str]) -> None:
  """Prints the shares and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  start = time.process_time()
  model = model_app.load(EvaluateConfig(model=FLAGS.model, num_steps=FLAGS.num_steps))
  target = evaluate.target_of(model.notes)[0]
  x, values = draws(model, target)
  side = round(target.event_size**0.5)
  groups = features(x.reshape(-1, side, side))
  results = {
    'effective sample size': samplers.estimate(values).effective_sample_size,
    'variance of ln w': float(np.var(values)),
    'share of the variance explained': {
      **{
        name: residuals.explained(np.stack(columns, axis=-1), values)
        for name, columns in groups.items()
      },
      'all of x': residuals.explained(together(groups, 'tanh'), values),
      'all': residuals.explained(together(groups), values),
    },
    'processor seconds': time.process_time() - start,
  }
  print(results)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
