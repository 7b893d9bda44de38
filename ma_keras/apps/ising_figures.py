"""The figures of apps/ising_main.py."""

from __future__ import annotations

import pathlib

import numpy as np
from absl import logging

from ma_keras import plotting, seeds, targets, training
from ma_keras.apps import ising_target
from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.bijector import MongeAmpereBijector

SNAPSHOT_TILE = 25
DOMAIN_MOMENTS, DOMAIN_COLUMNS = 5, 6


class Configurations:
  """() -> configurations of the model as it is, [25, r, r]; the same latents every time."""

  def __init__(
    self, model: training.VariationalFreeEnergy, target: targets.Target, seed: int
  ) -> None:
    """Draws nothing yet."""
    self._seed = seed
    self.model = model
    self.target = target
    self._traced: MongeAmpereBijector | None = None

  def __call__(self) -> np.ndarray:
    """One flow is traced for all times, unless the number of steps has changed."""
    if self.model.bijector is not self._traced:
      self._traced, self._flow = self.model.bijector, self.model.flow(self._seed)
    x = self._flow.sample(SNAPSHOT_TILE, seed=seeds.stateless(self._seed, 'snapshots'))
    return ising_target.pictures(training.configurations(self.target, x, self._seed).numpy())


def save(
  config: IsingConfig,
  model: training.VariationalFreeEnergy,
  target: targets.Target,
  run: training.RunDirectory,
  exact: float | None,
) -> None:
  """Writes Figure 4 of this run, and noise flowing to domains."""
  metrics = run.read_metrics()
  try:
    curve = (metrics['epoch'], metrics['free_energy_per_site'], exact, run.read_snapshots())
    figures = {
      'figure4': plotting.free_energy(*curve, other_curves(config.beside)),
      'domains': plotting.domains(*flowing(model, target, config.seed)),
    }
  except ImportError:
    logging.warning("No figure: matplotlib is missing. pip install -e '.[plot]'")
    return
  for name, figure in figures.items():
    plotting.save(figure, run.figure(name))
    print(f'Figure: {run.figure(name)}')


def other_curves(beside: str | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Name of the run --beside -> its epochs and F/N; raises ValueError if it is none of this app."""
  if not beside:
    return {}
  other = training.RunDirectory(pathlib.Path(beside))
  try:
    metrics = other.read_metrics()
    return {other.root.name: (metrics['epoch'], metrics['free_energy_per_site'])}
  except (OSError, KeyError) as error:
    raise ValueError(
      f'`--beside` {beside} is no run of this app ({error}): pass the --run_dir of one.'
    ) from error


def flowing(
  model: training.VariationalFreeEnergy, target: targets.Target, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Fields of a few latents on their way, the times, and what is drawn of the last ones."""
  times = np.linspace(0.0, model.bijector.horizon.time, DOMAIN_MOMENTS)
  flow = model.flow(seed)
  latents = flow.distribution.sample(DOMAIN_COLUMNS, seed=seeds.stateless(seed, 'domains'))
  states = flow.bijector.trajectory(latents, times).states
  configurations = training.configurations(target, states[-1], seed).numpy()
  fields = np.stack([ising_target.pictures(state) for state in states.numpy()])
  return fields, times, ising_target.pictures(configurations)
