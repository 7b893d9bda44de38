"""Mismatch of the velocity between two ends of LJ13, by potentials of several kinds and sizes.

  python benchmarks/particle_matching.py --reference=runs/lj13/reference.npz

Flow matching asks for no solve, so that any potential can be tried, by tapes as well, before its
Laplacian is worked out. Pairs of both ends are those that lj13.flags begins with, of the first half
of the chains; the mismatch |grad phi - (x - z)/T|^2 is measured on pairs of the second half, time
by time. What no gradient can match is the same in all rows: differences between rows tell. A
mismatch of d at times near t is worth about t/(1 - t) d/s^2 of KL per unit of t at T = 1, s^2 the
variance of the base, were both ends independent: the end counts most.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

import app_run
import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import potentials, training
from ma_keras.apps import particles_potential, particles_start, particles_target
from ma_keras.apps.configuration import command_flags
from ma_keras.apps.configuration.particles import ParticlesConfig

FLAGS = flags.FLAGS
KINDS = {'half': 0.5, 'lj13': 1.0, 'double': 2.0, 'messages': None}  # Sizes, by that of lj13.flags.
flags.DEFINE_string('reference', None, 'reference.npz of a run of lj13.flags.', required=True)
flags.DEFINE_multi_enum('kinds', [*KINDS], [*KINDS], 'Rows.')
flags.DEFINE_integer('steps', 2000, 'Steps of Adam.', lower_bound=1)
flags.DEFINE_integer('batch', 256, 'Pairs a step.', lower_bound=16)
flags.DEFINE_integer('pairs', 40000, 'Pairs to learn from.', lower_bound=1000)
flags.DEFINE_integer('seed', 0, 'Names pairs and first weights.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

TIMES = (0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
UNSEEN = 4000  # Pairs of the second half of the chains.


def configured(flagfile: str) -> ParticlesConfig:
  """The configuration of a flagfile of apps/flagfiles."""
  values = flags.FlagValues()
  command_flags.define(ParticlesConfig, values)
  values(['particles', f'--flagfile={app_run.FLAGFILES / flagfile}'])
  return command_flags.from_flags(ParticlesConfig, values)


LJ13 = configured('lj13.flags')


class Messages(potentials.Potential):
  """Two layers of a graph network, phi = sum_i rho(h_i): gradient by tapes.

  m_ij = silu(W2 silu(A h_i + B h_j + E shells(r_ij))), h_i <- h_i + silu([h_i, sum_j m_ij] N), as
  in E(n)-equivariant networks (Satorras et al. 2021), without moving the particles.
  """

  def __init__(self, config: ParticlesConfig, units: int = 32, layers: int = 2) -> None:
    """Draws weights ~ Normal(0, 1/rows)."""
    super().__init__(3 * config.particles)
    self.particles, self.width = config.particles, units
    self.basis = potentials.TimeBasis(config.num_steps * config.step_size, config.basis_size)
    self.centres = np.linspace(0.0, config.distance, config.shells, dtype=np.float32)
    rng = np.random.default_rng(config.seed)

    def weights(rows: int, columns: int) -> tf.Variable:
      return tf.Variable(np.float32(rng.normal(size=[rows, columns]) * rows**-0.5))

    self.first = weights(config.basis_size, units)
    sizes = {'own': units, 'other': units, 'shells': config.shells, 'second': units}
    sizes |= {'update': 2 * units}
    self.layers = [
      {key: weights(rows, units) for key, rows in sizes.items()} for _ in range(layers)
    ]
    self.last, self.out = weights(units, units), weights(units, 1)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi, [B] of x [B, 3 n]."""
    silu, n = tf.nn.silu, self.particles
    positions = tf.reshape(x, [-1, n, 3])
    squares = tf.reduce_sum(tf.square(positions[:, :, tf.newaxis] - positions[:, tf.newaxis]), -1)
    spacing = self.centres[1]
    shift = tf.sqrt(squares + 0.01)[..., tf.newaxis] - self.centres
    shells = tf.exp(-0.5 * tf.square(shift / spacing))
    others = (1.0 - tf.eye(n))[:, :, tf.newaxis]
    time = tf.matmul(self.basis.values(t)[tf.newaxis], self.first)
    h = tf.zeros([tf.shape(x)[0], n, self.width]) + time
    for layer in self.layers:
      of_both = (h @ layer['own'])[:, :, tf.newaxis] + (h @ layer['other'])[:, tf.newaxis]
      messages = silu(silu(of_both + shells @ layer['shells']) @ layer['second']) * others
      h += silu(tf.concat([h, tf.reduce_sum(messages, axis=2)], axis=-1) @ layer['update'])
    return tf.reduce_sum(silu(h @ self.last) @ self.out, axis=[1, 2])


