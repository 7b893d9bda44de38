"""The stages of a one-hidden-layer flow, forwards, and backwards by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients import pullback
from ma_keras.gradients.pullback import added
from ma_keras.gradients.stage_data import Coefficients, Cotangents, Kept
from ma_keras.integrators import combine
from ma_keras.potentials.units import Units

Turn = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class StageLoop:
  """Steps of a state Y [B, K].

  Attributes:
    motion: The steps.
    units: For the activation, the rest, and whether frames change.
    tied: The velocity is q M' and that of the rest, and Y lives where x does; otherwise it is q.
    products: Dtype of the factors of matrix products; None for that of the state.
  """

  motion: Motion
  units: Units
  tied: bool
  products: tf.DType | None = None

  def forward(
    self, y: tf.Tensor, k: Coefficients, begin: int | tf.Tensor, end: int | tf.Tensor, room: int
  ) -> tuple[tf.Tensor, Tallies, Kept]:
    """Y after steps begin..end-1, the tallies, and what is kept of `room` steps, if any."""
    m, transposed = self._low(k.m), self._low(tf.transpose(k.m))
    times = self.motion.stage_times()
    rest = None if self.units.rest is None else self.units.rest.prepared()

    def advance(i: tf.Tensor, y: tf.Tensor, tallies: Tallies, arrays: Kept) -> tuple:
      h, enter, leave = self._step(i)
      y = enter(y)
      points: list[tf.Tensor] = []
      factors: list[tf.Tensor] = []
      slopes: list[tf.Tensor] = []
      velocities: list[tf.Tensor] = []
      laplacians: list[tf.Tensor] = []  # Of the rest.
      for s, row in enumerate(self.motion.tableau.a):
        points.append(combine(y, h, row, velocities))
        factors.append(self._low(points[-1]))
        slopes.append(self._act.slope(self._product(factors[-1], m) + k.c))
        q = k.a[i, s] * slopes[-1]
        velocities.append(self._product(q, transposed) if self.tied else q)
        if rest is not None:
          velocity, laplacian = rest.gradient_and_laplacian(times[i, s], points[-1])
          velocities[-1] += velocity
          laplacians.append(laplacian)
      y = combine(y, h, self.motion.tableau.b, velocities)
      curvatures = self._act.curvature(tf.stack(slopes))
      total = tf.linalg.matvec(curvatures, k.a[i] * k.n)
      total = total + tf.stack(laplacians) if laplacians else total
      increments, defects = self._tallied(h, velocities, total)
      if room:
        found = Kept(tf.stack(factors if rest is None else points), tf.stack(slopes), *defects)
        arrays = tf.nest.map_structure(lambda to, part: to.write(i - begin, part), arrays, found)
      return i + 1, leave(y), added(tallies, tuple(increments)), arrays

    arrays = self._arrays(y, k.m, room)
    start = (tf.convert_to_tensor(begin), y, self.motion.nothing(y), arrays)
    _, y, tallies, arrays = tf.while_loop(
      lambda i, *_: i < end, advance, start, maximum_iterations=self.motion.num_steps
    )
    return y, tallies, tf.nest.map_structure(lambda array: array.stack(), arrays)

  def backward(
    self,
    kept: Kept,
    k: Coefficients,
    begin: int | tf.Tensor,
    end: int | tf.Tensor,
    cotangents: Cotangents,
    dtallies: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
  ) -> Cotangents:
    """The cotangents before step `begin`, of those after step end-1.

    The discrete adjoint of the method, stage by stage, last first; the products that make dM are
    gathered over the stages of a step.
    """
    m, transposed = self._low(k.m), self._low(tf.transpose(k.m))
    times, rest = self.motion.stage_times(), self.units.rest

    def pull(i: tf.Tensor, after: Cotangents) -> Cotangents:
      h, enter, leave = self._step(i)  # Orthogonal: cotangents turn alike.
      now = tf.nest.map_structure(lambda part: part[i - begin], kept)
      dy, dl = enter(after.y), self._laplacian_cotangents(h, now, dtallies)
      a, curvatures = k.a[i], self._act.curvature(now.slopes)
      weights = (a * k.n)[:, tf.newaxis]
      dslopes = dl[..., tf.newaxis] * (weights * self._act.curvature_slope(now.slopes))
      dpoints: dict[int, tf.Tensor] = {}
      dvs: dict[int, tf.Tensor] = {}
      dqs: dict[int, tf.Tensor] = {}
      dzs: dict[int, tf.Tensor] = {}
      factors: dict[int, tf.Tensor] = {}
      dvariables = after.variables
      for s in reversed(range(len(self.motion.tableau.b))):
        dvs[s] = self._velocity_cotangent(s, h, dy, dpoints, now, dtallies)
        dqs[s] = self._product(dvs[s], m) if self.tied else dvs[s]
        dzs[s] = (a[s] * dqs[s] + dslopes[s]) * curvatures[s]
        factors[s] = self._low(dzs[s])
        dpoints[s] = self._product(factors[s], transposed)
        if rest is not None:
          # Prepared within the tape: what depends on the variables alone has a derivative, too.
          at = lambda x, t=times[i, s]: rest.prepared().gradient_and_laplacian(t, x)  # noqa: E731
          cotangent = (dvs[s], dl[s])
          dpoint, dvariables = pullback.pulled_back(
            at, now.points[s], cotangent, variables, dvariables
          )
          dpoints[s] += dpoint
      da = tf.stack([tf.reduce_sum(now.slopes[s] * dqs[s], axis=0) for s in sorted(dqs)])
      dweights = tf.linalg.matvec(curvatures, dl, transpose_a=True)  # Weights: a n, [s, H].
      return Cotangents(
        leave(dy + sum(dpoints.values())),
        after.m + self._kernel_cotangent(now, a, factors, dvs),
        after.c + sum(dzs.values()),
        after.a.write(i, da + k.n * dweights),
        after.n + tf.reduce_sum(a * dweights, axis=0),
        dvariables,
      )

    return pullback.backwards(pull, begin, end, cotangents, self.motion.num_steps)

  def _velocity_cotangent(
    self,
    s: int,
    h: tf.Tensor,
    dy: tf.Tensor,
    dpoints: dict[int, tf.Tensor],
    now: Kept,
    dtallies: Sequence[tf.Tensor],
  ) -> tf.Tensor:
    """Of stage s: from the step's end, from the points of later stages, and from the stiffness."""
    tableau = self.motion.tableau
    weights = [tableau.a[j][s] for j in dpoints]
    dv = combine((h * tableau.b[s]) * dy, h, weights, list(dpoints.values()))
    for r, e in enumerate(tableau.defects if self.motion.stiffness else ()):
      dv += (2.0 * h * h * e[s]) * dtallies[1][:, tf.newaxis] * now.velocity_defects[r]
    return dv

  def _laplacian_cotangents(
    self, h: tf.Tensor, now: Kept, dtallies: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """Of all stages, [s, B]: the change of ln p is -h sum_s b_s l_s."""
    dchange, b = dtallies[0], tf.constant(self.motion.tableau.b, h.dtype)
    dl = -h * b[:, tf.newaxis] * dchange
    if self.motion.stiffness:
      e = tf.constant(self.motion.tableau.defects, h.dtype)
      dl += 2.0 * h * h * tf.matmul(e, now.laplacian_defects * dtallies[1], transpose_a=True)
    return dl

  def _kernel_cotangent(
    self, now: Kept, a: tf.Tensor, dzs: dict[int, tf.Tensor], dvs: dict[int, tf.Tensor]
  ) -> tf.Tensor:
    """sum_s Y_s' dz_s, from z = Y M, and sum_s dv_s' q_s, from v = q M': one product."""
    stages = sorted(dzs)
    left, right = [self._low(_rows(now.points))], [dzs[s] for s in stages]
    if self.tied:
      left += [self._low(dvs[s]) for s in stages]
      right += [self._low(_rows(a[:, tf.newaxis] * now.slopes))]
    return self._product(tf.concat(left, 0), tf.concat(right, 0), transpose_a=True)

  def _low(self, m: tf.Tensor) -> tf.Tensor:
    """A factor in the dtype of the products."""
    return m if self.products is None else tf.cast(m, self.products)

  def _product(self, x: tf.Tensor, m: tf.Tensor, transpose_a: bool = False) -> tf.Tensor:
    """x m, or x' m: factors in the dtype of the products, result in that of the state."""
    product = tf.matmul(self._low(x), self._low(m), transpose_a=transpose_a)
    return tf.cast(product, self.units.kernel.dtype)

  def _tallied(
    self, h: tf.Tensor, velocities: list[tf.Tensor], laplacians: tf.Tensor
  ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """What the step adds to the tallies; defects sum_i e_i v_i and sum_i e_i l_i, if asked for."""
    b = tf.constant(self.motion.tableau.b, h.dtype)
    change = -h * tf.linalg.matvec(laplacians, b, transpose_a=True)
    if not self.motion.stiffness:
      return [change], []
    rows = self.motion.tableau.defects
    nothing, one = tf.zeros_like(velocities[0]), tf.ones([], h.dtype)
    of_velocity = tf.stack([combine(nothing, one, e, velocities) for e in rows])
    of_laplacian = tf.matmul(tf.constant(rows, h.dtype), laplacians)
    squares = tf.reduce_sum(tf.square(of_velocity), axis=-1) + tf.square(of_laplacian)
    return [change, h * h * tf.reduce_sum(squares, axis=0)], [of_velocity, of_laplacian]

  def _arrays(self, y: tf.Tensor, m: tf.Tensor, room: int) -> Kept:
    """Empty arrays for what is kept of `room` steps."""
    s, rows, batch = len(self.motion.tableau.b), len(self.motion.tableau.defects), y.shape[0]
    shapes = [[s, *y.shape], [s, batch, m.shape[1]], [rows, *y.shape], [rows, batch]]
    kept = shapes if self.motion.stiffness else shapes[:2]
    # A rest is evaluated at the points again; without, they are factors of products and no more.
    of_points = self.products if self.products and self.units.rest is None else y.dtype
    dtypes = [of_points, *(3 * [y.dtype])]
    return Kept(*(tf.TensorArray(t, room, element_shape=shape) for t, shape in zip(dtypes, kept)))

  def _step(self, i: tf.Tensor) -> tuple[tf.Tensor, Turn, Turn]:
    """h of step i, negative on the way back; into the step's frame, and back."""
    there = self.motion.interval(i)
    if self.units.at_rest:
      return there.h, tf.identity, tf.identity
    return there.h, there.frame.enter, there.frame.leave

  @property
  def _act(self) -> Any:
    return self.units.activation


def _rows(x: tf.Tensor) -> tf.Tensor:
  """[s, B, K] -> [s B, K]."""
  return tf.reshape(x, [-1, x.shape[-1]])
