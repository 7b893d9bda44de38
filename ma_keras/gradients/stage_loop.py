"""All stages of a one-hidden-layer flow, forwards, and backwards by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.integrators import combine
from ma_keras.potentials.units import Units

Turn = Callable[[tf.Tensor], tf.Tensor]


class Kept(NamedTuple):
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
class StageLoop:
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
  ) -> tuple[tf.Tensor, Tallies, Kept]:
    d, m_low, transposed = self.motion.num_steps, self._low(m), self._low(tf.transpose(m))

    def advance(i: tf.Tensor, y: tf.Tensor, tallies: Tallies, kept: Kept) -> tuple:
      enter, leave = self._frame(i, y.dtype)
      y, points = enter(y), []
      slopes: list[tf.Tensor] = []
      velocities: list[tf.Tensor] = []
      for row in self.motion.tableau.a:
        points.append(combine(y, self._h(y.dtype), row, velocities))
        slopes.append(self._act.slope(self._product(points[-1], m_low) + c))
        q = a * slopes[-1]
        velocities.append(self._product(q, transposed) if self.tied else q)
      y = combine(y, self._h(y.dtype), self.motion.tableau.b, velocities)
      found = Kept(tf.stack(points), tf.stack(slopes))
      increments, defects = self._tallied(velocities, found.slopes, w)
      found = Kept(found.points, found.slopes, *defects)
      kept = tf.nest.map_structure(lambda array, part: array.write(i, part), kept, found)
      tallies = tuple(total + increment for total, increment in zip(tallies, increments))
      return i + 1, leave(y), tallies, kept

    arrays = self._arrays(y, m)
    start = (tf.constant(0), y, self.motion.nothing(y), arrays)
    _, y, tallies, arrays = tf.while_loop(lambda i, *_: i < d, advance, start, maximum_iterations=d)
    return y, tallies, tf.nest.map_structure(lambda array: array.stack(), arrays)

  def _backward(
    self,
    kept: Kept,
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
    m_low, transposed = self._low(m), self._low(tf.transpose(m))

    def pull(
      i: tf.Tensor, dy: tf.Tensor, dm: tf.Tensor, dc: tf.Tensor, da: tf.Tensor, dw: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
      enter, leave = self._frame(i, dy.dtype)  # Orthogonal: cotangents turn alike.
      dy, now = enter(dy), tf.nest.map_structure(lambda part: part[i], kept)
      dl, curvatures = self._laplacian_cotangents(now, dtallies), self._act.curvature(now.slopes)
      dslopes = dl[..., tf.newaxis] * (w * self._act.curvature_slope(now.slopes))
      dpoints: dict[int, tf.Tensor] = {}
      dvs: dict[int, tf.Tensor] = {}
      dqs: dict[int, tf.Tensor] = {}
      dzs: dict[int, tf.Tensor] = {}
      for s in reversed(range(len(self.motion.tableau.b))):
        dvs[s] = self._velocity_cotangent(s, dy, dpoints, now, dtallies)
        dqs[s] = self._product(dvs[s], m_low) if self.tied else dvs[s]
        dzs[s] = (a * dqs[s] + dslopes[s]) * curvatures[s]
        dpoints[s] = self._product(dzs[s], transposed)
      dq, dv, dz = (tf.stack([part[s] for s in sorted(part)]) for part in (dqs, dvs, dzs))
      dm += self._kernel_cotangent(now, a, dz, dv)
      da += tf.reduce_sum(now.slopes * dq, axis=[0, 1])
      dw += tf.linalg.matvec(_rows(curvatures), tf.reshape(dl, [-1]), transpose_a=True)
      dy = leave(dy + sum(dpoints.values()))
      return i - 1, dy, dm, dc + tf.reduce_sum(dz, axis=0), da, dw

    d = self.motion.num_steps
    zeros = [tf.zeros_like(part) for part in (m, kept.slopes[0, 0], a, w)]
    _, *cotangents = tf.while_loop(
      lambda i, *_: i >= 0, pull, (tf.constant(d - 1), dy, *zeros), maximum_iterations=d
    )
    return tuple(cotangents)

  def _velocity_cotangent(
    self,
    s: int,
    dy: tf.Tensor,
    dpoints: dict[int, tf.Tensor],
    now: Kept,
    dtallies: Sequence[tf.Tensor],
  ) -> tf.Tensor:
    """Of stage s: from the step's end, from the points of later stages, and from the stiffness."""
    tableau, h = self.motion.tableau, self._h(dy.dtype)
    weights = [tableau.a[j][s] for j in dpoints]
    dv = combine((h * tableau.b[s]) * dy, h, weights, list(dpoints.values()))
    for r, e in enumerate(tableau.defects if self.motion.stiffness else ()):
      dv += (2.0 * h * h * e[s]) * dtallies[1][:, tf.newaxis] * now.velocity_defects[r]
    return dv

  def _laplacian_cotangents(self, now: Kept, dtallies: Sequence[tf.Tensor]) -> tf.Tensor:
    """Of all stages, [s, B]: the change of ln p is -h sum_s b_s l_s."""
    dchange = dtallies[0]
    h, b = self._h(dchange.dtype), tf.constant(self.motion.tableau.b, dchange.dtype)
    dl = -h * b[:, tf.newaxis] * dchange
    if self.motion.stiffness:
      e = tf.constant(self.motion.tableau.defects, dchange.dtype)
      dl += 2.0 * h * h * tf.matmul(e, now.laplacian_defects * dtallies[1], transpose_a=True)
    return dl

  def _kernel_cotangent(self, now: Kept, a: tf.Tensor, dz: tf.Tensor, dv: tf.Tensor) -> tf.Tensor:
    """sum_s Y_s' dz_s, from z = Y M, and sum_s dv_s' q_s, from v = q M': one product."""
    left, right = now.points, dz
    if self.tied:
      left, right = tf.concat([left, dv], axis=0), tf.concat([right, a * now.slopes], axis=0)
    return self._product(_rows(left), _rows(right), transpose_a=True)

  def _low(self, m: tf.Tensor) -> tf.Tensor:
    """A factor in the dtype of the products."""
    return m if self.products is None else tf.cast(m, self.products)

  def _product(self, x: tf.Tensor, m: tf.Tensor, transpose_a: bool = False) -> tf.Tensor:
    """x m, or x' m: factors in the dtype of the products, result in that of x."""
    return tf.cast(tf.matmul(self._low(x), self._low(m), transpose_a=transpose_a), x.dtype)

  def _tallied(
    self, velocities: list[tf.Tensor], slopes: tf.Tensor, w: tf.Tensor
  ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """What the step adds to the tallies; defects sum_i e_i v_i and sum_i e_i l_i, if asked for."""
    laplacians = tf.linalg.matvec(_rows(self._act.curvature(slopes)), w)
    laplacians = tf.reshape(laplacians, tf.shape(slopes)[:2])
    h, b = self._h(w.dtype), tf.constant(self.motion.tableau.b, w.dtype)
    change = -h * tf.linalg.matvec(laplacians, b, transpose_a=True)
    if not self.motion.stiffness:
      return [change], []
    rows = self.motion.tableau.defects
    nothing = tf.zeros_like(velocities[0])
    of_velocity = tf.stack([combine(nothing, tf.ones([], w.dtype), e, velocities) for e in rows])
    of_laplacian = tf.matmul(tf.constant(rows, w.dtype), laplacians)
    squares = tf.reduce_sum(tf.square(of_velocity), axis=-1) + tf.square(of_laplacian)
    return [change, h * h * tf.reduce_sum(squares, axis=0)], [of_velocity, of_laplacian]

  def _arrays(self, y: tf.Tensor, m: tf.Tensor) -> Kept:
    """Empty arrays for what is kept."""
    s, rows = len(self.motion.tableau.b), len(self.motion.tableau.defects)
    batch = y.shape[0]
    shapes = [[s, *y.shape], [s, batch, m.shape[1]], [rows, *y.shape], [rows, batch]]
    if not self.motion.stiffness:
      shapes = shapes[:2]
    d = self.motion.num_steps
    return Kept(*(tf.TensorArray(y.dtype, d, element_shape=shape) for shape in shapes))

  @property
  def _act(self) -> Any:
    return self.units.activation

  def _h(self, dtype: tf.DType) -> tf.Tensor:
    size = self.motion.step_size
    return tf.constant(-size if self.motion.reverse else size, dtype)

  def _frame(self, i: tf.Tensor, dtype: tf.DType) -> tuple[Turn, Turn]:
    """Into the frame of step i, and back."""
    if self.units.at_rest:
      return tf.identity, tf.identity
    frame = self.motion.interval(i, dtype).frame
    return frame.enter, frame.leave


def _rows(x: tf.Tensor) -> tf.Tensor:
  """[s, B, K] -> [s B, K]."""
  return tf.reshape(x, [-1, x.shape[-1]])
