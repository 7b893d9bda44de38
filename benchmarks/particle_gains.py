"""What a further potential at the end of a particle flow would win of its divergence, by kind.

  python benchmarks/particle_gains.py --model=RUN/model.npz --reference=RUN/reference.npz

A flow q that goes on along grad f, f = sum_k c_k f_k, has to second order

  KL(p, q) - g'c + c'H c/2,  g_k = E_p[grad f_k . grad ln(p/q)],
  H_jk = E_p[tr(D2f_j D2f_k) + grad f_j . D2E grad f_k],

D2 the matrix of second derivatives and p = exp(-E)/Z. The gain g'c - c'H c/2 of c = H^-1 g is that
of Newton's step: no training, no solve. c is found on half of the samples of chains and tried on
the other, so that chance wins next to nothing. The f_k are sums over particles i of products of

  rho_im = sum_j B_m(r_ij), dipoles sum_j B_m u_ij, quadrupoles sum_j B_m u_ij u_ij',

u_ij the direction from j to i and B_m Gaussian shells of distance.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import distributions, targets
from ma_keras.apps import evaluate

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'model.npz of a run of apps/particles_main.py.', required=True)
flags.DEFINE_string('reference', None, 'reference.npz of the run.', required=True)
flags.DEFINE_integer('samples', 1600, 'Samples of chains, of the second half.', lower_bound=100)
flags.DEFINE_integer('batch', 50, 'Samples at once.', lower_bound=1)
flags.DEFINE_integer('shells', 12, 'Shells B_m of the products.', lower_bound=2)
flags.DEFINE_integer('pair_shells', 48, 'Shells of sums over pairs alone.', lower_bound=2)
flags.DEFINE_float('nearest', 0.8, 'Centre of the first shell.', lower_bound=0.0)
flags.DEFINE_float('farthest', 3.6, 'Centre of the last.', lower_bound=0.0)
flags.DEFINE_integer('seed', 0, 'Names samples and directions.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

STEP = 1e-4  # Of central differences, in float64.
RIDGES = (1e-1, 1e-2, 1e-3, 1e-4)  # Times the diagonal of H, added to it.
Features = Callable[[tf.Tensor], tf.Tensor]  # [n, N] -> [n, F].


def shells(r: tf.Tensor, number: int) -> tf.Tensor:
  """B_m of distances r [..., n, n], zero from a particle to itself, [..., n, n, M]."""
  centres = np.linspace(FLAGS.nearest, FLAGS.farthest, number)
  width = centres[1] - centres[0]
  others = 1.0 - tf.eye(r.shape[-1], dtype=r.dtype)
  values = tf.exp(-tf.square(r[..., tf.newaxis] - centres) / (2.0 * width**2))
  return values * others[..., tf.newaxis]


def geometry(x: tf.Tensor, particles: int) -> tuple[tf.Tensor, tf.Tensor]:
  """Distances [B, n, n], one from a particle to itself, and directions [B, n, n, D]."""
  positions = tf.reshape(x, [tf.shape(x)[0], particles, -1])
  differences = positions[:, :, tf.newaxis] - positions[:, tf.newaxis]
  squares = tf.reduce_sum(tf.square(differences), axis=-1) + tf.eye(particles, dtype=x.dtype)
  r = tf.sqrt(squares)
  return r, differences / r[..., tf.newaxis]


def products(tensors: tf.Tensor) -> tf.Tensor:
  """sum_i A_im . A_ik for m <= k of tensors A [B, n, M, C], [B, M (M + 1)/2]."""
  gram = tf.einsum('bimc,bikc->bmk', tensors, tensors)
  rows, columns = np.triu_indices(tensors.shape[2])
  return tf.stack([gram[:, m, k] for m, k in zip(rows, columns)], axis=-1)


def kinds(particles: int, dimensions: int) -> dict[str, Features]:
  """Name -> features."""

  def pairs(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(shells(geometry(x, particles)[0], FLAGS.pair_shells), axis=[1, 2])

  def moments(order: int) -> Features:
    def features(x: tf.Tensor) -> tf.Tensor:
      r, u = geometry(x, particles)
      moment = shells(r, FLAGS.shells)[..., tf.newaxis]  # [B, n, n, M, D^order].
      for _ in range(order):
        moment = moment[..., tf.newaxis] * u[:, :, :, tf.newaxis, tf.newaxis]
        moment = tf.reshape(moment, [*tf.unstack(tf.shape(moment)[:4]), -1])
      moment = tf.ensure_shape(
        tf.reduce_sum(moment, axis=2), [None, particles, FLAGS.shells, dimensions**order]
      )
      return products(moment)

    return features

  names = {'squared densities': 0, 'squared dipoles': 1, 'squared quadrupoles': 2}
  return {'distances of pairs': pairs, **{name: moments(k) for name, k in names.items()}}


def in_batches(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
  """The function of rows of the arrays, batch by batch."""
  cuts = range(FLAGS.batch, len(arrays[0]), FLAGS.batch)
  parts = zip(*(np.split(array, cuts) for array in arrays))
  return np.concatenate([function(*map(tf.constant, part)).numpy() for part in parts])


def slopes(function: Features) -> Callable[[tf.Tensor], tf.Tensor]:
  """x [B, N] -> derivatives of the features, [B, F, N]; of one number each, [B, N]."""

  @tf.function(autograph=False)
  def derivatives(x: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
      tape.watch(x)
      values = function(x)
    return tape.gradient(values, x) if values.shape.rank == 1 else tape.batch_jacobian(values, x)

  return derivatives


def along(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[..., tf.Tensor]:
  """(x, v) [B, N] -> derivative of the function along v, by central differences."""
  return lambda x, v: (function(x + STEP * v) - function(x - STEP * v)) / (2.0 * STEP)


def moments_of(
  function: Features, force: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, ...]:
  """grad f_k, D2f_k v and D2E grad f_k at samples x, [n, F, N] each; v ~ Normal(0, 1) mean-free."""
  gradient = slopes(function)
  first, second = in_batches(gradient, x), in_batches(along(gradient), x, v)
  columns = [in_batches(along(force), x, first[:, k]) for k in range(first.shape[1])]
  return first, second, np.stack(columns, axis=1)


def newton(parts: tuple[np.ndarray, ...], residual: np.ndarray) -> float:
  """Mean over both halves of the gain of c, found on one half and tried on the other."""
  gradients, turned, stiff = parts
  halves = []
  for half in (slice(0, None, 2), slice(1, None, 2)):
    count = len(gradients[half])
    g = np.einsum('nkd,nd->k', gradients[half], residual[half]) / count
    # E[v v'] = 1: the product of D2f_j v and D2f_k v has the trace as its mean.
    h = np.einsum('njd,nkd->jk', turned[half], turned[half]) / count
    mixed = np.einsum('njd,nkd->jk', gradients[half], stiff[half]) / count
    halves.append((g, h + (mixed + mixed.T) / 2.0))
  return float(np.mean([gain(one, other) for one, other in itertools.permutations(halves)]))


def gain(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> float:
  """g'c - c'H c/2 of one half, c = H^-1 g of the other with the best of the ridges; at least 0."""
  g, h = other
  scale = np.sqrt(np.diag(h))
  gains = [0.0]
  for ridge in RIDGES:
    matrix = h / scale[:, np.newaxis] / scale + ridge * np.eye(len(g))
    c = np.linalg.solve(matrix, g / scale) / scale
    gains.append(float(one[0] @ c - c @ one[1] @ c / 2.0))
  return max(gains)


def main(argv: list[str]) -> None:
  """Prints the gains and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  start = time.process_time()
  model = ma_keras.load(FLAGS.model)
  target = evaluate.target_of(model.notes)[0] if 'target' in model.notes else None
  if not isinstance(target, targets.Particles) or target.pairing.species or target.pairing.box:
    raise app.UsageError(f'--model {FLAGS.model} is none of particles of one kind in open space.')
  pairing = target.pairing
  with np.load(FLAGS.reference) as file:
    positions, log_partition = file['positions'], float(file['log_partition'])
  rng = np.random.default_rng(FLAGS.seed)
  unseen = positions[:, positions.shape[1] // 2 :].reshape(-1, positions.shape[-1])
  x = rng.permutation(unseen)[: FLAGS.samples].astype(np.float64)
  v = rng.normal(size=(len(x), pairing.particles, pairing.dimensions))
  v = (v - v.mean(axis=1, keepdims=True)).reshape(x.shape)

  flow = distributions.flow_from(model.base, model.bijector)
  single = x.astype(np.float32)
  score = in_batches(slopes(flow.log_prob), single).astype(np.float64)
  values = in_batches(lambda y: -target.energy(y) - flow.log_prob(y), single) - log_partition
  force = slopes(evaluate.target_of({**model.notes, 'dtype': 'float64'})[0].energy)
  residual = -in_batches(force, x) - score

  features = kinds(pairing.particles, pairing.dimensions)
  parts = {name: moments_of(function, force, x, v) for name, function in features.items()}
  together = tuple(np.concatenate(arrays, axis=1) for arrays in zip(*parts.values()))
  results = {
    'KL(target, flow)': float(np.mean(values)),
    'standard error': float(np.std(values) / len(values) ** 0.5),
    'gain, nats': {name: newton(part, residual) for name, part in parts.items()},
    'gain of all together, nats': newton(together, residual),
    'processor seconds': time.process_time() - start,
  }
  print(results)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
