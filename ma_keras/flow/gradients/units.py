"""One-hidden-layer flows, in x or in hidden coordinates, whichever multiplies less."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import chunks, hidden_loop, on_demand, pullback, stage_data
from ma_keras.flow.gradients.hidden_loop import HiddenLoop
from ma_keras.flow.gradients.products import Products
from ma_keras.flow.gradients.pullback import Tensors
from ma_keras.flow.gradients.stage_loop import StageLoop
from ma_keras.potentials import overrides
from ma_keras.potentials.units import Units

# One product of H x H runs nearer the processor's peak than two of half its size.
ONE_PRODUCT_FOR_TWO = 1.05
# Numbers in one array [rows, max(N, H)] of a pass that keeps nothing: enough of them to make up
# for starting its operations, and few enough to stay in a cache. Accelerators start later.
CHUNK = {'CPU': 2**20, 'other': 2**24}


class Loop(Protocol):
  """Stages with a backward pass by hand; coefficients k and cotangents are the loop's own."""

  @property
  def motion(self) -> Motion:
    """The steps."""

  def tensors(self) -> Tensors:
    """Tensors of the potential that the steps ask for beside the coefficients."""

  def with_tensors(self, tensors: Tensors) -> Loop:
    """Returns the loop with these tensors instead."""

  def nothing(self, y: tf.Tensor) -> Totals:
    """The totals before the first step."""

  def forward(
    self, y: tf.Tensor, k: Any, begin: int | tf.Tensor, end: int | tf.Tensor, room: int
  ) -> tuple[tf.Tensor, Totals, Any]:
    """The state after steps begin..end-1, the totals, and what is kept of `room` steps."""

  def cotangents(self, y: tf.Tensor, k: Any, sources: pullback.Sources) -> Any:
    """Cotangents after the last step: of the state as given, all others zero."""

  def backward(
    self,
    stages: Any,
    k: Any,
    begin: int | tf.Tensor,
    end: int | tf.Tensor,
    cotangents: Any,
    dtotals: Tensors,
    sources: pullback.Sources,
  ) -> Any:
    """The cotangents before step `begin`, of those after step end-1."""

  def arguments(self, cotangents: Any, k: Any) -> Tensors:
    """Cotangents of the state and of the coefficients, before the first step."""


