"""First weights of particle flows: those of another run, or trained on chains by flow matching.

Reverse KL alone leaves out what the first flow does not meet. Chains know every mode, and a flow
that knows them, too, keeps them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import data, particles, potentials, targets, training
from ma_keras.apps import first_weights, training_app
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.saving.descriptions import describe

PAIRS = 20000  # Of both ends, for flow matching.
BLOCK = 250  # Rows that are matched at once, at a time that grows as its square for each.

# Arguments of potentials that may differ from one run to the next: no variable is shaped by them.
FREE = ('particles', 'seed')


def begin_with(potential: potentials.Potential, path: str) -> None:
  """The weights of a run whose potential differs in the number of particles at most.

  Raises:
    ValueError: The file holds another potential, or none.
  """
  other = first_weights.load_potential(path)
  expected, actual = (describe(part, []) for part in (potential, other))
  for name, value, wanted in differences(actual, expected):
    raise ValueError(
      f'`--start_from` {path} is of a flow with {name} {value}, where these flags make {wanted}: '
      'it must be of a run with the same flags of the potential.'
    )
  first_weights.assign(potential.variables, other.variables, path, of='the potential')


def differences(
  actual: Any, expected: Any, name: str = 'potential'
) -> Iterator[tuple[str, Any, Any]]:
  """Name, value and expected value of whatever differs between two descriptions."""
  if isinstance(actual, dict) and isinstance(expected, dict):
    if actual.get('class') != expected.get('class'):
      yield name, actual.get('class'), expected.get('class')
      return
    for key in sorted({*actual.get('arguments', {}), *expected.get('arguments', {})} - {*FREE}):
      yield from differences(actual['arguments'].get(key), expected['arguments'].get(key), key)
  elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
    for part, wanted in zip(actual, expected):
      yield from differences(part, wanted, name)
  elif actual != expected:
    yield name, actual, expected


def begin(
  config: ParticlesConfig,
  run: training.RunDirectory,
  model: training.VariationalFreeEnergy,
  positions: np.ndarray,
) -> None:
  """Trains the model's flow by flow matching, in a folder of its own that it resumes from.

  Args:
    config: Of the run.
    run: Its directory.
    model: Whose flow it is.
    positions: Samples of the target, [n, N].
  """
  first = dataclasses.replace(
    config,
    optimizer='adam',
    epochs=config.begin_epochs,
    learning_rate=config.begin_rate,
    batch_size=config.begin_batch_size,
  )
  with model.distribute_strategy.scope():
    beginner, stream = matching(first, model, positions)
    beginner = training_app.compiled(beginner, config.steps_per_epoch, first)
  folder = training.RunDirectory(run.root / 'begin')
  folder.root.mkdir(exist_ok=True)
  training_app.fit(
    first,
    beginner,
    stream=stream,
    steps_per_epoch=config.steps_per_epoch,
    run=folder,
    callbacks=[training.Guard('loss'), *training_app.logs(folder)],
  )


def matching(
  config: ParticlesConfig, model: training.VariationalFreeEnergy, positions: np.ndarray
) -> tuple[training.FlowMatching, Callable[[int], Any]]:
  """Flow matching between draws of the base and positions that lie near them, and its batches."""
  assert isinstance(model.target, targets.Particles)
  ends = np.concatenate(pairs(model.base, positions, model.target.pairing, config.seed), axis=-1)

  def stream(step: int) -> tf.data.Dataset:
    batches = data.batches(ends, config.batch_size, config.seed, step)
    return data.untuned(batches.map(lambda _, rows: tuple(tf.split(rows, 2, axis=-1))))

  return training.FlowMatching(model.bijector, seed=config.seed, base=model.base), stream


def pairs(
  base: Any, positions: np.ndarray, pairing: particles.Pairing, seed: int, number: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
  """Draws z of the base and samples x of the target, each x moved and labelled as is its z.

  Args:
    base: p(x, 0).
    positions: Samples of the target, [n, N], used again and again where there are fewer.
    pairing: Particles and dimensions, species and box.
    seed: Names the draws.
    number: How many pairs; PAIRS by default.

  Returns:
    Both ends, [number, N] each.
  """
  number = number or PAIRS
  z = base.sample(number, seed=[seed, 1]).numpy()
  order = np.random.default_rng(seed).permutation(number) % len(positions)
  x = positions[order]
  blocks = [slice(k, k + BLOCK) for k in range(0, number, BLOCK)]
  x = np.concatenate([particles.matched(x[part], z[part], pairing) for part in blocks])
  return z, particles.aligned(x, z, pairing, seed=seed).astype(z.dtype)
