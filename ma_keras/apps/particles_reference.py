"""Chains of a target of particles and its ln Z, which a run makes once and measures against."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import samplers, targets
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.files.disk_errors import disk_errors
from ma_keras.files.replacing import replacing

POPULATION, POPULATIONS = 64, 8  # Samples that ln Z comes from, and the starts of chains.


class Reference(NamedTuple):
  """Samples of the target and its ln Z.

  Attributes:
    positions: [S, C, n D].
    energies: [S, C].
    log_partition: ln Z of the mean-free subspace, or of one box for every particle.
    log_partition_error: Its standard error.
    doubts: Why not to trust chains and ln Z, in one line; empty if nothing speaks against them.
  """

  positions: np.ndarray
  energies: np.ndarray
  log_partition: np.ndarray
  log_partition_error: np.ndarray
  doubts: np.ndarray

  def half(self, second: bool) -> Reference:
    """The first half of the chains, which a flow may be trained on, or the second."""
    middle = self.energies.shape[1] // 2
    part = slice(middle, None) if second else slice(middle)
    return self._replace(positions=self.positions[:, part], energies=self.energies[:, part])

  def thinned(self, number: int) -> Reference:
    """At most so many samples, evenly along all chains; the last of each where chains are more."""
    samples, chains = self.energies.shape
    per_chain = min(samples, max(1, number // chains))
    rows = samples * np.arange(1, per_chain + 1) // per_chain - 1
    return self._replace(positions=self.positions[rows], energies=self.energies[rows])

  @property
  def partition(self) -> samplers.Expectation:
    """ln Z and its error."""
    return samplers.Expectation(float(self.log_partition), float(self.log_partition_error))


def reference(
  target: targets.Particles, config: ParticlesConfig, path: pathlib.Path
) -> Reference | None:
  """The reference of a run: read where it is, made and written where it is not.

  Args:
    target: Particles.
    config: Sizes of the chains.
    path: A .npz.

  Returns:
    The reference, or None where --chains is 0.
  """
  if not config.chains:
    return None
  chains = (config.chain_samples, config.chains, config.burn_in, config.thinning)
  wanted = (*chains, config.temperatures, POPULATION, POPULATIONS)
  if path.exists():
    with np.load(path) as stored:
      if tuple(stored['sizes']) == wanted:
        return Reference(*(stored[name] for name in Reference._fields))
    print(f'Chains of other lengths in {path}: they are made anew.')
  made = make(target, config)
  with disk_errors('the reference', path), replacing(path) as beside, open(beside, 'wb') as file:
    np.savez(file, sizes=np.array(wanted), **made._asdict())
  return made


class Coordinates(NamedTuple):
  """Coordinates in which exp(-E) has an integral, and what chains of it need.

  Attributes:
    energy: E of coordinates, [..., M] -> [...].
    base: Density that the annealing begins with.
    positions: Coordinates [..., M] -> positions [..., n D].
  """

  energy: Callable[[tf.Tensor], tf.Tensor]
  base: Any
  positions: Callable[[np.ndarray], np.ndarray]


def coordinates(target: targets.Particles, config: ParticlesConfig) -> Coordinates:
  """Coordinates of the mean-free subspace, or the positions themselves in a box."""
  if target.pairing.box is not None:
    return Coordinates(target.energy, target.base(), target.pairing.wrapped)
  within = targets.MeanFreeCoordinates(target)
  scale = tf.constant(config.distance / 4.0, target.dtype)
  normal = tfp.distributions.Normal(tf.zeros([], target.dtype), scale)
  base = tfp.distributions.Sample(normal, within.event_size)
  return Coordinates(within.energy, base, lambda y: within.positions(y).numpy())


def make(target: targets.Particles, config: ParticlesConfig) -> Reference:
  """Anneals samples of a normal, or of anywhere in a box, to the target; chains begin there."""
  within = coordinates(target, config)
  # Populations resample what is stuck in hard cores. Under a ceiling many particles never condense:
  # the forces on those that clash vanish, and more than one pair of them does.
  path = samplers.Path(within.energy, within.base, ceiling=None)
  populations = samplers.sequential_monte_carlo(
    path, POPULATION, POPULATIONS, config.temperatures, seed=config.seed
  )
  schedule = samplers.Schedule(config.chain_samples, config.burn_in, config.thinning)
  start = populations.resampled(config.chains, config.seed)
  chains = samplers.hamiltonian_chains(within.energy, start, schedule, config.seed)
  return Reference(
    positions=within.positions(chains.samples),
    energies=chains.energies,
    log_partition=np.array(populations.log_partition),
    log_partition_error=np.array(populations.standard_error),
    doubts=np.array(' '.join(filter(None, [chains.doubts(), populations.doubts()]))),
  )
