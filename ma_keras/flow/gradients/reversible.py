"""The exact derivative of a time-symmetric flow that keeps nothing but its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras.flow import dynamics
from ma_keras.flow.dynamics import Motion
from ma_keras.flow.gradients import pullback
from ma_keras.flow.gradients.discrete import Cotangents, Solution, run
from ma_keras.flow.gradients.pullback import Tensors
from ma_keras.integrators import combine, fixed_point, largest


def reversible(motion: Motion, x: tf.Tensor) -> Solution:
  """`run`, whose backward pass undoes step by step: a step of -h takes a symmetric method back.

  The derivative of a step is that of its stage equations at their solution, by the implicit
  function theorem: as exact as the solution, whatever iteration found it.
  """
  prepared = motion.prepared()

  def solve(tensors: Tensors, x: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    motion = prepared.with_tensors(tensors)
    y, totals = run(motion, x)

    def pull(doutputs: Tensors, held: list[Any]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtotals = doutputs

      def through(i: tf.Tensor, state: tuple[tf.Tensor, Cotangents]) -> tuple:
        after, cotangents = state
        before, points = motion.undo(i, after)
        return before, _pulled(motion, i, points, cotangents, dtotals, held)

      d = motion.num_steps
      start = (y, (dy, pullback.zeros(held)))
      _, (dx, gradients) = pullback.backwards(through, 0, d, start, d)
      return (dx,), gradients

    return (y, *totals), pull

  y, *totals = pullback.differentiable(solve, prepared.tensors(), x)
  return y, tuple(totals)


def _pulled(
  motion: Motion,
  i: tf.Tensor,
  points: list[tf.Tensor],
  cotangents: Cotangents,
  dtotals: Tensors,
  sources: pullback.Sources,
) -> Cotangents:
  """The vector-Jacobian product of step i, whose stages are at X_i = x + h sum_j a_ij v_j.

  With p_i the cotangent of X_i and q_i that of v_i: q_i = h b_i dy + h sum_j a_ji p_j, and p_i the
  product of (q_i, h b_i dchange) with the Jacobian of velocity and density rate at X_i, and of the
  tallies' cotangents with theirs: solved by fixed-point iteration. Then dx = dy + sum_i p_i.
  """
  dy, gradients = cotangents
  tableau = motion.tableau
  with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
    tape.watch([*points, *sources])
    interval = motion.interval(i)
    times = [interval.start + c * interval.h for c in tableau.c]
    rates = [dynamics.rates(interval.frame.potential, t, x) for t, x in zip(times, points)]
    step = motion.record(interval, points, [v for v, _ in rates], [-rate for _, rate in rates])
    increments = [tally.increment(step) for tally in motion.tallies]
  dchange, *dtallies = dtotals
  dy, drates = interval.frame.enter(dy), [(interval.h * b) * dchange for b in tableau.b]
  columns = list(zip(*tableau.a))

  def product(velocities: Sequence[tf.Tensor], by: Sequence[object]) -> list[tf.Tensor]:
    outputs = [*zip(velocities, drates), *dtallies]
    return tape.gradient([*rates, *increments], by, outputs, tf.UnconnectedGradients.ZERO)

  def from_points(p: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    weighted = zip(tableau.b, columns)
    return [combine((interval.h * b) * dy, interval.h, column, p) for b, column in weighted]

  def once(p: list[tf.Tensor]) -> list[tf.Tensor]:
    return product(from_points(p), points)

  def movement(before: list[tf.Tensor], after: list[tf.Tensor]) -> tf.Tensor:
    return largest(tf.stack(after) - tf.stack(before)) / largest(tf.stack(after))

  p = fixed_point(once, [tf.zeros_like(x) for x in points], movement, tableau.iterations)
  products = product(from_points(p), [*points, *sources])
  p, by_sources = products[: len(points)], products[len(points) :]
  dx = interval.frame.leave(dy + sum(p))
  return dx, pullback.summed(gradients, by_sources)
