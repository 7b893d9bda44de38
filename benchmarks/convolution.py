"""Units on patches: slices and matrix products, beside TensorFlow's convolutions and its gather.

  python benchmarks/convolution.py --output=convolution.json

One potential, phi(x) = sum_pj a_pj act((w_j * x)_p + b_pj), three ways: `LocallyConnected` with a
shared kernel, the same with its patches gathered, and `tf.nn.conv2d` with its transpose. The script
checks that they agree, derivatives by the weights included, before it times anything. A kernel for
every patch, which no convolution has, is the fourth row: as many operations, more weights.

Everything is timed in turn, round after round. Milliseconds are those of the best round; a ratio is
the median over the rounds, with quartiles, of two routes' times within one round.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import potentials
from ma_keras.potentials import activations, patches

FLAGS = flags.FLAGS
flags.DEFINE_list('image_shape', ['28', '28', '1'], 'Height, width, channels.')
flags.DEFINE_integer('patch', 8, 'k.', lower_bound=1)
flags.DEFINE_integer('stride', 4, 's.', lower_bound=1)
flags.DEFINE_integer('units', 64, 'C.', lower_bound=1)
flags.DEFINE_integer('batch_size', 100, 'B.', lower_bound=1)
flags.DEFINE_integer('num_steps', 4, 'd, Runge-Kutta steps of the training step.', lower_bound=1)
flags.DEFINE_integer('rounds', 20, 'Timed rounds.', lower_bound=1)
flags.DEFINE_integer('repeats', 5, 'Calls of each route in a round.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

Cost = Callable[[potentials.Potential, tf.Tensor], list[tf.Tensor]]
Run = Callable[[], list[np.ndarray]]
SLICES = 'slices'
SEPARATE = 'slices, unshared'


class Gathered(patches.Patches):
  """The same patches, gathered by index and added up again by segment."""

  def cut(self, x: tf.Tensor) -> tf.Tensor:
    """[..., N] -> [P, B, k^2 c]."""
    return tf.transpose(tf.gather(x, self._indices(), axis=-1), [1, 0, 2])

  def assembled(self, of_patches: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """[P, B, k^2 c] -> [..., N]."""
    entries = tf.transpose(of_patches, [0, 2, 1])
    pixels = tf.math.unsorted_segment_sum(entries, self._indices(), math.prod(self.image_shape))
    return tf.reshape(tf.transpose(pixels), shape)

  def _indices(self) -> tf.Tensor:
    """Which pixel each entry of a patch is, [P, k^2 c]."""
    pixels = tf.range(math.prod(self.image_shape), dtype=tf.float32)
    return tf.cast(super().cut(pixels), tf.int32)[:, 0]


class Convolution(potentials.Potential):
  """phi(x) = sum_pj a_pj act(z_pj), z = w * x + b: grad phi is a transposed convolution.

  Attributes:
    kernel: w, variable [k, k, c, C].
    bias: b, variable [rows, columns, C].
    amplitude: a, variable [rows, columns, C].
  """

  def __init__(self, layer: potentials.LocallyConnected) -> None:
    """Starts from the weights of `layer`, whose kernel is shared."""
    super().__init__(layer.event_size)
    self._image_shape, self._stride = layer.patches.image_shape, layer.patches.stride
    self._activation = activations.SOFTPLUS
    grid = layer.patches.grid
    self.kernel = tf.Variable(as_filter(layer.kernel, layer))
    self.bias = tf.Variable(tf.reshape(layer.bias, [*grid, -1]))
    self.amplitude = tf.Variable(tf.reshape(layer.amplitude, [*grid, -1]))

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(x), shape [B]."""
    return tf.reduce_sum(self.amplitude * self._activation.value(self._hidden(x)), axis=[1, 2, 3])

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slopes = self._activation.slope(self._hidden(x))
    images = tf.nn.conv2d_transpose(
      self.amplitude * slopes,
      self.kernel,
      [x.shape[0], *self._image_shape],
      self._stride,
      'VALID',
    )
    weights = self.amplitude * tf.reduce_sum(tf.square(self.kernel), axis=[0, 1, 2])
    curvatures = tf.reshape(self._activation.curvature(slopes), [x.shape[0], -1])
    laplacian = tf.linalg.matvec(curvatures, tf.reshape(weights, [-1]))
    return tf.reshape(images, x.shape), laplacian

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    """z, [B, rows, columns, C]."""
    images = tf.reshape(x, [-1, *self._image_shape])
    return tf.nn.conv2d(images, self.kernel, self._stride, 'VALID') + self.bias


