"""Figure 1(a) of the paper, drawn from the package's own trajectory and held against Appendix A."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import plotting
from ma_keras.apps import process
from ma_keras.apps.configuration.figure1 import Figure1Config
from ma_keras.files.replacing import target

NUM_STEPS = 20
NUM_FRAMES = 5
NUM_PARCELS = 13


def flow_fluid(x: np.ndarray, config: Figure1Config) -> tuple[ma_keras.Trajectory, np.ndarray]:
  """The parcels' trajectory and p(x(t_s), t_s), shape [S, B], from positions x at t = 0, [B]."""
  potential = ma_keras.potentials.Quadratic([[config.rate]], dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, NUM_STEPS, config.time / NUM_STEPS)
  times = np.linspace(0, config.time, NUM_FRAMES).tolist()
  path = bijector.trajectory(tf.constant(x[:, np.newaxis], tf.float64), times)
  start = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
  return path, start * np.exp(path.log_density_changes.numpy())


def deviation_from_appendix_a(path: ma_keras.Trajectory, density: np.ndarray, rate: float) -> float:
  """max |p - Normal(x; 0, exp(2 lambda t))| over all frames and parcels."""
  width = np.exp(rate * path.times.numpy())[:, np.newaxis]
  x = path.states.numpy()[..., 0]
  exact = np.exp(-((x / width) ** 2) / 2) / (np.sqrt(2 * np.pi) * width)
  return float(np.abs(density - exact).max())


def main(config: Figure1Config) -> None:
  """See `work`."""
  process.begin()
  with process.ending('Choose another --output.', lambda: 'nothing was written.'):
    work(config)


def work(config: Figure1Config) -> None:
  """Draws the figure."""
  target(pathlib.Path(config.output))  # Fails now if it cannot be a file.
  path, density = flow_fluid(np.linspace(-3.5, 3.5, 201), config)
  parcels, _ = flow_fluid(np.linspace(-2, 2, NUM_PARCELS), config)
  curves = list(zip(path.states.numpy()[..., 0], density))
  try:
    figure = plotting.fluid(parcels.times.numpy(), parcels.states.numpy()[..., 0], curves)
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error
  plotting.save(figure, config.output)
  deviation = deviation_from_appendix_a(path, density, config.rate)
  print(f'Largest deviation from Appendix A: {deviation:.2g}')
  print(f'Figure: {config.output}')
