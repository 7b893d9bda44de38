"""Figure 1(a) of the paper: the gradient flow of a compressible fluid in one dimension.

  python apps/figure1_main.py --output=figure1a.png

phi(x) = x^2/2 spreads a standard normal; Appendix A solves it: x(t) = e^t x(0) and
p(x, t) = Normal(0, e^2t). The figure is drawn from the package's own trajectory, and the
largest deviation from the closed form is printed.
"""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import plotting
from ma_keras.apps import process
from ma_keras.files.replacing import target

FLAGS = flags.FLAGS
flags.DEFINE_string('output', 'figure1a.png', 'Where the figure goes.')
flags.DEFINE_float('rate', 1.0, 'lambda in phi = lambda x^2/2.')
flags.DEFINE_float('time', 1.0, 'Time horizon T.', lower_bound=1e-6)

NUM_STEPS = 20
NUM_FRAMES = 5
NUM_PARCELS = 13


def flow_fluid(x: np.ndarray) -> tuple[ma_keras.Trajectory, np.ndarray]:
  """The parcels' trajectory and p(x(t_s), t_s), shape [S, B], from positions x at t = 0, [B]."""
  potential = ma_keras.potentials.Quadratic([[FLAGS.rate]], dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, NUM_STEPS, FLAGS.time / NUM_STEPS)
  times = np.linspace(0, FLAGS.time, NUM_FRAMES).tolist()
  path = bijector.trajectory(tf.constant(x[:, np.newaxis], tf.float64), times)
  start = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
  return path, start * np.exp(path.log_density_changes.numpy())


def deviation_from_appendix_a(path: ma_keras.Trajectory, density: np.ndarray) -> float:
  """max |p - Normal(x; 0, exp(2 lambda t))| over all frames and parcels."""
  width = np.exp(FLAGS.rate * path.times.numpy())[:, np.newaxis]
  x = path.states.numpy()[..., 0]
  exact = np.exp(-((x / width) ** 2) / 2) / (np.sqrt(2 * np.pi) * width)
  return float(np.abs(density - exact).max())


def main(argv: list[str]) -> None:
  """See `work`."""
  process.begin(argv)
  with process.ending('Choose another --output.', lambda: 'nothing was written.'):
    work()


def work() -> None:
  """Draws the figure."""
  target(pathlib.Path(FLAGS.output))  # Fails now if it cannot be a file.
  path, density = flow_fluid(np.linspace(-3.5, 3.5, 201))
  parcels, _ = flow_fluid(np.linspace(-2, 2, NUM_PARCELS))
  curves = list(zip(path.states.numpy()[..., 0], density))
  try:
    figure = plotting.fluid(parcels.times.numpy(), parcels.states.numpy()[..., 0], curves)
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error
  plotting.save(figure, FLAGS.output)
  print(f'Largest deviation from Appendix A: {deviation_from_appendix_a(path, density):.2g}')
  print(f'Figure: {FLAGS.output}')
