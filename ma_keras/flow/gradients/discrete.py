"""The exact derivative of the discrete flow, one step at a time, last step first."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import tensorflow as tf

from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import on_demand, pullback
from ma_keras.flow.gradients.pullback import Tensors

Solution = tuple[tf.Tensor, Totals]
# What flows back through a step: the cotangents of x, of the potential's tensors and variables.
Cotangents = tuple[tf.Tensor, list[tf.Tensor]]


def run(motion: Motion, x: tf.Tensor) -> Solution:
  """x after all steps, [..., N], and the totals."""
  return _segment(motion, x, motion.nothing(x), 0, motion.num_steps)


def unrolled(motion: Motion, x: tf.Tensor) -> Solution:
  """`run` without a loop in the graph, which a second derivative would build several times over."""
  totals = motion.nothing(x)
  for i in range(motion.num_steps):
    x, totals = motion.step(i, x, totals)
  return x, totals


def _segment(
  motion: Motion, x: tf.Tensor, totals: Totals, begin: int | tf.Tensor, end: int | tf.Tensor
) -> Solution:
  """x and the totals after steps begin..end-1, of those before."""
  _, x, totals = tf.while_loop(
    lambda i, *_: i < end,
    lambda i, x, totals: (i + 1, *motion.step(i, x, totals)),
    (tf.convert_to_tensor(begin), x, totals),
    maximum_iterations=motion.num_steps,
  )
  return x, totals


def recomputed(motion: Motion, x: tf.Tensor, segment: int) -> Solution:
  """`run`, keeping x before every segment of steps and computing the rest again.

  Nothing is kept where no tape records.
  """
  by_segments = functools.partial(_recomputed, segment=segment)
  motion = motion.prepared()
  if on_demand.recording():
    y, *totals = by_segments(motion, x)
  else:
    y, *totals = on_demand.on_demand(by_segments, _lean, motion, x)
  return y, tuple(totals)


def _lean(motion: Motion, x: tf.Tensor) -> Tensors:
  y, totals = run(motion, x)
  return y, *totals


def _recomputed(motion: Motion, x: tf.Tensor, segment: int) -> Tensors:
  """x at the end and the totals, from one state kept per segment."""

  def solve(tensors: Tensors, x: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    along = motion.with_tensors(tensors)
    steps = (motion.num_steps, segment)

    def forward(x: tf.Tensor, totals: Totals, begin: tf.Tensor, end: tf.Tensor) -> Solution:
      return (
        along.step(begin, x, totals) if segment == 1 else _segment(along, x, totals, begin, end)
      )

    y, totals, through = pullback.segmented(forward, x, motion.nothing(x), *steps)
    scoreless = dataclasses.replace(along, score=None)

    def pull(doutputs: Tensors, sources: list[Any]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtotals = doutputs if motion.score is None else doutputs[:-1]

      def back(x: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, after: Cotangents) -> Cotangents:
        if segment == 1:
          return _pulled(scoreless, begin, x, after, dtotals, sources)
        states = _states(scoreless, x, begin, end, segment)
        step = lambda i, c: _pulled(scoreless, i, states[i - begin], c, dtotals, sources)  # noqa: E731
        return pullback.backwards(step, begin, end, after, segment)

      dx, gradients = through((dy, pullback.zeros(sources)), back)
      return (dx,), gradients

    return (y, *totals), pull

  return pullback.differentiable(solve, motion.tensors(), x)


def _states(motion: Motion, x: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, size: int) -> tf.Tensor:
  """x before each of the steps begin..end-1, [size, ..., N]; what is missing stays zero."""
  states = tf.TensorArray(x.dtype, size, element_shape=x.shape, clear_after_read=False)

  def advance(i: tf.Tensor, x: tf.Tensor, states: tf.TensorArray) -> tuple:
    x, _ = motion.step(i, x, motion.nothing(x))
    return i + 1, x, states.write(i + 1 - begin, x)

  _, _, states = tf.while_loop(
    lambda i, *_: i < end - 1, advance, (begin, x, states.write(0, x)), maximum_iterations=size
  )
  return states.stack()


def _pulled(
  motion: Motion,
  i: tf.Tensor,
  before: tf.Tensor,
  cotangents: Cotangents,
  dtotals: Tensors,
  sources: pullback.Sources,
) -> Cotangents:
  """The vector-Jacobian product of step i at the state before it."""
  dx, gradients = cotangents

  def step(x: tf.Tensor) -> list[tf.Tensor]:
    after, increments = motion.step(i, x, motion.nothing(x))
    return [after, *increments]

  return pullback.pulled_back(step, before, [dx, *dtotals], sources, gradients)
