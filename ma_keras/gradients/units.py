"""One-hidden-layer flows with a hand-written backward pass, in x or in hidden coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.dynamics import Motion
from ma_keras.potentials.units import Units

Pair = tuple[tf.Tensor, tf.Tensor]


def solve(motion: Motion, units: Units, x: tf.Tensor) -> Pair:
  """dx/dt = W (a act'(z)), d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j), z = W'x + b.

  In hidden coordinates, where that is cheaper: x = x_0 + W u, so that du/dt = a act'(z) and
  z = z_0 + G u with G = W'W. One H x H product per stage replaces two of N x H.

  Args:
    motion: The steps; explicit methods only.
    units: Its potential's hidden layer.
    x: Points, shape [B, N].

  Returns:
    x at the end [B, N] and the change of ln p [B].
  """
  kernel, bias, a, w = units.kernel, units.bias, units.amplitude, units.curvature_weights
  loop = _Loop(motion, units)
  if not hidden_is_cheaper(units, motion, x.shape[0]):
    return _differentiable(loop, tied=True)(
      x, kernel, tf.broadcast_to(bias, [1, *bias.shape]), a, w
    )
  z = tf.matmul(x, kernel) + bias
  gram = tf.matmul(kernel, kernel, transpose_a=True)
  u, change = _differentiable(loop, tied=False)(tf.zeros_like(z), gram, z, a, w)
  return x + tf.matmul(u, kernel, transpose_b=True), change


def hidden_is_cheaper(units: Units, motion: Motion, batch_size: int | None) -> bool:
  """Multiplications per point: 2 N H per stage, or H^2 per stage, 2 N H at the ends, and G.

  G = W'W costs N H^2, shared by the batch (64 points where its size is unknown).
  """
  if not units.at_rest:
    return False
  n, h = units.kernel.shape
  stages = motion.num_steps * len(motion.tableau.b)
  return stages * h * h + 2 * n * h + n * h * h / (batch_size or 64) < stages * 2 * n * h


class _Loop:
  """The stages of every step, forwards and backwards, of state Y with z = Y M + c.

  `tied`: the velocity is q M', q = a act'(z), and Y lives where x does; otherwise it is q.
  """

  def __init__(self, motion: Motion, units: Units) -> None:
    self.motion = motion
    self.tableau = motion.tableau
    self.activation = units.activation
    self.stages = len(motion.tableau.b)
    self.frames = not units.at_rest

  def _turn(self, i: tf.Tensor, x: tf.Tensor, back: bool) -> tf.Tensor:
    """Into the frame of step i, or out of it. Orthogonal, so cotangents turn alike."""
    if not self.frames:
      return x
    frame = self.motion.interval(i, x.dtype).frame
    return frame.leave(x) if back else frame.enter(x)

  def _h(self, dtype: tf.DType) -> tf.Tensor:
    size = self.motion.step_size
    return tf.constant(-size if self.motion.reverse else size, dtype)

  def forward(
    self,
    tied: bool,
    y: tf.Tensor,
    m: tf.Tensor,
    c: tf.Tensor,
    a: tf.Tensor,
    w: tf.Tensor,
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """End, change of ln p, and what is kept: Y and act'(z) of every stage, [d, s, B, ...]."""
    d, h, transposed = self.motion.num_steps, self._h(y.dtype), tf.transpose(m)
    ys = tf.TensorArray(y.dtype, d, element_shape=[self.stages, *y.shape])
    slopes = tf.TensorArray(y.dtype, d, element_shape=[self.stages, y.shape[0], m.shape[1]])

    def advance(i: tf.Tensor, y: tf.Tensor, change: tf.Tensor, ys: Any, slopes: Any) -> tuple:
      y = self._turn(i, y, back=False)
      points: list[tf.Tensor] = []
      kept: list[tf.Tensor] = []
      velocities: list[tf.Tensor] = []
      for row in self.tableau.a:
        point = _combined(y, h, row, velocities)
        slope = self.activation.slope(tf.matmul(point, m) + c)
        q = a * slope
        velocities.append(tf.matmul(q, transposed) if tied else q)
        points.append(point)
        kept.append(slope)
      curvature = sum(b * self.activation.curvature(s) for b, s in zip(self.tableau.b, kept))
      change -= h * tf.linalg.matvec(curvature, w)
      y = self._turn(i, _combined(y, h, self.tableau.b, velocities), back=True)
      return i + 1, y, change, ys.write(i, tf.stack(points)), slopes.write(i, tf.stack(kept))

    _, y, change, ys, slopes = tf.while_loop(
      lambda i, *_: i < d,
      advance,
      (tf.constant(0), y, tf.zeros_like(y[:, 0]), ys, slopes),
      maximum_iterations=d,
    )
    return y, change, ys.stack(), slopes.stack()

  def backward(
    self,
    tied: bool,
    ys: tf.Tensor,
    slopes: tf.Tensor,
    m: tf.Tensor,
    a: tf.Tensor,
    w: tf.Tensor,
    dy: tf.Tensor,
    dchange: tf.Tensor,
  ) -> tuple[tf.Tensor, ...]:
    """Cotangents of Y at the start, of M, of c per point, of a and of w.

    The discrete adjoint of the method, stage by stage, last first; the products that make dM are
    gathered over the stages of a step.
    """
    d, h, transposed = self.motion.num_steps, self._h(dy.dtype), tf.transpose(m)
    dw_rate = -h * dchange[:, tf.newaxis]

    def pull(
      i: tf.Tensor, dy: tf.Tensor, dm: tf.Tensor, dc: tf.Tensor, da: tf.Tensor, dw: tf.Tensor
    ) -> tuple:
      dy, y, slope = self._turn(i, dy, back=False), ys[i], slopes[i]
      dpoints: list[Any] = [None] * self.stages
      dvs: list[tf.Tensor] = []
      dzs: list[tf.Tensor] = []
      for s in reversed(range(self.stages)):
        later = [(self.tableau.a[j][s], dpoints[j]) for j in range(s + 1, self.stages)]
        dv = _combined(
          (h * self.tableau.b[s]) * dy, h, [e for e, _ in later], [p for _, p in later]
        )
        dq = tf.matmul(dv, m) if tied else dv
        curvature = self.activation.curvature(slope[s])
        dl = self.tableau.b[s] * dw_rate
        dslope = a * dq + dl * (w * self.activation.curvature_slope(slope[s]))
        dz = dslope * curvature
        dpoints[s] = tf.matmul(dz, transposed)
        da += tf.reduce_sum(slope[s] * dq, axis=0)
        dw += tf.linalg.matvec(curvature, dl[:, 0], transpose_a=True)
        dvs.insert(0, dv)
        dzs.insert(0, dz)
      dz, left = tf.concat(dzs, axis=0), tf.reshape(y, [-1, m.shape[0]])
      right = dz
      if tied:
        left = tf.concat([left, *dvs], axis=0)
        right = tf.concat([dz, tf.reshape(a * slope, [-1, m.shape[1]])], axis=0)
      dm += tf.matmul(left, right, transpose_a=True)
      dy = self._turn(i, dy + sum(dpoints), back=True)
      return i - 1, dy, dm, dc + sum(dzs), da, dw

    start = (dy, tf.zeros_like(m), tf.zeros_like(slopes[0, 0]), tf.zeros_like(a), tf.zeros_like(w))
    _, *cotangents = tf.while_loop(
      lambda i, *_: i >= 0, pull, (tf.constant(d - 1), *start), maximum_iterations=d
    )
    return tuple(cotangents)


def _differentiable(loop: _Loop, tied: bool) -> Callable[..., Pair]:
  """The loop as a function of (y, M, c, a, w) with its own derivative."""

  @tf.custom_gradient
  def run(
    y: tf.Tensor, m: tf.Tensor, c: tf.Tensor, a: tf.Tensor, w: tf.Tensor
  ) -> tuple[Pair, Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]]:
    end, change, ys, slopes = loop.forward(tied, y, m, c, a, w)

    def back(dy: tf.Tensor, dchange: tf.Tensor) -> tuple[tf.Tensor, ...]:
      dstart, dm, dc, da, dw = loop.backward(tied, ys, slopes, m, a, w, dy, dchange)
      return dstart, dm, tf.reduce_sum(dc, axis=0, keepdims=True) if tied else dc, da, dw

    return (end, change), back

  return run


def _combined(
  y: tf.Tensor, h: tf.Tensor, weights: Sequence[float], rates: Sequence[tf.Tensor]
) -> tf.Tensor:
  """y + h sum_j w_j k_j, terms of zero weight left out."""
  return sum(((h * w) * rate for w, rate in zip(weights, rates) if w != 0.0), start=y)
