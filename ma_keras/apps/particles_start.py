"""First weights of particle flows: trained on chains, before the free energy is minimised.

Reverse KL alone leaves out what the first flow does not meet. Chains know every mode, and a flow
that knows them, too, keeps them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import data, particles, targets, training
from ma_keras.apps import training_app
from ma_keras.apps.configuration.particles import ParticlesConfig

PAIRS = 20000  # Of both ends, for flow matching.
BLOCK = 250  # Rows that are matched at once, at a time that grows as its square for each.


class Stage(NamedTuple):
  """A training before that of the run.

  Attributes:
    name: Of its folder in the run's directory.
    config: The run's, with the options of the stage in the place of its own.
    model: Of the stage, whose flow is that of the run.
    stream: Number of its first step -> batches.
    guarded: What of its logs must stay finite.
  """

  name: str
  config: ParticlesConfig
  model: training.FlowModel
  stream: Callable[[int], Any]
  guarded: str


def begin(
  config: ParticlesConfig,
  run: training.RunDirectory,
  model: training.VariationalFreeEnergy,
  positions: np.ndarray,
  settings: Mapping[str, Any],
) -> None:
  """Trains the model's flow as --begin and --likelihood_epochs say, in folders to resume from.

  Args:
    config: Of the run.
    run: Its directory.
    model: Whose flow it is.
    positions: Samples of the target, [n, N].
    settings: Arguments of models of free energies: see `particles.model_settings`.
  """
  makers: list[Callable[[], Stage]] = []
  if config.begin == 'matching':
    makers.append(lambda: matching(config, model, positions))
  if config.likelihood_epochs:
    makers.append(lambda: likelihood(config, model, positions, settings))
  for make in makers:
    with model.distribute_strategy.scope():
      stage = make()
      beginner = training_app.compiled(stage.model, config.steps_per_epoch, stage.config)
    folder = training.RunDirectory(run.root / stage.name)
    folder.root.mkdir(exist_ok=True)
    training_app.fit(
      stage.config,
      beginner,
      stream=stage.stream,
      steps_per_epoch=config.steps_per_epoch,
      run=folder,
      callbacks=[training.Guard(stage.guarded), *training_app.logs(folder)],
    )


def likelihood(
  config: ParticlesConfig,
  model: training.VariationalFreeEnergy,
  positions: np.ndarray,
  settings: Mapping[str, Any],
) -> Stage:
  """KL(target, flow) alone."""
  own = dataclasses.replace(
    config, epochs=config.likelihood_epochs, learning_rate=config.likelihood_rate
  )
  beginner = training.Jeffreys(model.bijector, model.target, **settings, base=model.base, share=1.0)

  def stream(step: int) -> tf.data.Dataset:
    return data.batches(positions, config.batch_size, config.seed, step)

  return Stage('likelihood', own, beginner, stream, 'nll')


def matching(
  config: ParticlesConfig, model: training.VariationalFreeEnergy, positions: np.ndarray
) -> Stage:
  """Flow matching between draws of the base and positions that lie near them."""
  assert isinstance(model.target, targets.Particles)
  ends = np.concatenate(pairs(model.base, positions, model.target.pairing, config.seed), axis=-1)
  own = dataclasses.replace(
    config,
    optimizer='adam',
    epochs=config.begin_epochs,
    learning_rate=config.begin_rate,
    batch_size=config.begin_batch_size,
  )

  def stream(step: int) -> tf.data.Dataset:
    batches = data.batches(ends, own.batch_size, config.seed, step)
    return data.untuned(batches.map(lambda _, rows: tuple(tf.split(rows, 2, axis=-1))))

  beginner = training.FlowMatching(model.bijector, seed=config.seed, base=model.base)
  return Stage('begin', own, beginner, stream, 'loss')


def pairs(
  base: Any, positions: np.ndarray, pairing: particles.Pairing, seed: int, number: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
  """Draws z of the base and samples x of the target, each x turned and labelled as is its z.

  Args:
    base: p(x, 0).
    positions: Samples of the target, [n, N], used again and again where there are fewer.
    pairing: Particles and dimensions.
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
