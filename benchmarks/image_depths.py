"""In how few RK4 steps a trained flow of images has its likelihood: certified flows, side by side.

  python benchmarks/image_depths.py --model=runs/mnist_quick/model.npz --model=OTHER/model.npz

Mean of ln p over the same test images with the same noise, in logit space, in 2, 3, 4, ... steps
minus that in 64; the least number from which on the mean differs by less than 0.1 nats; and kinetic
energy and straightness of the paths of samples. Models differ in penalties, say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import report
from absl import app, flags

import ma_keras
from ma_keras import data, transport
from ma_keras.training.halving import Scorer

FLAGS = flags.FLAGS
flags.DEFINE_multi_string('model', None, 'Model file of a run.', required=True)
flags.DEFINE_string('dataset', 'mnist', 'Images.')
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('points', 500, 'Test images.', lower_bound=1)
flags.DEFINE_integer('batch_size', 100, 'Images at once.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

DEPTHS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
REFINED = 64
TOLERANCE = 0.1  # Nats.


def measured(path: str, images: np.ndarray) -> dict[str, Any]:
  """Errors by depth, and the cost of the paths."""
  model = ma_keras.load(path)
  if model.preprocessing is None:
    raise app.UsageError(f'--model {path} is of no pixels.')
  noise = np.random.default_rng(0).uniform(size=images.shape)
  latents = model.preprocessing.inverse((images + noise).astype(np.float32)).numpy()
  scorer = Scorer(model.bijector, FLAGS.batch_size, base=model.base)
  exact = scorer(latents, REFINED)
  errors = {}
  for depth in DEPTHS:
    change = scorer(latents, depth) - exact
    errors[depth] = [float(np.mean(change)), float(np.sqrt(np.mean(change**2)))]
  beyond = [depth for depth, pair in errors.items() if abs(pair[0]) > TOLERANCE]
  cost = transport.transport_cost(model.bijector, FLAGS.points, FLAGS.batch_size, base=model.base)
  return {
    'nll': -float(np.mean(exact)),
    'nll_error': float(np.std(exact) / np.sqrt(len(exact))),
    'trained_steps': model.bijector.horizon.num_steps,
    'steps_needed': min((d for d in DEPTHS if d > max(beyond, default=0)), default=None),
    'mean and root mean square error by steps': errors,
    'cost': cost.summary(),
  }


def main(argv: list[str]) -> None:
  """Prints a line for every model and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  images = data.load(FLAGS.dataset, FLAGS.data_dir).test[: FLAGS.points]
  results = {}
  for path in FLAGS.model:
    results[path] = measured(path, np.reshape(images, [len(images), -1]))
    print(path, results[path], flush=True)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
