"""How often a wrong log density is certified: random stiff flows against refined steps.

  python benchmarks/stiff_flows.py --output=docs/results/benchmarks/stiff_flows.json

Potentials, sizes, horizons, methods and depths are drawn at random, most of them far too stiff for
their steps; 'smooth' ones have kernels that a few steps may do justice to, 'walls' have units up to
400 times as steep, which steps leap over. Points are samples of the flow, and points strewn around
them, in both directions. Truth is ln p by RK4 in 128, 256, ... steps, all in float64, where two
halvings in a row change it by less than 0.01 and 0.001 nats; a log density whose truth is not
reached counts as wrong. Printed are the wrong ones (off by more than 0.1 nats) that pass a
tolerance of 0.1, and the right ones that do not.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras import Certificate, MongeAmpereBijector, integrators, potentials
from ma_keras.bases import StandardNormal
from ma_keras.flow import dynamics
from ma_keras.flow.horizon import Grid

FLAGS = flags.FLAGS
flags.DEFINE_integer('flows', 100, 'Flows of each kind.', lower_bound=1)
flags.DEFINE_integer('points', 48, 'Points of each flow and direction.', lower_bound=2)
flags.DEFINE_integer('seed', 0, 'Names every random number drawn.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

TOLERANCE = 0.1
COARSEST_TRUTH, FINEST_TRUTH = 128, 16384
DOUBLE = tf.float64
METHODS = (
  *('rk4', 'rk4', 'rk4', 'euler', 'midpoint', 'heun', 'three_eighths', 'gauss4'),
  'implicit_midpoint',
)
KINDS = {'smooth': (0.5, 8.0), 'walls': (5.0, 200.0)}  # Range of kernels.


def spread(rng: np.random.Generator, low: float, high: float) -> float:
  """A number whose logarithm is uniform."""
  return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclasses.dataclass(frozen=True)
class Case:
  """One random flow.

  Attributes:
    rng: What draws it.
    size: N.
    time: T.
    steepness: Size of the kernels.
    speed: Size of the velocities that one term makes.
  """

  rng: np.random.Generator
  size: int
  time: float
  steepness: float
  speed: float

  def potential(self) -> potentials.Potential:
    """One of five families, or a sum of two."""
    families = (self.dense, self.separable, self.mlp, self.quadratic)
    if self.rng.random() < 0.2:
      return self.dense() + self.separable()
    return families[self.rng.integers(len(families))]()

  def dense(self) -> potentials.Potential:
    """OneHiddenLayer, constant or varying in time."""
    units, activation = int(self.rng.choice([2, 4, 16, 64])), self.activation()
    made = potentials.OneHiddenLayer(
      self.size, units, activation, dtype=DOUBLE, seed=0, time_basis=self.basis()
    )
    return self.filled(made, [self.size**-0.5, 1.0])

  def separable(self) -> potentials.Potential:
    """One-dimensional units."""
    units, activation = int(self.rng.choice([1, 2, 4, 8])), self.activation()
    made = potentials.Separable(self.size, units, activation, self.basis(), DOUBLE, seed=0)
    return self.filled(made, [1.0, 1.0])

  def mlp(self) -> potentials.Potential:
    """Two or three layers; the steepness is shared among them."""
    widths = [(16, 16), (8, 8), (8, 8, 8)][self.rng.integers(3)]
    made = potentials.MLP(
      self.size, widths, self.activation(), bool(self.rng.random() < 0.5), DOUBLE, seed=0
    )
    layer = self.steepness ** (1 / len(widths))
    for kernel, bias in zip(made.kernels, made.biases):
      kernel.assign(layer * self.rng.normal(size=kernel.shape) / kernel.shape[0] ** 0.5)
      bias.assign(0.5 * layer * self.rng.normal(size=bias.shape))
    self.give_amplitudes(made.amplitude)
    return made

  def quadratic(self) -> potentials.Potential:
    """Rates of both signs, up to tens per unit of time."""
    matrix = self.rng.normal(size=(self.size, self.size)) / self.size**0.5
    rate = spread(self.rng, 0.3, 20.0)
    shift = self.rng.normal() * spread(self.rng, 0.3, 20.0)
    return potentials.Quadratic(rate * (matrix + matrix.T) / 2 + shift * np.eye(self.size), DOUBLE)

  def filled(self, made: potentials.Potential, scales: list[float]) -> potentials.Potential:
    """Random kernel and bias of the steepness times the scales, and amplitudes."""
    for variable, scale in zip((made.kernel, made.bias), scales):
      variable.assign(self.steepness * scale * self.rng.normal(size=variable.shape))
    self.give_amplitudes(made.amplitude)
    return made

  def give_amplitudes(self, amplitude: tf.Variable) -> None:
    """Random ones, for velocities of the case's speed."""
    units = amplitude.shape[-2] if amplitude.shape.rank > 1 else amplitude.shape[-1]
    scale = self.speed / self.steepness / units**0.5
    amplitude.assign(scale * self.rng.normal(size=amplitude.shape))

  def activation(self) -> str:
    """Softplus or ln cosh."""
    return str(self.rng.choice(['softplus', 'log_cosh']))

  def basis(self) -> potentials.TimeBasis | None:
    """Functions of time, for half of the flows."""
    size = int(self.rng.integers(2, 7))
    return potentials.TimeBasis(self.time, size) if self.rng.random() < 0.5 else None


