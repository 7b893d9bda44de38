"""Time of a deep potential's exact Laplacian: layer by layer, and by N reverse passes.

  python benchmarks/deep_laplacian.py --output=deep_laplacian.json

Three ways to the same numbers, forward and in training (the gradient of the mean Laplacian with
respect to the variables): the squares of `potentials.deep`, the nested tapes of
`potentials.autodiff`, and the trace of a looped `batch_jacobian` of the gradient. Everything is
timed in turn, round after round, and medians are reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras import potentials
from ma_keras.potentials import autodiff

FLAGS = flags.FLAGS
flags.DEFINE_integer('event_size', 784, 'N.', lower_bound=1)
flags.DEFINE_multi_integer('hidden_units', [64, 64], 'H_1, H_2, ...', lower_bound=1)
flags.DEFINE_string('activation', 'softplus', 'Activation of the hidden layers.')
flags.DEFINE_integer('batch_size', 100, 'B.', lower_bound=1)
flags.DEFINE_bool('jit_compile', False, 'Compile the closed form by XLA.')
flags.DEFINE_integer('rounds', 5, 'Timed rounds.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

Step = Callable[[], np.ndarray]
CLOSED = 'layer by layer'


def looped_batch_jacobian(
  potential: potentials.Potential, t: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """grad phi and the trace of its Jacobian, whole rows and all."""
  with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
    tape.watch(x)
    velocity = autodiff.gradient(potential, t, x)
  jacobian = tape.batch_jacobian(velocity, x, experimental_use_pfor=False)
  return velocity, tf.linalg.trace(jacobian)


def forward(potential: potentials.Potential, x: tf.Tensor, jit_compile: bool) -> Step:
  """laplacian phi at every point."""
  compiled = tf.function(lambda x: potential.laplacian(0.0, x), jit_compile=jit_compile)
  return lambda: compiled(x).numpy()


def training(potential: potentials.Potential, x: tf.Tensor, jit_compile: bool) -> Step:
  """The gradient of the mean Laplacian with respect to all variables, end to end."""

  @tf.function(jit_compile=jit_compile)
  def compiled(x: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
      mean = tf.reduce_mean(potential.laplacian(0.0, x))
    return tape.gradient(mean, potential.trainable_variables)

  return lambda: np.concatenate([np.ravel(gradient) for gradient in compiled(x)])


def measure(steps: dict[str, Step]) -> dict[str, float]:
  """Median seconds of each, all in turn; the first round compiles, and checks that they agree."""
  times: dict[str, list[float]] = {name: [] for name in steps}
  expected = steps[CLOSED]()
  for step in steps.values():
    np.testing.assert_allclose(step(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
  for _ in range(FLAGS.rounds):
    for name, step in steps.items():
      start = time.perf_counter()
      step()
      times[name].append(time.perf_counter() - start)
  return {name: float(np.median(values)) for name, values in times.items()}


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  potential = potentials.MLP(FLAGS.event_size, FLAGS.hidden_units, FLAGS.activation, seed=0)
  methods = {
    'nested tapes': potential.with_laplacian(autodiff.gradient_and_laplacian),
    'looped batch_jacobian': potential.with_laplacian(looped_batch_jacobian),
  }
  x = tf.random.stateless_normal([FLAGS.batch_size, FLAGS.event_size], seed=[0, 1])
  results = {}
  for task, build in {'forward': forward, 'training': training}.items():
    steps = {name: build(method, x, False) for name, method in methods.items()}
    seconds = measure({CLOSED: build(potential, x, FLAGS.jit_compile), **steps})
    ratios = {name: value / seconds[CLOSED] for name, value in seconds.items()}
    results[task] = {'seconds': seconds, 'ratios': ratios}
    for name, value in seconds.items():
      print(f'{task:9s} {name:22s} {value * 1e3:9.2f} ms  {ratios[name]:7.1f} x')
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
