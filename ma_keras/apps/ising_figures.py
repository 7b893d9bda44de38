"""The figures of apps/ising_main.py."""

from __future__ import annotations

import pathlib

import numpy as np
from absl import flags, logging

from ma_keras import plotting, seeds, targets, training
from ma_keras.apps import ising_target
from ma_keras.bijector import MongeAmpereBijector

FLAGS = flags.FLAGS
flags.DEFINE_string(
  'beside', None, 'The --run_dir of another run, whose curve Figure 4 shows behind.'
)
SNAPSHOT_TILE = 25
DOMAIN_MOMENTS, DOMAIN_COLUMNS = 5, 6


class Configurations:
  """() -> configurations of the model as it is, [25, r, r]; the same latents every time."""

  def __init__(self, model: training.VariationalFreeEnergy, target: targets.Target) -> None:
    """Draws nothing yet."""
    self.model = model
    self.target = target
    self._traced: MongeAmpereBijector | None = None

  def __call__(self) -> np.ndarray:
    """One flow is traced for all times, unless the number of steps has changed."""
    if self.model.bijector is not self._traced:
      self._traced, self._flow = self.model.bijector, self.model.flow(FLAGS.seed)
    x = self._flow.sample(SNAPSHOT_TILE, seed=seeds.stateless(FLAGS.seed, 'snapshots'))
    return ising_target.pictures(training.configurations(self.target, x, FLAGS.seed).numpy())


def save(
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
      'figure4': plotting.free_energy(*curve, other_curves()),
      'domains': plotting.domains(*flowing(model, target)),
    }
  except ImportError:
    logging.warning("No figure: matplotlib is missing. pip install -e '.[plot]'")
    return
  for name, figure in figures.items():
    plotting.save(figure, run.figure(name))
    print(f'Figure: {run.figure(name)}')


def other_curves() -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Name of the run --beside -> its epochs and F/N; raises ValueError if it is none of this app."""
  if not FLAGS.beside:
    return {}
  other = training.RunDirectory(pathlib.Path(FLAGS.beside))
  try:
    found = other.read_metrics()
    return {other.root.name: (found['epoch'], found['free_energy_per_site'])}
  except (OSError, KeyError) as error:
    raise ValueError(
      f'`--beside` {FLAGS.beside} is no run of this app ({error}): pass the --run_dir of one.'
    ) from error


def flowing(
  model: training.VariationalFreeEnergy, target: targets.Target
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Fields of a few latents on their way, the times, and what is drawn of the last ones."""
  times = np.linspace(0.0, model.bijector.horizon.time, DOMAIN_MOMENTS)
  flow = model.flow(FLAGS.seed)
  latents = flow.distribution.sample(DOMAIN_COLUMNS, seed=seeds.stateless(FLAGS.seed, 'domains'))
  states = flow.bijector.trajectory(latents, times).states
  drawn = training.configurations(target, states[-1], FLAGS.seed).numpy()
  fields = np.stack([ising_target.pictures(state) for state in states.numpy()])
  return fields, times, ising_target.pictures(drawn)
