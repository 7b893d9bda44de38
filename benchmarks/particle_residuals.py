"""Share of the variance of ln w of a particle flow that features of configurations explain.

  python benchmarks/particle_residuals.py --model=RUN/model.npz --reference=RUN/reference.npz

ln w = -E - ln q - ln Z has the mean KL(target, flow) and no variance where the flow is the target.
Ridge regression on the half of the chains that a run does not learn from, fitted on three quarters
of these chains and tried on the others, tells what a richer potential would have to see: what one
group of features explains and a smaller group does not. Features are sums over particles, with
shells of distance B_m and rho_im = sum_j B_m(r_ij); for particles of one kind in open space.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import residuals
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import distributions, targets
from ma_keras.apps import evaluate

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'model.npz of a run of apps/particles_main.py.', required=True)
flags.DEFINE_string('reference', None, 'reference.npz of the run.', required=True)
flags.DEFINE_integer('samples', 4000, 'Samples of chains, of the second half.', lower_bound=100)
flags.DEFINE_integer('batch', 500, 'Samples at once.', lower_bound=1)
flags.DEFINE_float('spacing', 0.1, 'Spacing of the shells, which is their width.', lower_bound=1e-3)
flags.DEFINE_float('nearest', 0.85, 'Centre of the first shell.', lower_bound=0.0)
flags.DEFINE_float('farthest', 4.5, 'Centre of the last, at most.', lower_bound=0.0)
flags.DEFINE_integer('seed', 0, 'Names the samples.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def log_weights(model: Any, target: targets.Particles, x: np.ndarray) -> np.ndarray:
  """-E - ln q, [n], of samples x [n, N]."""
  flow = distributions.flow_from(model.base, model.bijector)

  @tf.function(jit_compile=True)
  def weigh(x: tf.Tensor) -> tf.Tensor:
    return -target.energy(x) - flow.log_prob(x)

  parts = np.split(x, range(FLAGS.batch, len(x), FLAGS.batch))
  return np.concatenate([weigh(tf.constant(part, target.dtype)).numpy() for part in parts])


def features(target: targets.Particles, x: np.ndarray) -> dict[str, np.ndarray]:
  """Groups of features of samples x [n, N]; those after the energies hold one another in turn."""
  positions = x.reshape(len(x), target.pairing.particles, -1).astype(np.float64)
  differences = positions[:, :, np.newaxis] - positions[:, np.newaxis]
  distances = np.linalg.norm(differences, axis=-1)
  distances += 1e6 * np.eye(distances.shape[-1])  # No shell reaches from a particle to itself.
  directions = differences / distances[..., np.newaxis]
  energies = target.energy(tf.constant(x, target.dtype)).numpy()[:, np.newaxis]
  parts: dict[str, list[np.ndarray]] = {'rho': [], 'rho^2': [], 'dipole': [], 'quadrupole': []}
  for centre in np.arange(FLAGS.nearest, FLAGS.farthest, FLAGS.spacing):
    shell = np.exp(-((distances - centre) ** 2) / (2 * FLAGS.spacing**2))
    rho = shell.sum(axis=2)
    vectors = np.einsum('nij,nijd->nid', shell, directions)
    tensors = np.einsum('nij,nijd,nije->nide', shell, directions, directions)
    parts['rho'].append(rho.sum(axis=1))
    parts['rho^2'].append(np.square(rho).sum(axis=1))
    parts['dipole'].append(np.square(vectors).sum(axis=(1, 2)))
    parts['quadrupole'].append(np.square(tensors).sum(axis=(1, 2, 3)))
  columns = {name: np.stack(values, axis=-1) for name, values in parts.items()}
  groups, so_far = {'energy': energies}, energies[:, :0]
  for name, title in (
    ('rho', 'distances of pairs'),
    ('rho^2', 'and squared densities'),
    ('dipole', 'and squared dipoles'),
    ('quadrupole', 'and squared quadrupoles'),
  ):
    so_far = np.concatenate([so_far, columns[name]], axis=-1)
    groups[title] = so_far
  return groups


def main(argv: list[str]) -> None:
  """Prints the shares and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  start = time.process_time()
  model = ma_keras.load(FLAGS.model)
  target = evaluate.target_of(model.notes)[0] if 'target' in model.notes else None
  if not isinstance(target, targets.Particles) or target.pairing.species or target.pairing.box:
    raise app.UsageError(f'--model {FLAGS.model} is none of particles of one kind in open space.')
  with np.load(FLAGS.reference) as file:
    positions, log_partition = file['positions'], float(file['log_partition'])
    error, doubts = float(file['log_partition_error']), str(file['doubts'])
  unseen = positions[:, positions.shape[1] // 2 :]
  number = unseen.shape[0] * unseen.shape[1]
  chosen = np.random.default_rng(FLAGS.seed).permutation(number)[: FLAGS.samples]
  chains = chosen % unseen.shape[1]
  x = unseen.reshape(number, -1)[chosen]
  values = log_weights(model, target, x) - log_partition
  shares = {
    title: residuals.explained(columns, values, chains)
    for title, columns in features(target, x).items()
  }
  means = np.array([values[chains == k].mean() for k in np.unique(chains)])
  results = {
    'KL(target, flow)': float(np.mean(values)),
    'standard error': float(np.std(means) / len(means) ** 0.5),
    'standard error of ln Z': error,
    'doubts of the reference': doubts,
    'standard deviation of ln w': float(np.std(values)),
    'share of the variance explained': shares,
    'processor seconds': time.process_time() - start,
  }
  print(results)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
