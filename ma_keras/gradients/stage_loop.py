"""The stages of a one-hidden-layer flow in x, forwards, and backwards by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients import pullback
from ma_keras.gradients.products import Products, rows
from ma_keras.gradients.pullback import added
from ma_keras.gradients.stage_data import Coefficients, Cotangents, Kept
from ma_keras.integrators import combine
from ma_keras.potentials.units import Units

Turn = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class StageLoop:
  """Steps of x [B, N]: dx/dt = q M' + v, with v the velocity of the rest.

  Attributes:
    motion: The steps.
    units: For the activation, the rest, and whether frames change.
    products: How matrices are multiplied.
  """

  motion: Motion
  units: Units
  products: Products

  def nothing(self, x: tf.Tensor) -> Tallies:
    """The tallies before the first step."""
    return self.motion.nothing(x)

  def forward(
    self, x: tf.Tensor, k: Coefficients, begin: int | tf.Tensor, end: int | tf.Tensor, room: int
  ) -> tuple[tf.Tensor, Tallies, Any]:
    """x after steps begin..end-1, the tallies, and what is kept of `room` steps: () of none."""
    m, transposed = self.products.factor(k.m), self.products.factor(tf.transpose(k.m))
    times = self.motion.stage_times()
    rest = None if self.units.rest is None else self.units.rest.prepared()

    def advance(i: tf.Tensor, x: tf.Tensor, tallies: Tallies, arrays: Any) -> tuple:
      h, enter, leave = self._step(i)
      x = enter(x)
      points: list[tf.Tensor] = []
      factors: list[tf.Tensor] = []
      slopes: list[tf.Tensor] = []
      velocities: list[tf.Tensor] = []
      laplacians: list[tf.Tensor] = []  # Of the rest.
      for s, row in enumerate(self.motion.tableau.a):
        points.append(combine(x, h, row, velocities))
        factors.append(self.products.factor(points[-1]))
        slopes.append(self._act.slope(self.products(factors[-1], m, x.dtype) + k.b))
        velocities.append(self.products(k.a[i, s] * slopes[-1], transposed, x.dtype))
        if rest is not None:
          velocity, laplacian = rest.gradient_and_laplacian(times[i, s], points[-1])
          velocities[-1] += velocity
          laplacians.append(laplacian)
      x = combine(x, h, self.motion.tableau.b, velocities)
      curvatures = self._act.curvature(tf.stack(slopes))
      total = tf.linalg.matvec(curvatures, k.w[i])
      total = total + tf.stack(laplacians) if laplacians else total
      increments, defects = self._tallied(h, velocities, total)
      if room:
        found = Kept(tf.stack(factors if rest is None else points), tf.stack(slopes), *defects)
        arrays = tf.nest.map_structure(lambda to, part: to.write(i - begin, part), arrays, found)
      return i + 1, leave(x), added(tallies, tuple(increments)), arrays

    arrays = self._arrays(x, k.m.shape[1], room) if room else ()
    start = (tf.convert_to_tensor(begin), x, self.nothing(x), arrays)
    _, x, tallies, arrays = tf.while_loop(
      lambda i, *_: i < end, advance, start, maximum_iterations=self.motion.num_steps
    )
    return x, tallies, tf.nest.map_structure(lambda array: array.stack(), arrays)

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
    m, transposed = self.products.factor(k.m), self.products.factor(tf.transpose(k.m))
    times, rest = self.motion.stage_times(), self.units.rest

    def pull(i: tf.Tensor, after: Cotangents) -> Cotangents:
      h, enter, leave = self._step(i)  # Orthogonal: cotangents turn alike.
      now = tf.nest.map_structure(lambda part: part[i - begin], kept)
      dx, dl = enter(after.x), self._laplacian_cotangents(h, now, dtallies)
      a, curvatures = k.a[i], self._act.curvature(now.slopes)
      bends = k.w[i][:, tf.newaxis] * self._act.curvature_slope(now.slopes)
      dslopes = dl[..., tf.newaxis] * bends
      dpoints: dict[int, tf.Tensor] = {}
      dvs: dict[int, tf.Tensor] = {}
      dqs: dict[int, tf.Tensor] = {}
      dzs: dict[int, tf.Tensor] = {}
      factors: dict[int, tf.Tensor] = {}
      dvariables = after.variables
      for s in reversed(range(len(self.motion.tableau.b))):
        dvs[s] = self._velocity_cotangent(s, h, dx, dpoints, now, dtallies)
        dqs[s] = self.products(dvs[s], m, dx.dtype)
        dzs[s] = (a[s] * dqs[s] + dslopes[s]) * curvatures[s]
        factors[s] = self.products.factor(dzs[s])
        dpoints[s] = self.products(factors[s], transposed, dx.dtype)
        if rest is not None:
          # Prepared within the tape: what depends on the variables alone has a derivative, too.
          at = lambda x, t=times[i, s]: rest.prepared().gradient_and_laplacian(t, x)  # noqa: E731
          cotangent = (dvs[s], dl[s])
          dpoint, dvariables = pullback.pulled_back(
            at, now.points[s], cotangent, variables, dvariables
          )
          dpoints[s] += dpoint
      da = tf.stack([tf.reduce_sum(now.slopes[s] * dqs[s], axis=0) for s in sorted(dqs)])
      return Cotangents(
        leave(dx + sum(dpoints.values())),
        after.m + self._kernel_cotangent(now, a, factors, dvs),
        after.b + sum(dzs.values()),
        after.w.write(i, tf.linalg.matvec(curvatures, dl, transpose_a=True)),
        after.a.write(i, da),
        dvariables,
      )

    return pullback.backwards(pull, begin, end, cotangents, self.motion.num_steps)

  def cotangents(
    self, x: tf.Tensor, k: Coefficients, variables: Sequence[tf.Variable]
  ) -> Cotangents:
    """Those after the last step, of which that of x is given."""
    m, b = tf.zeros_like(k.m), tf.zeros_like(x[:, :1] * k.b)
    w, a = pullback.step_by_step(k.w, k.a)
    return Cotangents(x, m, b, w, a, pullback.zeros(variables))

  def arguments(self, found: Cotangents, k: Coefficients) -> pullback.Tensors:
    """Those of x and of the coefficients, before the first step."""
    del k
    db = tf.reduce_sum(found.b, axis=0, keepdims=True)
    return found.x, found.m, db, found.w.stack(), found.a.stack()

  def _velocity_cotangent(
    self,
    s: int,
    h: tf.Tensor,
    dx: tf.Tensor,
    dpoints: dict[int, tf.Tensor],
    now: Kept,
    dtallies: Sequence[tf.Tensor],
  ) -> tf.Tensor:
    """Of stage s: from the step's end, from the points of later stages, and from the stiffness."""
    tableau = self.motion.tableau
    weights = [tableau.a[j][s] for j in dpoints]
    dv = combine((h * tableau.b[s]) * dx, h, weights, list(dpoints.values()))
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
    """sum_s x_s' dz_s, from z = x M, and sum_s dv_s' q_s, from v = q M': one product."""
    stages, factor = sorted(dzs), self.products.factor
    left = [factor(rows(now.points)), *(factor(dvs[s]) for s in stages)]
    right = [*(dzs[s] for s in stages), factor(rows(a[:, tf.newaxis] * now.slopes))]
    return self.products(tf.concat(left, 0), tf.concat(right, 0), a.dtype, transpose_a=True)

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

  def _arrays(self, x: tf.Tensor, hidden_units: int, room: int) -> Kept:
    """Empty arrays for what is kept of `room` steps."""
    s, rows, batch = len(self.motion.tableau.b), len(self.motion.tableau.defects), x.shape[0]
    shapes = [[s, *x.shape], [s, batch, hidden_units], [rows, *x.shape], [rows, batch]]
    kept = shapes if self.motion.stiffness else shapes[:2]
    # A rest is evaluated at the points again; without, they are factors of products and no more.
    of_points = self.products.of(x.dtype) if self.units.rest is None else x.dtype
    dtypes = [of_points, *(3 * [x.dtype])]
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
