"""Flows of many points, so many rows at a time: memory that does not grow with their number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import pullback
from ma_keras.flow.gradients.pullback import Tensors

Solve = Callable[[Motion, tf.Tensor], tuple[tf.Tensor, Totals]]


def solve(whole: Solve, motion: Motion, x: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, Totals]:
  """whole(motion, x) of at most `batch_size` rows at a time.

  Nothing is kept beyond a chunk: the backward pass computes each one again and pulls it back before
  it turns to the next. It differentiates by the points, by tensors of the potential (a context) and
  by trainable variables.

  Args:
    whole: How the rows of one chunk are solved.
    motion: The steps.
    x: Points, shape [..., N], each of them one row.
    batch_size: Rows per chunk, at most.

  Returns:
    x at the end, [..., N], and the totals.
  """
  rows = tf.reshape(x, [-1, x.shape[-1]])
  if motion.score is not None:
    motion = dataclasses.replace(motion, score=tf.reshape(motion.score, tf.shape(rows)))

  def as_given(part: tf.Tensor) -> tf.Tensor:
    part = tf.reshape(part, tf.concat([tf.shape(x)[:-1], tf.shape(part)[1:]], axis=0))
    return tf.ensure_shape(part, x.shape[:-1] + part.shape[x.shape.rank - 1 :])

  y, *totals = _differentiable(whole, motion, rows, batch_size)
  return as_given(y), tuple(as_given(total) for total in totals)


def in_turn(whole: Solve, motion: Motion, x: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, ...]:
  """x [B, N] at the end, and the totals, one chunk after the other."""
  if x.shape[0] is not None and x.shape[0] <= batch_size:
    y, totals = whole(motion, x)
    return (y, *totals)
  batch, rows = _length(x), _numbers(_length(x), batch_size)

  def of_chunk(chunk: tf.Tensor) -> tuple[tf.Tensor, ...]:
    y, totals = whole(motion.for_rows(chunk, batch), tf.gather(x, chunk))
    return (y, *totals)

  # Not `tf.map_fn`: an error within would leave its caching device on TensorFlow's variable scope,
  # and no strategy's scope could be entered afterwards in this process.
  def advance(i: tf.Tensor, *arrays: tf.TensorArray) -> tuple[Any, ...]:
    outputs = of_chunk(rows[i])
    written = (array.write(i, part) for array, part in zip(arrays, outputs, strict=True))
    return (i + 1, *written)

  points = tf.TensorShape([rows.shape[1], x.shape[1]])
  shapes = [points, *[points[:1]] * (1 + len(motion.tallies))]
  if motion.score is not None:
    shapes.append(points)
  chunks = tf.shape(rows)[0]
  _, *arrays = tf.while_loop(
    lambda i, *_: i < chunks,
    advance,
    (tf.constant(0), *(tf.TensorArray(x.dtype, chunks, element_shape=shape) for shape in shapes)),
    maximum_iterations=chunks,
    parallel_iterations=1,
  )
  return tuple(_joined(array.stack(), batch) for array in arrays)


def _differentiable(
  whole: Solve, motion: Motion, x: tf.Tensor, batch_size: int
) -> tuple[tf.Tensor, ...]:
  """`in_turn`, whose backward pass goes through the chunks once more."""

  def solve(tensors: Tensors, x: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    # Tapes go on recording: potentials have some of their own, for velocity and Laplacian.
    along = motion.with_tensors(tensors)

    def pull(doutputs: Tensors, held: list[Any]) -> tuple[Tensors, list[tf.Tensor]]:
      dx, gradients = _pulled(whole, along, x, batch_size, doutputs, held)
      return (dx,), gradients

    return in_turn(whole, along, x, batch_size), pull

  return pullback.differentiable(solve, motion.tensors(), x)


def _pulled(
  whole: Solve,
  motion: Motion,
  x: tf.Tensor,
  batch_size: int,
  doutputs: Tensors,
  sources: pullback.Sources,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
  """The cotangents of x, and of tensors and variables, which are summed over the chunks."""
  batch, rows = _length(x), _numbers(_length(x), batch_size)
  douts = [_parted(part, rows) for part in doutputs]
  chunks = tf.shape(rows)[0]

  def advance(i: tf.Tensor, dx: tf.TensorArray, totals: list[tf.Tensor]) -> tuple:
    cotangents = [d[i] for d in douts]

    def of_chunk(x: tf.Tensor) -> list[tf.Tensor]:
      y, totals = whole(motion.for_rows(rows[i], batch), x)
      return [y, *totals]

    points = tf.gather(x, rows[i])
    dpoints, totals = pullback.pulled_back(of_chunk, points, cotangents, sources, totals)
    return i + 1, dx.write(i, dpoints), totals

  dx = tf.TensorArray(x.dtype, chunks, element_shape=[rows.shape[1], x.shape[1]])
  _, dx, totals = tf.while_loop(
    lambda i, *_: i < chunks,
    advance,
    (tf.constant(0), dx, pullback.zeros(sources)),
    maximum_iterations=chunks,
    parallel_iterations=1,
  )
  return _joined(dx.stack(), batch), totals


def _length(x: tf.Tensor) -> int | tf.Tensor:
  """B of x [B, N]: an int where it is known, int32 [] where it is not."""
  return tf.shape(x)[0] if x.shape[0] is None else int(x.shape[0])


def _numbers(batch: int | tf.Tensor, batch_size: int) -> tf.Tensor:
  """The rows of every chunk, int32 [C, R], R <= batch_size; the last row stands in for none."""
  chunks = -(-batch // batch_size)
  chunks = max(1, chunks) if isinstance(chunks, int) else tf.maximum(1, chunks)
  size = -(-batch // chunks)
  return tf.minimum(tf.reshape(tf.range(chunks * size), [chunks, size]), batch - 1)


def _joined(part: tf.Tensor, batch: int | tf.Tensor) -> tf.Tensor:
  """[C, R, ...] -> [B, ...]."""
  return tf.reshape(part, tf.concat([[-1], tf.shape(part)[2:]], axis=0))[:batch]


def _parted(part: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
  """[B, ...] -> [C, R, ...], with zeros for rows that stand in for none."""
  missing = tf.size(rows) - tf.shape(part)[0]
  padded = tf.pad(part, [[0, missing], *([0, 0] for _ in part.shape[1:])])
  return tf.reshape(padded, tf.concat([tf.shape(rows), tf.shape(part)[1:]], axis=0))