def random_flow(kind: str, seed: int, number: int) -> MongeAmpereBijector:
  """Flow of that number: any potential, method and depth from 1 to 20."""
  rng = np.random.default_rng([seed, number, list(KINDS).index(kind)])
  steepness = spread(rng, *KINDS[kind])
  size, time = int(rng.choice([1, 2, 3, 4, 8, 16])), spread(rng, 0.3, 3.0)
  potential = Case(rng, size, time, steepness, spread(rng, 0.3, 30.0)).potential()
  num_steps, method = round(spread(rng, 1.0, 20.0)), str(rng.choice(METHODS))
  return MongeAmpereBijector(potential, num_steps, time / num_steps, method, 'plain')


def truth(bijector: MongeAmpereBijector, x: tf.Tensor) -> np.ndarray:
  """ln p of points [B, N] by as many RK4 steps as it takes; NaN where that is too many."""
  inverse, base = _inverse(bijector), StandardNormal(x.shape[-1], DOUBLE)
  values, last = np.full(len(x), np.nan), None
  moved: np.ndarray = np.full(len(x), np.inf)
  open_rows: np.ndarray = np.arange(len(x))
  num_steps = COARSEST_TRUTH
  while len(open_rows) and num_steps <= FINEST_TRUTH:
    times = np.arange(num_steps + 1) * (bijector.horizon.time / num_steps)
    z, change = inverse(tf.gather(x, open_rows), times[:-1], times[1:], np.diff(times))
    log_prob = (base.log_prob(z) - change).numpy()
    now = np.full(len(open_rows), np.inf) if last is None else np.abs(log_prob - last)
    settled = (now < 1e-3) & (moved < 1e-2)
    values[open_rows[settled]] = log_prob[settled]
    open_rows, last, moved = open_rows[~settled], log_prob[~settled], now[~settled]
    num_steps *= 2
  return values


def _inverse(bijector: MongeAmpereBijector) -> tf.types.experimental.GenericFunction:
  """(x, starts, stops, lengths of steps) -> z, change of ln p; traced once for all depths."""
  vector = tf.TensorSpec([None], DOUBLE)
  spec = [tf.TensorSpec([None, bijector.potential.event_size], DOUBLE), vector, vector, vector]

  @tf.function(input_signature=spec, autograph=False)
  def solve(x: tf.Tensor, *grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    prepared, num_steps = bijector.potential.prepared(), tf.shape(grid[0])[0]
    motion = dynamics.Motion(prepared, integrators.RK4, Grid(*grid), 0, num_steps, reverse=True)
    state = (0, x, motion.nothing(x))
    _, z, (change,) = tf.while_loop(
      lambda i, *_: i < num_steps, lambda i, x, sums: (i + 1, *motion.step(i, x, sums)), state
    )
    return z, change

  return solve


def points(bijector: MongeAmpereBijector, count: int, rng: np.random.Generator) -> tf.Tensor:
  """Half samples of the flow, half normal points of random width: [count, N]."""
  z = rng.normal(size=[count, bijector.potential.event_size])
  samples = bijector.forward(z[: count // 2])
  return tf.concat([samples, spread(rng, 0.5, 3.0) * z[count // 2 :]], axis=0)


def verdicts(bijector: MongeAmpereBijector, count: int, seed: int) -> dict[str, np.ndarray]:
  """Errors of ln p, changes on halving and doubts, in nats, of both directions: [2 count] each."""
  rng = np.random.default_rng([seed, 1])
  x, size = points(bijector, count, rng), bijector.potential.event_size
  z = tf.constant(rng.normal(size=[count, size]))
  results = bijector.certificate(x, reverse=True), bijector.certificate(z)
  where = tf.concat([x, bijector.forward(z)], axis=0)
  joined = Certificate(*(np.concatenate(field) for field in zip(*results)))
  error = np.abs(joined.log_prob - truth(bijector, where))
  return {
    'error': np.where(np.isfinite(error), error, np.inf),
    'change': np.abs(joined.log_prob_change),
    'doubt': joined.doubt,
  }


def summary(error: np.ndarray, passed: np.ndarray) -> dict[str, float]:
  """How many wrong log densities pass, and how many right ones do not."""
  wrong = ~(error <= TOLERANCE)
  clear = error <= TOLERANCE / 2
  return {
    'wrong': int(wrong.sum()),
    'wrong that pass': int((wrong & passed).sum()),
    'largest error that passes': float(np.max(error[passed], initial=0.0)),
    'right': int((~wrong).sum()),
    'share of right ones refused': float(np.mean(~passed[~wrong])),
    'share of those right to half the tolerance refused': float(np.mean(~passed[clear])),
  }


def table(parts: list[dict[str, np.ndarray]]) -> dict[str, Any]:
  """Summaries of all flows of a kind: by one halving, and by the doubt."""
  columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
  return {
    'flows': len(parts),
    'not converged': int(np.isinf(columns['error']).sum()),
    'one halving': summary(columns['error'], columns['change'] <= TOLERANCE),
    'doubt': summary(columns['error'], columns['doubt'] <= TOLERANCE),
  }


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  parts: dict[str, list[dict[str, np.ndarray]]] = {kind: [] for kind in KINDS}
  for number in range(FLAGS.flows):
    for kind, measured in parts.items():
      with np.errstate(all='ignore'):
        measured.append(verdicts(random_flow(kind, FLAGS.seed, number), FLAGS.points, FLAGS.seed))
    results = {kind: table(measured) for kind, measured in parts.items()}
    report.write(FLAGS.output, results)  # After every flow: it may be stopped at any time.
  for kind, rows in results.items():
    for name in ('one halving', 'doubt'):
      print(f'{kind:8s}{name:12s}', rows[name])


if __name__ == '__main__':
  app.run(main)