def as_filter(kernel: tf.Tensor, layer: potentials.LocallyConnected) -> tf.Tensor:
  """[1, k^2 c, C], block after block, -> [k, k, c, C], row after row."""
  k, s, channels = layer.patches.patch, layer.patches.stride, layer.patches.image_shape[2]
  blocks = tf.reshape(kernel, [k // s, k // s, s, s, channels, -1])
  return tf.reshape(tf.transpose(blocks, [0, 2, 1, 3, 4, 5]), [k, k, channels, -1])


def routes() -> dict[str, potentials.Potential]:
  """Name to potential; all but `SEPARATE` are the same function."""
  height, width, channels = map(int, FLAGS.image_shape)
  shape = ((height, width, channels), FLAGS.patch, FLAGS.stride, FLAGS.units)
  layer, gathered = (potentials.LocallyConnected(*shape, shared=True, seed=0) for _ in range(2))
  gathered.patches = Gathered(*shape[:3])
  return {
    SLICES: layer,
    'gather': gathered,
    'convolution': Convolution(layer),
    SEPARATE: potentials.LocallyConnected(*shape, seed=0),
  }


def training_step(potential: potentials.Potential, x: tf.Tensor) -> list[tf.Tensor]:
  """Mean of ln p(x) under a flow, and its derivatives by the weights."""
  bijector = ma_keras.MongeAmpereBijector(potential, FLAGS.num_steps, 0.1)
  with tf.GradientTape() as tape:
    mean = tf.reduce_mean(ma_keras.standard_normal_flow(bijector).log_prob(x))
  return [mean, *tape.gradient(mean, potential.trainable_variables)]


COSTS: dict[str, Cost] = {
  'phi': lambda potential, x: [potential(0.0, x)],
  'gradient and Laplacian': lambda potential, x: list(potential.gradient_and_laplacian(0.0, x)),
  'training step': training_step,
}


def compiled(cost: Cost, potential: potentials.Potential, x: tf.Tensor, xla: bool) -> Run:
  """The cost as a function without arguments, arrays out."""
  function = tf.function(lambda x: cost(potential, x), jit_compile=xla)
  concrete = function.get_concrete_function(x)
  return lambda: [value.numpy() for value in concrete(x)]


def check(runs: dict[str, Run], layer: potentials.LocallyConnected) -> None:
  """Compiles all runs, and holds those of the same potential to the same numbers."""
  shape = layer.kernel.shape
  found = {
    name: [as_filter(v, layer) if v.shape == shape else v for v in run()]
    for name, run in runs.items()
  }
  del found[SEPARATE]
  for name, values in found.items():
    for value, expected in zip(values, found[SLICES], strict=True):
      atol = 1e-4 * np.abs(expected).max()
      np.testing.assert_allclose(
        np.ravel(value), np.ravel(expected), rtol=1e-3, atol=atol, err_msg=name
      )


def medians(runs: dict[str, Run]) -> dict[str, float]:
  """Seconds of each, the median of some calls, all in turn."""
  times: dict[str, list[float]] = {name: [] for name in runs}
  for _ in range(FLAGS.repeats):
    for name, run in runs.items():
      start = time.perf_counter()
      run()
      times[name].append(time.perf_counter() - start)
  return {name: float(np.median(values)) for name, values in times.items()}


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
  """The best round in milliseconds, and a route's time over that of the slices."""
  results = {}
  for name in rounds[0]:
    ratios = [times[name] / times[SLICES] for times in rounds]
    low, ratio, high = np.percentile(ratios, [25, 50, 75]).tolist()
    best = 1e3 * min(times[name] for times in rounds)
    results[name] = {'ms': best, 'ratio': ratio, 'quartiles': [low, high]}
  return results


def flops(ways: dict[str, potentials.Potential], x: tf.Tensor) -> dict[str, float]:
  """Of one gradient and Laplacian: of its two products, and counted in the graph of each route.

  TensorFlow's profiler counts a transposed convolution as if its kernel lay on every pixel's
  (k/s)^2 places, at the border too, where there are fewer: hence more than is computed.
  """
  layer = ways[SLICES]
  products = 4 * FLAGS.batch_size * layer.bias.shape.num_elements() * layer.kernel.shape[1]
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
  options = options.with_empty_output().build()
  counts = {'products': float(products)}
  for name, potential in ways.items():
    function = tf.function(lambda x, p=potential: p.gradient_and_laplacian(0.0, x))
    graph = function.get_concrete_function(x).graph
    counts[name] = float(profiler.profile(graph, options=options).total_float_ops)
  return counts


def main(argv: list[str]) -> None:
  """Prints the tables and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  ways = routes()
  layer = ways[SLICES]
  x = tf.random.stateless_normal([FLAGS.batch_size, layer.event_size], [1, 2])
  counts = flops(ways, x)
  for name, count in counts.items():
    print(f'{name:20s} {count / 1e6:8.1f} MFLOP')
  print(f'and about {12 * FLAGS.num_steps} times as many in a training step\n')
  cases = {
    f'{cost}, {mode}': {name: compiled(run, way, x, mode == 'XLA') for name, way in ways.items()}
    for cost, run in COSTS.items()
    for mode in ('plain', 'XLA')
  }
  for runs in cases.values():
    check(runs, layer)
  rounds = [{case: medians(runs) for case, runs in cases.items()} for _ in range(FLAGS.rounds)]
  results = {case: summary([times[case] for times in rounds]) for case in cases}
  for case, rows in results.items():
    print(case)
    for name, row in rows.items():
      low, high = row['quartiles']
      print(f'  {name:20s} {row["ms"]:9.2f} ms {row["ratio"]:6.2f} x ({low:.2f} to {high:.2f})')
  report.write(FLAGS.output, {'flops': counts, 'times': results})


if __name__ == '__main__':
  app.run(main)
