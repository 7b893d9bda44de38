"""The adjoint differential equation: the derivative of the continuous flow, discretised anew."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import integrators
from ma_keras.flow import dynamics
from ma_keras.flow.dynamics import Motion
from ma_keras.flow.gradients import pullback
from ma_keras.flow.gradients.discrete import Solution, run
from ma_keras.flow.gradients.pullback import Tensors
from ma_keras.flow.tallies import Integral
from ma_keras.potentials.base import Potential

# x, its cotangent, and those of the potential's tensors and variables.
State = tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]


def adjoint(motion: Motion, x: tf.Tensor) -> Solution:
  """`run`, whose backward pass solves da/dt = -d(a.v + b r)/dx with the flow itself. a = dL/dx.

  v = grad phi, r = -laplacian phi and b = dL/d ln p, constant in time; the variables' cotangents
  grow by the same expression differentiated by them. Nothing is kept: x flows back beside a. The
  result is that of the continuous flow up to the integrator's error, not that of the discrete
  one. Symplectic methods (gauss4) have no such error: their adjoint is the discrete one
  (Sanz-Serna 2016). Tallies are integrals of a rate, to which c (dt/d|t|) rate is added in the
  brackets, c = dL/d tally; other sums belong to the discrete flow and have no adjoint equation.
  Reference: Chen et al., Neural Ordinary Differential Equations (2018).
  """
  prepared = motion.prepared()

  def solve(tensors: Tensors, x: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    motion = prepared.with_tensors(tensors)
    y, totals = run(motion, x)

    def pull(doutputs: Tensors, sources: list[Any]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtotals = doutputs
      through = lambda i, state: _step_back(motion, i, state, dtotals, sources)  # noqa: E731
      d = motion.num_steps
      start = (y, dy, pullback.zeros(sources))
      _, dx, gradients = pullback.backwards(through, 0, d, start, d)
      return (dx,), gradients

    return (y, *totals), pull

  y, *totals = pullback.differentiable(solve, prepared.tensors(), x)
  return y, tuple(totals)


def _step_back(
  motion: Motion, i: tf.Tensor, state: State, dtotals: Tensors, sources: pullback.Sources
) -> State:
  x, dx, gradients = state
  interval = motion.interval(i)

  def field(t: tf.Tensor, state: State) -> State:
    return _adjoint_rates(motion, interval.frame.potential, t, state, dtotals, sources)

  frame = interval.frame
  entered = (frame.enter(x), frame.enter(dx), gradients)  # Orthogonal: cotangents turn alike.
  x, dx, gradients = integrators.step(
    motion.tableau, field, interval.start + interval.h, -interval.h, entered
  )
  return frame.leave(x), frame.leave(dx), gradients


def _adjoint_rates(
  motion: Motion,
  potential: Potential,
  t: tf.Tensor,
  state: State,
  dtotals: Tensors,
  sources: pullback.Sources,
) -> State:
  """d/dt of (x, a, cotangents of the sources)."""
  x, dx, _ = state
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch([x, *sources])
    velocity, density_rate = dynamics.rates(potential, t, x)
    stage = (potential, t, x, velocity, -density_rate)
    rates = [tally.rate(*stage) for tally in motion.tallies if isinstance(tally, Integral)]
  dchange, *dtallies = dtotals
  direction = -1.0 if motion.reverse else 1.0  # Integrals grow on the way back as well.
  pulled = tape.gradient(
    [velocity, density_rate, *rates],
    [x, *sources],
    output_gradients=[dx, dchange, *(direction * cotangent for cotangent in dtallies)],
    unconnected_gradients=tf.UnconnectedGradients.ZERO,
  )
  first, *by_sources = [-tf.convert_to_tensor(p) for p in pulled]
  return velocity, first, by_sources
