"""The identities the package stands on, as figures: how far each is from its ground truth.

  python benchmarks/checks.py --output=checks.json

The tests hold the same within their tolerances; this prints the numbers. All in float64.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import potentials, targets
from ma_keras.potentials import autodiff
from ma_keras.targets import kaufman

FLAGS = flags.FLAGS
flags.DEFINE_string('output', None, 'JSON file for the results.')
N = 4


def generic(potential: potentials.Potential, seed: int = 0) -> potentials.Potential:
  """All variables drawn anew, none of them zero."""
  rng = np.random.default_rng(seed)
  for variable in potential.trainable_variables:
    variable.assign(rng.normal(size=variable.shape) / np.sqrt(variable.shape[0]))
  return potential


def points(count: int, size: int = N) -> tf.Tensor:
  """Normal points [count, size]."""
  return tf.constant(np.random.default_rng(1).normal(size=(count, size)))


def traces(potential: potentials.Potential, t: tf.Tensor, x: tf.Tensor) -> np.ndarray:
  """tr(Hessian phi) out of the whole Hessian, by tapes of phi alone."""
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      value = potential(t, x)
    gradient = inner.gradient(value, x)
  return tf.linalg.trace(outer.batch_jacobian(gradient, x)).numpy()


def worst(one: tf.Tensor, two: np.ndarray) -> float:
  """max |one - two|."""
  return float(np.max(np.abs(one - two)))


def laplacians() -> dict[str, float]:
  """max |laplacian phi - tr(Hessian phi)|."""
  double = {'dtype': tf.float64}
  keras.backend.set_floatx('float64')
  layers = [keras.layers.Input((N,)), keras.layers.Dense(5, 'softplus'), keras.layers.Dense(1)]
  layer = generic(potentials.OneHiddenLayer(N, 5, **double))
  made = {
    'softplus layer': layer,
    'ln cosh layer': generic(potentials.OneHiddenLayer(N, 5, 'log_cosh', False, **double)),
    'amplitudes in time': generic(
      potentials.OneHiddenLayer(N, 5, time_basis=potentials.TimeBasis(1.0, 3), **double)
    ),
    'separable': generic(potentials.Separable(N, 3, **double)),
    'mlp': generic(potentials.MLP(N, (5, 3), **double)),
    'keras model': generic(potentials.KerasModel(keras.Sequential(layers), N)),
    'nested tapes': layer.with_laplacian(autodiff.gradient_and_laplacian),
  }
  t, x = tf.constant(0.7, tf.float64), points(50)
  return {name: worst(phi.laplacian(t, x), traces(phi, t, x)) for name, phi in made.items()}


def hutchinson() -> dict[str, float]:
  """|mean of 20,000 probes - tr(Hessian phi)|, in standard errors."""
  layer = generic(potentials.OneHiddenLayer(N, 5, dtype=tf.float64))
  t, x = tf.constant(0.7, tf.float64), points(50)[:1]
  probed = layer.with_laplacian(potentials.Hutchinson(seed=0))
  drawn = probed.laplacian(t, tf.tile(x, [20000, 1])).numpy()
  off = drawn.mean() - traces(layer, t, x)[0]
  return {'standard errors': abs(off) / (drawn.std() / len(drawn) ** 0.5)}


def log_determinants() -> dict[str, float]:
  """max |log det - slogdet of the dense Jacobian| as d grows."""
  phi, x, found = generic(potentials.OneHiddenLayer(N, 5, dtype=tf.float64)), points(10), {}
  for d in (4, 8, 16, 32):
    bijector = ma_keras.MongeAmpereBijector(phi, d, 1.0 / d)
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(x)
      y = bijector.forward(x)
    jacobian = tape.batch_jacobian(y, x, experimental_use_pfor=False)
    expected = np.linalg.slogdet(jacobian)[1]
    found[f'd = {d}'] = worst(bijector.forward_log_det_jacobian(x, 1), expected)
  return found


def orders() -> dict[str, float]:
  """log2 of the error at d over that at 2 d, against 512 Gauss steps."""
  phi, x = generic(potentials.MLP(N, (5, 3), time_dependent=True, dtype=tf.float64)), points(10)

  def end(d: int, method: str) -> np.ndarray:
    return ma_keras.MongeAmpereBijector(phi, d, 1.0 / d, method).forward(tf.identity(x)).numpy()

  exact, found = end(512, 'gauss4'), {}
  for method in ma_keras.integrators.TABLEAUS:
    coarse, fine = (np.max(np.abs(end(d, method) - exact)) for d in (16, 32))
    found[method] = float(np.log2(coarse / fine))
  return found


def density_integral() -> dict[str, float]:
  """|1 - integral of p| of a 2-D flow over [-10, 10]^2, 401 x 401 points."""
  phi = generic(potentials.OneHiddenLayer(2, 8, dtype=tf.float64))
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(phi, 40, 0.025))
  axis = np.linspace(-10, 10, 401)
  grid = tf.constant(np.stack(np.meshgrid(axis, axis), axis=-1))
  total = float(tf.reduce_sum(flow.prob(grid))) * (axis[1] - axis[0]) ** 2
  return {'|1 - integral|': abs(1 - total)}


def enumerated(side: int, coupling: float) -> float:
  """ln Z of the torus by all 2^(L^2) states."""
  ising = targets.Ising(side, coupling, dtype=tf.float64)
  states = np.array(list(itertools.product((-1.0, 1.0), repeat=side**2)))
  energies = ising.spin_energy(tf.constant(states)).numpy()
  return float(np.logaddexp.reduce(-energies))


def appendix_b(side: int = 2) -> float:
  """|ln Z - ln of the integral of exp(-E)| of the continuous model, by the trapezoidal rule."""
  ising, axis = targets.Ising(side, dtype=tf.float64), np.linspace(-12, 12, 49)
  lines = np.stack(np.meshgrid(*[axis] * (side**2 - 1), indexing='ij'), axis=-1)
  lines = lines.reshape(-1, side**2 - 1)
  total = -np.inf
  for first in axis:  # A slice at a time: all points would take a gigabyte.
    x = np.concatenate([np.full([len(lines), 1], first), lines], axis=1)
    total = np.logaddexp(total, np.logaddexp.reduce(-ising.energy(tf.constant(x)).numpy()))
  return abs(ising.exact_log_partition() - total - side**2 * np.log(axis[1] - axis[0]))


def main(argv: list[str]) -> None:
  """Prints the figures and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  critical = targets.CRITICAL_COUPLING
  found = {
    'Laplacian': laplacians(),
    'Hutchinson': hutchinson(),
    'log determinant': log_determinants(),
    'order': orders(),
    'density': density_integral(),
    'Appendix B': {'L = 2': appendix_b()},
    'Kaufman - enumeration': {
      f'L = {side}, K = {k:.3g}': abs(kaufman.log_partition(side, side, k) - enumerated(side, k))
      for side in (2, 3, 4)
      for k in (critical, -0.3)
    },
  }
  for title, figures in found.items():
    for name, value in figures.items():
      print(f'{title:24s}{name:32s}{value:10.3g}')
  report.write(FLAGS.output, found)


if __name__ == '__main__':
  app.run(main)
