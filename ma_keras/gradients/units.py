"""One-hidden-layer flows with a hand-written backward pass, in x or in hidden coordinates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.integrators import combine
from ma_keras.potentials.units import Units


def solve(
  motion: Motion, units: Units, x: tf.Tensor, products: tf.DType | None = None
) -> tuple[tf.Tensor, Tallies]:
  """dx/dt = W (a act'(z)), d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j), z = W'x + b.

  In hidden coordinates, where that is cheaper: x = x_0 + W u, so that du/dt = a act'(z) and
  z = z_0 + G u with G = W'W. One H x H product per stage replaces two of N x H.

  Args:
    motion: The steps; explicit methods only.
    units: Its potential's hidden layer.
    x: Points, shape [B, N].
    products: Dtype of the factors of the matrix products of the stages, bfloat16 perhaps; that of
      x by default. Everything else stays in the dtype of x.

  Returns:
    x at the end [B, N] and the tallies [B].
  """
  a, w = units.amplitude, units.curvature_weights
  if not hidden_is_cheaper(units, motion, x.shape[0]):
    loop = _Loop(motion, units, True, products)
    return loop(x, units.kernel, units.bias[tf.newaxis], a, w)
  # Each tensor has two uses at most: a sum of three cotangents would have no fixed order.
  at_ends, within = tf.identity(units.kernel), tf.identity(units.kernel)
  z = tf.matmul(x, at_ends) + units.bias
  gram = tf.matmul(within, within, transpose_a=True)
  u, tallies = _Loop(motion, units, False, products)(tf.zeros_like(z), gram, z, a, w)
  return x + tf.matmul(u, at_ends, transpose_b=True), tallies


def hidden_is_cheaper(units: Units, motion: Motion, batch_size: int | None) -> bool:
  """Multiplications per point: 2 N H per stage, or H^2 per stage, 2 N H at the ends, and G.

  G = W'W costs N H^2, shared by the batch (64 points where its size is unknown). Frames that
  change from step to step, and a stiffness measured in x, need x itself.
  """
  if not units.at_rest or motion.stiffness:
    return False
  n, h = units.kernel.shape
  stages = motion.num_steps * len(motion.tableau.b)
  return stages * h * h + 2 * n * h + n * h * h / (batch_size or 64) < stages * 2 * n * h


class _Kept(NamedTuple):
  """What the backward pass needs of the forward one, all steps or one.

  Attributes:
    points: Y of every stage, [d, s, B, K].
    slopes: act'(z) of every stage, [d, s, B, H].
    velocity_defects: sum_i e_i v_i for every row e of the tableau, [d, rows, B, K].
    laplacian_defects: The same of the Laplacians, [d, rows, B]. Both empty without stiffness.
  """

  points: Any
  slopes: Any
  velocity_defects: Any = ()
  laplacian_defects: Any = ()


@dataclasses.dataclass(frozen=True)
class _Loop:
  """All steps of a state Y [B, K] with z = Y M + c, q = a act'(z) and velocity q M', or q.

  Attributes:
    motion: The steps.
    units: For the activation, and whether frames change.
    tied: The velocity is q M', and Y lives where x does; otherwise it is q.
    products: Dtype of the factors of matrix products; None for that of the state.
  """

  motion: Motion
  units: Units
  tied: bool
  products: tf.DType | None = None

  def __call__(
    self, y: tf.Tensor, m: tf.Tensor, c: tf.Tensor, a: tf.Tensor, w: tf.Tensor
  ) -> tuple[tf.Tensor, Tallies]:
    """The state at the end and the tallies, differentiable by all five arguments."""

    @tf.custom_gradient
    def run(y: tf.Tensor, m: tf.Tensor, c: tf.Tensor, a: tf.Tensor, w: tf.Tensor) -> Any:
      end, tallies, kept = self._forward(y, m, c, a, w)

      def back(dy: tf.Tensor, *dtallies: tf.Tensor) -> tuple[tf.Tensor, ...]:
        dstart, dm, dc, da, dw = self._backward(kept, m, a, w, dy, dtallies)
        return dstart, dm, tf.reduce_sum(dc, 0, keepdims=True) if self.tied else dc, da, dw

      return (end, *tallies), back

    end, *tallies = run(y, m, c, a, w)
    return end, tuple(tallies)

  def _forward(
    self, y: tf.Tensor, m: tf.Tensor, c: tf.Tensor, a: tf.Tensor, w: tf.Tensor
  ) -> tuple[tf.Tensor, Tallies, _Kept]:
    d, m_low, transposed = self.motion.num_steps, self._low(m), self._low(tf.transpose(m))

    def advance(i: tf.Tensor, y: tf.Tensor, tallies: Tallies, kept: _Kept) -> tuple:
      y, points, slopes = self._turned(i, y), [], []
      rates: list[tuple[tf.Tensor, tf.Tensor]] = []
      for row in self.motion.tableau.a:
        points.append(self._combined((y, tallies[0]), row, rates)[0])
        slopes.append(self._act.slope(self._product(points[-1], m_low) + c))
        q = a * slopes[-1]
        laplacian = tf.linalg.matvec(self._act.curvature(slopes[-1]), w)
        rates.append((self._product(q, transposed) if self.tied else q, -laplacian))
      y, change = self._combined((y, tallies[0]), self.motion.tableau.b, rates)
      defects, stiffness = self._defects(rates)
      found = _Kept(tf.stack(points), tf.stack(slopes), *defects)
      kept = tf.nest.map_structure(lambda array, part: array.write(i, part), kept, found)
      tallies = (change, *(total + stiffness for total in tallies[1:]))
      return i + 1, self._turned(i, y, back=True), tallies, kept

    arrays = self._arrays(y, m)
    start = (tf.constant(0), y, self.motion.nothing(y), arrays)
    _, y, tallies, arrays = tf.while_loop(lambda i, *_: i < d, advance, start, maximum_iterations=d)
    return y, tallies, tf.nest.map_structure(lambda array: array.stack(), arrays)

  def _backward(
    self,
    kept: _Kept,
    m: tf.Tensor,
    a: tf.Tensor,
    w: tf.Tensor,
    dy: tf.Tensor,
    dtallies: Sequence[tf.Tensor],
  ) -> tuple[tf.Tensor, ...]:
    """Cotangents of Y at the start, of M, of c point by point, of a and of w.

    The discrete adjoint of the method, stage by stage, last first; the products that make dM are
    gathered over the stages of a step.
    """
    tableau, h = self.motion.tableau, self._h(dy.dtype)
    m_low, transposed = self._low(m), self._low(tf.transpose(m))

    def pull(
      i: tf.Tensor, dy: tf.Tensor, dm: tf.Tensor, dc: tf.Tensor, da: tf.Tensor, dw: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
      dy, now = self._turned(i, dy), tf.nest.map_structure(lambda part: part[i], kept)
      dpoints: dict[int, tf.Tensor] = {}
      dvs: list[tf.Tensor] = []
      dzs: list[tf.Tensor] = []
      for s in reversed(range(len(tableau.b))):
        weights = [tableau.a[j][s] for j in dpoints]
        dv = combine((h * tableau.b[s]) * dy, h, weights, list(dpoints.values()))
        dl = (-h * tableau.b[s]) * dtallies[0]
        for r, e in enumerate(tableau.defects if self.motion.stiffness else ()):
          weight = (2.0 * h * h * e[s]) * dtallies[1]
          dv += weight[:, tf.newaxis] * now.velocity_defects[r]
          dl += weight * now.laplacian_defects[r]
        slope = now.slopes[s]
        dq = self._product(dv, m_low) if self.tied else dv
        curvature = self._act.curvature(slope)
        dslope = a * dq + dl[:, tf.newaxis] * (w * self._act.curvature_slope(slope))
        dz = dslope * curvature
        dpoints[s] = self._product(dz, transposed)
        da += tf.reduce_sum(slope * dq, axis=0)
        dw += tf.linalg.matvec(curvature, dl, transpose_a=True)
        dvs.insert(0, dv)
        dzs.insert(0, dz)
      dm += self._kernel_cotangent(now, a, dzs, dvs)
      return (
        i - 1,
        self._turned(i, dy + sum(dpoints.values()), back=True),
        dm,
        dc + sum(dzs),
        da,
        dw,
      )

    d = self.motion.num_steps
    zeros = [tf.zeros_like(part) for part in (m, kept.slopes[0, 0], a, w)]
    _, *cotangents = tf.while_loop(
      lambda i, *_: i >= 0, pull, (tf.constant(d - 1), dy, *zeros), maximum_iterations=d
    )
    return tuple(cotangents)

  def _kernel_cotangent(
    self, now: _Kept, a: tf.Tensor, dzs: list[tf.Tensor], dvs: list[tf.Tensor]
  ) -> tf.Tensor:
    """sum_s Y_s' dz_s, from z = Y M, and sum_s dv_s' q_s, from v = q M': one product."""
    left, right = tf.unstack(now.points), dzs
    if self.tied:
      left, right = [*left, *dvs], [*right, *tf.unstack(a * now.slopes)]
    return self._product(tf.concat(left, axis=0), tf.concat(right, axis=0), transpose_a=True)

  def _low(self, m: tf.Tensor) -> tf.Tensor:
    """A factor in the dtype of the products."""
    return m if self.products is None else tf.cast(m, self.products)

  def _product(self, x: tf.Tensor, m: tf.Tensor, transpose_a: bool = False) -> tf.Tensor:
    """x m, or x' m: factors in the dtype of the products, result in that of x."""
    return tf.cast(tf.matmul(self._low(x), self._low(m), transpose_a=transpose_a), x.dtype)

  def _defects(self, rates: list[tuple[tf.Tensor, tf.Tensor]]) -> tuple[list[tf.Tensor], Any]:
    """sum_i e_i v_i and sum_i e_i l_i for every row e, and the step's stiffness."""
    if not self.motion.stiffness:
      return [], 0.0
    velocities, laplacians = [], []
    for e in self.motion.tableau.defects:
      velocities.append(sum(w * v for w, (v, _) in zip(e, rates) if w != 0.0))
      laplacians.append(sum(-w * r for w, (_, r) in zip(e, rates) if w != 0.0))
    squares = sum(
      tf.reduce_sum(tf.square(v), axis=-1) + tf.square(l) for v, l in zip(velocities, laplacians)
    )
    h = self._h(squares.dtype)
    return [tf.stack(velocities), tf.stack(laplacians)], h * h * squares

  def _arrays(self, y: tf.Tensor, m: tf.Tensor) -> _Kept:
    """Empty arrays for what is kept."""
    s, rows = len(self.motion.tableau.b), len(self.motion.tableau.defects)
    batch = y.shape[0]
    shapes = [[s, *y.shape], [s, batch, m.shape[1]], [rows, *y.shape], [rows, batch]]
    if not self.motion.stiffness:
      shapes = shapes[:2]
    d = self.motion.num_steps
    return _Kept(*(tf.TensorArray(y.dtype, d, element_shape=shape) for shape in shapes))

  @property
  def _act(self) -> Any:
    return self.units.activation

  def _h(self, dtype: tf.DType) -> tf.Tensor:
    size = self.motion.step_size
    return tf.constant(-size if self.motion.reverse else size, dtype)

  def _combined(self, state: Any, weights: Sequence[float], rates: Sequence[Any]) -> Any:
    return combine(state, self._h(state[0].dtype), weights, rates)

  def _turned(self, i: tf.Tensor, x: tf.Tensor, back: bool = False) -> tf.Tensor:
    """x in the frame of step i, or back from it. Orthogonal, so cotangents turn alike."""
    if self.units.at_rest:
      return x
    frame = self.motion.interval(i, x.dtype).frame
    return frame.leave(x) if back else frame.enter(x)