def potential_of(kind: str) -> tuple[potentials.Potential, float]:
  """The potential of a row, and the peak rate of its training."""
  config = dataclasses.replace(LJ13, seed=FLAGS.seed)
  factor = KINDS[kind]
  if factor is None:
    return Messages(config), 0.002
  names = ('hidden_units', 'cluster_units', 'dipole_units')
  sizes: dict[str, Any] = {name: int(factor * getattr(config, name)) for name in names}
  target = particles_target.build(config)
  return particles_potential.build(target, dataclasses.replace(config, **sizes)), 0.01


def ends(positions: np.ndarray, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Pairs (z, x) of the base and of samples of the chains, [number, N] each."""
  target = particles_target.build(LJ13)
  base = target.base(LJ13.base_scale)
  return particles_start.pairs(base, positions, target.pairing, seed, number)


def mismatches(
  velocity: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], z: np.ndarray, x: np.ndarray
) -> dict[str, float]:
  """Means over pairs of both ends, by time."""
  compiled = tf.function(velocity, jit_compile=True)

  def at(t: float) -> float:
    moving = z + np.float32(t) * (x - z)
    parts = np.split(moving, range(500, len(moving), 500))
    v = np.concatenate([compiled(tf.constant(t), tf.constant(part)).numpy() for part in parts])
    return float(np.mean(np.sum((v - (x - z)) ** 2, axis=-1)))

  return {f'{t:g}': at(t) for t in TIMES}


def measured(kind: str, seen: tuple[np.ndarray, ...], unseen: tuple[np.ndarray, ...]) -> Any:
  """Trains one potential; parameters, processor seconds and mismatches."""
  start = time.process_time()
  potential, rate = potential_of(kind)
  bijector = ma_keras.MongeAmpereBijector(potential, LJ13.num_steps, LJ13.step_size)
  model = training.FlowMatching(bijector, seed=FLAGS.seed)
  model.compile(training.adam(rate, FLAGS.steps, 60, 1.0), jit_compile=True)
  batches = tf.data.Dataset.from_tensor_slices(seen).shuffle(len(seen[0]), FLAGS.seed).repeat()
  batches = batches.batch(FLAGS.batch, drop_remainder=True)
  model.fit(batches, steps_per_epoch=FLAGS.steps, epochs=1, verbose=0)
  return {
    'parameters': sum(int(np.prod(v.shape)) for v in potential.trainable_variables),
    'mismatch': mismatches(potential.gradient, *unseen),
    'processor seconds': time.process_time() - start,
  }


def main(argv: list[str]) -> None:
  """Prints the rows and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  os.environ.update(ParticlesConfig.environment)  # Half the time of a step: see there.
  with np.load(FLAGS.reference) as file:
    positions = file['positions']
  half = positions.shape[1] // 2
  first, second = (
    part.reshape(-1, part.shape[-1]) for part in (positions[:, :half], positions[:, half:])
  )
  rng = np.random.default_rng(FLAGS.seed)
  first, second = rng.permutation(first), rng.permutation(second)
  seen, unseen = ends(first, FLAGS.pairs, FLAGS.seed), ends(second, UNSEEN, FLAGS.seed + 1)
  results = {}
  for kind in FLAGS.kinds:
    results[kind] = measured(kind, seen, unseen)
    print(kind, results[kind], flush=True)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
