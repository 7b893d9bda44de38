"""How much is left in the latents of a model, pair by pair of its sites, beside the data.

  python benchmarks/pairwise_information.py --model=ising_l16 --output=x.json --figure=x.png
  python benchmarks/pairwise_information.py --model=mnist --data_dir=FOLDER --output=y.json

Data of an Ising model are fields x given spins, successive states of one chain of Wolff's clusters;
of mnist the test images, dequantised. Latents are theirs by the flow. Both, and latents whose
coordinates were shuffled apart, as a control, have the mutual information of all pairs by
histograms of ranks.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras import data, information, plotting, pretrained, targets
from ma_keras.samplers import wolff

FLAGS = flags.FLAGS
flags.DEFINE_enum('model', 'ising_l16', ['ising_l8', 'ising_l16', 'mnist'], 'Pretrained model.')
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('points', 10_000, 'Samples.', lower_bound=200)
flags.DEFINE_integer('bins', information.ranks.BINS, 'Bins of a coordinate.', lower_bound=2)
flags.DEFINE_integer('updates', 5, 'Cluster flips between two configurations.', lower_bound=1)
flags.DEFINE_integer('batch_size', 500, 'Samples flowed at once.', lower_bound=1)
flags.DEFINE_integer('seed', 1, 'Of samples, noise and shuffling.', lower_bound=0)
flags.DEFINE_string('figure', None, 'PNG for the maps.')
flags.DEFINE_string('output', None, 'JSON file for the results.')


def fields(side: int) -> np.ndarray:
  """x [n, L^2] of one chain's spins: p(x | s) = Normal(C s, C), C the shifted couplings."""
  target = targets.Ising(side, dtype=tf.float64)
  covariance = target.covariance
  couplings = covariance - target.shift * np.eye(len(covariance))
  couplings[np.abs(couplings) < 1e-12] = 0.0
  chain = wolff.chain(couplings, FLAGS.seed, FLAGS.updates)
  spins = np.stack(list(itertools.islice(chain, 100, 100 + FLAGS.points)))
  noise = np.random.default_rng(FLAGS.seed).normal(size=spins.shape)
  return spins @ covariance + noise @ np.linalg.cholesky(covariance).T


def images() -> np.ndarray:
  """Test images [n, 784] with noise, in logit space."""
  test = data.load('mnist', FLAGS.data_dir).test[: FLAGS.points]
  pixels: Any = pretrained.load('mnist').preprocessing
  return pixels.inverse(tf.constant(data.dequantised(test, FLAGS.seed), tf.float32)).numpy()


def latents(y: np.ndarray) -> np.ndarray:
  """z of points y of the flow's space."""
  bijector = pretrained.load(FLAGS.model).bijector
  inverse = tf.function(bijector.inverse, autograph=False, reduce_retracing=True)
  y = y.astype(bijector.dtype.as_numpy_dtype)
  parts = range(0, len(y), FLAGS.batch_size)
  return np.concatenate([inverse(y[k : k + FLAGS.batch_size]).numpy() for k in parts])


def shuffled(x: np.ndarray) -> np.ndarray:
  """Every coordinate in an order of its own, which leaves no information."""
  rng = np.random.default_rng([FLAGS.seed, 1])
  return rng.permuted(x, axis=0)


def summary(pairs: information.PairwiseInformation, by: Any) -> dict[str, float]:
  """Mean over pairs, the nearest, the largest, and how many are beyond four deviations."""
  entries = pairs.nats[np.triu_indices(len(pairs.nats), 1)]
  return {
    'mean': float(np.mean(entries)),
    'deviation': float(np.std(entries)),
    'nearest': by.nearest,
    'largest': float(np.max(entries)),
    'share_beyond_four_deviations': float(np.mean(entries > 4 * pairs.noise)),
  }


def main(_: list[str]) -> None:
  """Prints and writes what is left, and draws it."""
  tf.config.threading.set_intra_op_parallelism_threads(1)
  start = time.process_time()
  is_lattice = FLAGS.model.startswith('ising')
  x = fields(int(FLAGS.model.removeprefix('ising_l'))) if is_lattice else images()
  z = latents(x)
  side = int(np.sqrt(x.shape[-1]))
  results: dict[str, Any] = {}
  maps, noise = {}, 0.0
  for name, points in {'data': x, 'latents': z, 'latents, shuffled': shuffled(z)}.items():
    pairs = information.pairwise_by_ranks(points, FLAGS.bins)
    by = information.by_offset(pairs, (side, side), is_lattice)
    results[name] = summary(pairs, by)
    print(name, results[name], flush=True)
    maps[name], noise = by.nats, float(np.nanmedian(by.noise))
  about = {'samples': len(x), 'noise_of_a_pair': pairs.noise, 'noise_of_an_offset': noise}
  results = {**results, **about, 'cpu_seconds': time.process_time() - start}
  report.write(FLAGS.output, results)
  if FLAGS.figure:
    note = f'{FLAGS.model}: mutual information of two sites by the vector between them'
    plotting.save(plotting.information_maps(maps, noise, note), FLAGS.figure)


if __name__ == '__main__':
  app.run(main)
