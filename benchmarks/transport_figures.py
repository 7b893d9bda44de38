"""Figures of docs/transport.md: eight Gaussians by three ways of transport.

  python benchmarks/transport_figures.py --folder=docs/figures

A flow trained by likelihood alone, one whose kinetic energy is held down as well, and the optimal
map that Kantorovich's dual finds.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import PIL.Image
import tensorflow as tf
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import plotting, potentials, training, transport

FLAGS = flags.FLAGS
flags.DEFINE_string('folder', 'docs/figures', 'Where the figures go.')
flags.DEFINE_integer('epochs', 20, 'Epochs of 50 steps.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Seed of everything.')

STEPS, TIME = 16, 1.0
SHOWN = 120  # Paths in a figure.
COLOURS = 64  # Of a small PNG.


def eight_gaussians(n: int, seed: int) -> np.ndarray:
  """Points around the corners of an octagon of radius 2, deviation .2, float32 [n, 2]."""
  random = np.random.default_rng(seed)
  angles = random.integers(8, size=n) * np.pi / 4
  corners = 2.0 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  return (corners + 0.2 * random.normal(size=(n, 2))).astype(np.float32)


class Energy(tf_keras.callbacks.Callback):
  """T times the integral of |v|^2 along paths, after every epoch: at least W2^2."""

  def __init__(self, bijector: Any, z: np.ndarray) -> None:
    """Keeps what is measured."""
    super().__init__()
    self.bijector, self.z = bijector, tf.constant(z)
    self.values: list[float] = []

  def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
    """Adds a value."""
    solution = self.bijector.solve(self.z, tallies=['kinetic'])
    self.values.append(2 * TIME * float(tf.reduce_mean(solution.tallies['kinetic'])))


def flow(x: np.ndarray, z: np.ndarray, kinetic: float) -> tuple[Any, list[float]]:
  """A flow trained by likelihood and this weight of the kinetic energy, and its energies."""
  basis = potentials.TimeBasis(TIME, 4)
  phi = potentials.OneHiddenLayer(2, 128, time_basis=basis, seed=FLAGS.seed)
  bijector = ma_keras.MongeAmpereBijector(phi, STEPS, TIME / STEPS)
  penalties = {'stiffness': 0.1, **({'kinetic': kinetic} if kinetic else {})}
  model = training.MaximumLikelihood(bijector, penalties=penalties, seed=FLAGS.seed)
  model.compile(training.adam(0.02, 50 * FLAGS.epochs, 50))
  energy = Energy(bijector, z)
  model.fit(x, batch_size=256, epochs=FLAGS.epochs, verbose=2, callbacks=[energy])
  return bijector, energy.values


def optimal_map(x: np.ndarray, z: np.ndarray) -> transport.BrenierMap:
  """The map that the dual finds between the same samples."""
  optimal = transport.start_from_moments(z, x, 128, steepness=3.0, seed=FLAGS.seed)
  model = training.KantorovichDual(optimal, seed=FLAGS.seed)
  model.compile(training.adam(0.02, 50 * FLAGS.epochs, 50))
  model.fit((z, x), batch_size=256, epochs=FLAGS.epochs, steps_per_epoch=50, verbose=2)
  return optimal


def straight(optimal: transport.BrenierMap, z: np.ndarray) -> np.ndarray:
  """Straight lines from z to their images, [2, n, 2]."""
  return np.stack([z, optimal.forward(z).numpy()])


def save(figure: Any, path: pathlib.Path) -> None:
  """Writes the figure as a PNG of few colours."""
  plotting.save(figure, path)
  picture = PIL.Image.open(path).convert('RGB').quantize(COLOURS)
  picture.save(path, optimize=True)


def main(argv: list[str]) -> None:
  """Trains, and writes three figures."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  folder = pathlib.Path(FLAGS.folder)
  folder.mkdir(parents=True, exist_ok=True)
  x = eight_gaussians(50 * 256, FLAGS.seed)
  z = np.random.default_rng([FLAGS.seed, 1]).normal(size=x.shape).astype(np.float32)
  free, free_energy = flow(x, z[:2000], kinetic=0.0)
  held, held_energy = flow(x, z[:2000], kinetic=0.1)
  optimal = optimal_map(x, z)
  bound = transport.dual_bound(optimal, z, x)
  print(bound, optimal.convexity(z[:500]), f'energies {free_energy[-1]:.3f}, {held_energy[-1]:.3f}')
  times = np.linspace(0.0, TIME, STEPS + 1)
  shown = z[:SHOWN]
  paths = {
    'likelihood alone': free.trajectory(tf.constant(shown), times).states.numpy(),
    'kinetic energy held down': held.trajectory(tf.constant(shown), times).states.numpy(),
    'optimal map': straight(optimal, shown),
  }
  save(plotting.paths(paths), folder / 'transport_paths.png')
  axis = np.linspace(-2.5, 2.5, 41, dtype=np.float32)
  mesh = np.stack(np.meshgrid(axis, axis, indexing='ij'), axis=-1)
  figure = plotting.convex_map(
    (axis, axis), optimal.convex_function(mesh).numpy(), optimal.forward(mesh).numpy(), z[:500]
  )
  save(figure, folder / 'convex_map.png')
  steps = 50 * (1 + np.arange(FLAGS.epochs))
  curves = {
    'likelihood alone': np.array(free_energy),
    'kinetic energy held down': np.array(held_energy),
  }
  save(plotting.transport_cost(steps, curves, bound.value), folder / 'path_energy.png')


if __name__ == '__main__':
  app.run(main)