def solve(
  motion: Motion,
  x: tf.Tensor,
  products: tf.DType | None = None,
  segment: int | None = None,
) -> tuple[tf.Tensor, Totals]:
  """dx/dt = W (a act'(z)) + v, d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j) - l, z = W'x + b.

  v and l are those of the rest, where there is one. Without, and where it is cheaper, the flow
  runs in hidden coordinates: see `_in_hidden_coordinates`. Where no tape records nothing is kept,
  and many points are taken some at a time.

  Args:
    motion: The steps along a potential that has `units`; explicit methods only.
    x: Points, shape [B, N].
    products: Dtype of the factors of the matrix products of the stages, bfloat16 perhaps; that of
      x by default. Everything else stays in the dtype of x.
    segment: Keep the state before every so many steps, and compute the rest again; by default
      every stage is kept.

  Returns:
    x at the end [B, N] and the totals [B].
  """
  factors = Products(products)
  run = functools.partial(_run, segment=segment)
  if on_demand.recording():
    return _stepped(motion, x, factors, run)

  def storing(motion: Motion, x: tf.Tensor) -> Tensors:
    y, totals = _stepped(motion, x, factors, run)
    return y, *totals

  def lean(motion: Motion, x: tf.Tensor) -> Tensors:
    def of_rows(motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
      return _stepped(motion, x, factors, _unkept)

    return chunks.in_turn(of_rows, motion, x, chunk_size(_layer(motion)))

  y, *totals = on_demand.on_demand(storing, lean, motion, x)
  return y, tuple(totals)


def _layer(motion: Motion) -> Units:
  """The hidden layer of the potential, which has one."""
  units = overrides.units(motion.potential)
  assert units is not None
  return units


def chunk_size(units: Units) -> int:
  """Rows to take at a time where nothing is kept."""
  devices = {device.device_type for device in tf.config.list_logical_devices()}
  numbers = CHUNK['CPU' if devices == {'CPU'} else 'other']
  return max(1, numbers // max(units.kernel.shape))


# (loop, state, coefficients) -> the state at the end and the totals.
Run = Callable[[Loop, tf.Tensor, Any], tuple[tf.Tensor, Totals]]


def _stepped(
  motion: Motion, x: tf.Tensor, products: Products, run: Run
) -> tuple[tf.Tensor, Totals]:
  """x at the end and the totals, in the coordinates that cost less."""
  motion = motion.prepared()
  units = _layer(motion)
  if hidden_is_cheaper(units, motion, x.shape[0]):
    return _in_hidden_coordinates(units, motion, x, products, run)
  a = units.amplitude(motion.stage_times())
  bias = units.bias[tf.newaxis] if units.bias.shape.rank == 1 else units.bias
  k = stage_data.Coefficients(units.kernel, bias, a * units.squared_norms, a)
  return run(StageLoop(motion, units, products), x, k)


def _in_hidden_coordinates(
  units: Units, motion: Motion, x: tf.Tensor, products: Products, run: Run
) -> tuple[tf.Tensor, Totals]:
  """dz/dt = q G, q = a act'(z) and G = W'W, from z = W'x + b; x moves by W times the integral of q.

  One H x H product per stage replaces two of N x H. Amplitudes that do not vary in time are
  multiplied into G, once.
  """
  # Each tensor has two uses at most: a sum of three cotangents would have no fixed order.
  at_ends, within = tf.identity(units.kernel), tf.identity(units.kernel)
  z = tf.matmul(x, at_ends) + units.bias
  gram = tf.matmul(within, within, transpose_a=True)
  times = motion.stage_times()
  a = units.amplitude(times)
  w = a * units.squared_norms
  if units.steady:
    once = units.amplitude(times[0, 0])
    ones = tf.fill(tf.concat([tf.shape(times), [1]], axis=0), tf.ones([], a.dtype))
    k = hidden_loop.Coefficients(once[:, tf.newaxis] * gram, w, ones)
  else:
    k = hidden_loop.Coefficients(gram, w, a)
  loop = HiddenLoop(motion, units.activation, units.steady, products)
  _, (change, moved) = run(loop, z, k)
  moved = once * moved if units.steady else moved
  return x + tf.matmul(moved, at_ends, transpose_b=True), (change,)


def hidden_is_cheaper(units: Units, motion: Motion, batch_size: int | None) -> bool:
  """Multiplications per point: 2 N H per stage, or H^2 per stage, 2 N H at the ends, and G.

  G = W'W costs N H^2, shared by the batch (64 points where its size is unknown, and 16 steps
  where theirs is). Frames that change from step to step, tallies, which are of x, and other terms
  of a sum need x itself.
  """
  if not units.at_rest or motion.tallies or units.rest is not None:
    return False
  n, h = units.kernel.shape
  num_steps = 16 if tf.is_tensor(motion.num_steps) else motion.num_steps
  stages = num_steps * len(motion.tableau.b)
  hidden = stages * h * h + 2 * n * h + n * h * h / (batch_size or 64)
  return hidden < ONE_PRODUCT_FOR_TWO * stages * 2 * n * h


def _run(
  loop: Loop, y: tf.Tensor, coefficients: Any, segment: int | None
) -> tuple[tf.Tensor, Totals]:
  """Y at the end and the totals, differentiable by Y, the coefficients and the loop's sources."""
  drive = _stored if segment is None else functools.partial(_recomputed, segment=segment)

  def solve(tensors: Tensors, y: tf.Tensor, *parts: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    k, along = type(coefficients)(*parts), loop.with_tensors(tensors)
    end, totals, through = drive(along, y, k)

    def pull(doutputs: Tensors, sources: list[Any]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtotals = doutputs
      cotangents = through(along.cotangents(dy, k, sources), dtotals, sources)
      return along.arguments(cotangents, k), cotangents.sources

    return (end, *totals), pull

  end, *totals = pullback.differentiable(solve, loop.tensors(), y, *coefficients)
  return end, tuple(totals)


def _unkept(loop: Loop, y: tf.Tensor, coefficients: Any) -> tuple[tf.Tensor, Totals]:
  """Y at the end and the totals, with nothing kept on the way."""
  end, totals, _ = loop.forward(y, coefficients, 0, loop.motion.num_steps, room=0)
  return end, totals


# (cotangents, those of the totals, sources) -> cotangents before the first step.
Through = Callable[[Any, Tensors, list[Any]], Any]


def _stored(loop: Loop, y: tf.Tensor, k: Any) -> tuple[tf.Tensor, Totals, Through]:
  """All steps at once, every stage kept."""
  d = loop.motion.num_steps
  end, totals, stages = loop.forward(y, k, 0, d, room=d)
  return end, totals, lambda after, dt, sources: loop.backward(stages, k, 0, d, after, dt, sources)


def _recomputed(
  loop: Loop, y: tf.Tensor, k: Any, segment: int
) -> tuple[tf.Tensor, Totals, Through]:
  """Segment by segment: only the states before each are kept."""
  d = loop.motion.num_steps
  size = min(segment, d)

  def forward(
    y: tf.Tensor, totals: Totals, begin: tf.Tensor, end: tf.Tensor
  ) -> tuple[tf.Tensor, Totals]:
    y, increments, _ = loop.forward(y, k, begin, end, room=0)
    return y, pullback.added(totals, increments)

  end, totals, pull = pullback.segmented(forward, y, loop.nothing(y), d, size)

  def through(after: Any, dtotals: Tensors, sources: list[Any]) -> Any:
    def back(y: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, after: Any) -> Any:
      _, _, stages = loop.forward(y, k, begin, end, room=size)
      return loop.backward(stages, k, begin, end, after, dtotals, sources)

    return pull(after, back)

  return end, totals, through
