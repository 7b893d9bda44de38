"""Tallies within a backward pass by hand: what is kept of a step, and what flows back to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import tensorflow as tf

from ma_keras.flow.dynamics import Motion
from ma_keras.flow.gradients import pullback
from ma_keras.flow.tallies import Stiffness, Tally

# Parts of a step that its tallies need on the way back, each [stages or defects, ..., N] or [...].
Residuals = tuple[tf.Tensor, tf.Tensor]


class StageCotangents(NamedTuple):
  """Cotangents of what a step's stages met, a list with one for every stage.

  Attributes:
    points: [..., N] each; empty where no tally depends on the points by themselves.
    velocities: [..., N] each.
    laplacians: [...] each.
    sources: Totals of tensors and variables.
  """

  points: list[tf.Tensor]
  velocities: list[tf.Tensor]
  laplacians: list[tf.Tensor]
  sources: list[tf.Tensor]


def forward(
  motion: Motion,
  i: tf.Tensor,
  points: list[tf.Tensor],
  velocities: list[tf.Tensor],
  laplacians: tf.Tensor,
) -> tuple[list[tf.Tensor], list[Residuals]]:
  """Increment of every tally by step i, and the residuals of each."""
  increments: list[tf.Tensor] = []
  residuals: list[Residuals] = []
  if not motion.tallies:
    return increments, residuals
  step = motion.record(motion.interval(i), points, velocities, tf.unstack(laplacians))
  for tally in motion.tallies:
    if _in_closed_form(tally):
      defects = tally.defects(step)
      increments.append(tally.of_defects(step.h, *defects))
      residuals.append(defects)
    else:
      increments.append(tally.increment(step))
      residuals.append((tf.stack(velocities), laplacians))
  return increments, residuals


def backward(
  motion: Motion,
  i: tf.Tensor,
  points: tf.Tensor,
  residuals: Sequence[Residuals],
  cotangents: Sequence[tf.Tensor],
  sources: pullback.Sources,
  totals: list[tf.Tensor],
) -> StageCotangents | None:
  """Cotangents of the stages of step i, by those of the tallies; None where there are none.

  Args:
    motion: The steps and their tallies.
    i: Number of the step, int32 [].
    points: x of every stage, [s, ..., N].
    residuals: One pair for every tally, of `forward`.
    cotangents: One for every tally, [...].
    sources: Tensors and variables that the potential may have.
    totals: Their cotangents so far.
  """
  pulled = None
  for tally, residual, cotangent in zip(motion.tallies, residuals, cotangents, strict=True):
    if _in_closed_form(tally):
      part = _of_defects(motion, i, residual, cotangent, totals)
    else:
      part = _by_tape(motion, i, tally, points, residual, cotangent, sources, totals)
    totals = part.sources
    pulled = part if pulled is None else _sum(pulled, part)
  return pulled


def shapes(motion: Motion, x: tf.Tensor) -> list[tuple[list[Any], list[Any]]]:
  """Shapes of the residuals of one step, for every tally; x [..., N]."""
  rows = {True: len(motion.tableau.defects), False: len(motion.tableau.b)}
  counts = [rows[_in_closed_form(tally)] for tally in motion.tallies]
  return [([count, *x.shape], [count, *x.shape[:-1]]) for count in counts]


def _in_closed_form(tally: Tally) -> TypeGuard[Stiffness]:
  """Tells if a tally has a backward pass by hand, which a subclass may have made wrong."""
  return type(tally) is Stiffness


def _of_defects(
  motion: Motion,
  i: tf.Tensor,
  residual: Residuals,
  cotangent: tf.Tensor,
  totals: list[tf.Tensor],
) -> StageCotangents:
  """d/d(stage j) of h^2 sum_e |sum_j e_j k_j|^2: 2 h^2 sum_e e_j (defect e)."""
  velocity_defects, laplacian_defects = residual
  h = motion.interval(i).h
  weight = 2.0 * h * h * cotangent
  rows = motion.tableau.defects
  velocities, laplacians = [], []
  for j in range(len(motion.tableau.b)):
    used = [(k, e[j]) for k, e in enumerate(rows) if e[j] != 0.0]
    zero = tf.zeros_like(laplacian_defects[0])
    by_velocity = sum((e * velocity_defects[k] for k, e in used), start=zero[..., tf.newaxis])
    velocities.append(weight[..., tf.newaxis] * by_velocity)
    laplacians.append(weight * sum((e * laplacian_defects[k] for k, e in used), start=zero))
  return StageCotangents([], velocities, laplacians, totals)


def _by_tape(
  motion: Motion,
  i: tf.Tensor,
  tally: Tally,
  points: tf.Tensor,
  residual: Residuals,
  cotangent: tf.Tensor,
  sources: pullback.Sources,
  totals: list[tf.Tensor],
) -> StageCotangents:
  """The vector-Jacobian product of an increment by the stages and the sources."""
  s = len(motion.tableau.b)

  def increment(*parts: tf.Tensor) -> list[tf.Tensor]:
    interval = motion.interval(i)
    return [tally.increment(motion.record(interval, parts[:s], parts[s : 2 * s], parts[2 * s :]))]

  stages = [*tf.unstack(points, s), *tf.unstack(residual[0], s), *tf.unstack(residual[1], s)]
  pulled = pullback.vector_jacobian_product(increment, stages, sources, [cotangent])
  by_sources = pullback.summed(totals, pulled[3 * s :])
  return StageCotangents(pulled[:s], pulled[s : 2 * s], pulled[2 * s : 3 * s], by_sources)


def _sum(one: StageCotangents, other: StageCotangents) -> StageCotangents:
  """Sums stage by stage; the totals of sources are the later ones."""
  added = [a + b for a, b in zip(one.points, other.points)] or one.points or other.points
  return StageCotangents(
    added,
    [a + b for a, b in zip(one.velocities, other.velocities)],
    [a + b for a, b in zip(one.laplacians, other.laplacians)],
    other.sources,
  )
