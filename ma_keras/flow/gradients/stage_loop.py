"""The stages of a one-hidden-layer flow in x, forwards, and backwards by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import pullback, stage_tallies
from ma_keras.flow.gradients.products import Products, rows
from ma_keras.flow.gradients.pullback import added
from ma_keras.flow.gradients.stage_data import Coefficients, Cotangents, StageValues
from ma_keras.flow.gradients.stage_tallies import StageCotangents
from ma_keras.integrators import combine
from ma_keras.potentials import overrides
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

  def tensors(self) -> pullback.Tensors:
    """Tensors of the potential, where the rest or tallies ask it for more than the layer says."""
    return self.motion.tensors() if self._keeps_points else ()

  def with_tensors(self, tensors: pullback.Tensors) -> StageLoop:
    """Returns the loop along the potential with these tensors instead."""
    if not self._keeps_points:
      return self
    motion = self.motion.with_tensors(tensors)
    layer = overrides.units(motion.potential)
    rest = None if layer is None else layer.rest
    return dataclasses.replace(self, motion=motion, units=self.units._replace(rest=rest))

  def nothing(self, x: tf.Tensor) -> Totals:
    """The totals before the first step."""
    return self.motion.nothing(x)

  def forward(
    self, x: tf.Tensor, k: Coefficients, begin: int | tf.Tensor, end: int | tf.Tensor, room: int
  ) -> tuple[tf.Tensor, Totals, Any]:
    """x after steps begin..end-1, the totals, and what is kept of `room` steps: () of none."""
    m, transposed = self.products.factor(k.m), self.products.factor(tf.transpose(k.m))
    rest = self.units.rest
    times = None if rest is None else self.motion.stage_times()
    count = len(self.motion.tableau.b)

    def advance(i: tf.Tensor, x: tf.Tensor, totals: Totals, arrays: Any) -> tuple:
      h, enter, leave = self._step(i)
      x = enter(x)
      points: list[tf.Tensor] = []
      factors: list[tf.Tensor] = []
      slopes: list[tf.Tensor] = []
      velocities: list[tf.Tensor] = []
      laplacians: list[tf.Tensor] = []  # Of the rest.
      amplitudes = tf.unstack(tf.gather(k.a, i), count)
      moments = [] if times is None else tf.unstack(tf.gather(times, i), count)
      for s, row in enumerate(self.motion.tableau.a):
        points.append(combine(x, h, row, velocities))
        factors.append(self.products.factor(points[-1]))
        slopes.append(self._act.slope(self.products(factors[-1], m, x.dtype) + k.b))
        velocities.append(self.products(amplitudes[s] * slopes[-1], transposed, x.dtype))
        if rest is not None:
          velocity, laplacian = rest.gradient_and_laplacian(moments[s], points[-1])
          velocities[-1] += velocity
          laplacians.append(laplacian)
      x = combine(x, h, self.motion.tableau.b, velocities)
      curvatures = self._act.curvature(tf.stack(slopes))
      total = tf.linalg.matvec(curvatures, tf.gather(k.w, i))
      total = total + tf.stack(laplacians) if laplacians else total
      change = -h * tf.linalg.matvec(total, self._weights(h), transpose_a=True)
      increments, residuals = stage_tallies.forward(self.motion, i, points, velocities, total)
      if room:
        at = points if self._keeps_points else factors
        stages = StageValues(tf.stack(at), tf.stack(slopes), residuals)
        arrays = tf.nest.map_structure(lambda to, part: to.write(i - begin, part), arrays, stages)
      return i + 1, leave(x), added(totals, (change, *increments)), arrays

    arrays = self._arrays(x, k.m.shape[1], room) if room else ()
    start = (tf.convert_to_tensor(begin), x, self.nothing(x), arrays)
    _, x, totals, arrays = tf.while_loop(
      lambda i, *_: i < end, advance, start, maximum_iterations=self.motion.num_steps
    )
    return x, totals, tf.nest.map_structure(lambda array: array.stack(), arrays)

  def backward(
    self,
    stages: StageValues,
    k: Coefficients,
    begin: int | tf.Tensor,
    end: int | tf.Tensor,
    cotangents: Cotangents,
    dtotals: Sequence[tf.Tensor],
    sources: pullback.Sources,
  ) -> Cotangents:
    """The cotangents before step `begin`, of those after step end-1.

    The discrete adjoint of the method, stage by stage, last first; the products that make dM are
    gathered over the stages of a step.
    """
    m, transposed = self.products.factor(k.m), self.products.factor(tf.transpose(k.m))
    rest = self.units.rest
    times = None if rest is None else self.motion.stage_times()
    count = len(self.motion.tableau.b)

    def pull(i: tf.Tensor, after: Cotangents) -> Cotangents:
      h, enter, leave = self._step(i)  # Orthogonal: cotangents turn alike.
      place = i - begin
      now = tf.nest.map_structure(lambda part: part[place], stages)
      dx, dl = enter(after.x), -h * self._weights(h)[:, tf.newaxis] * dtotals[0]
      tallied = stage_tallies.backward(
        self.motion, i, now.points, now.residuals, dtotals[1:], sources, after.sources
      )
      dl = dl if tallied is None else dl + tf.stack(tallied.laplacians)
      a, curvatures = tf.gather(k.a, i), self._act.curvature(now.slopes)
      bends = tf.gather(k.w, i)[:, tf.newaxis] * self._act.curvature_slope(now.slopes)
      dslopes = tf.unstack(dl[..., tf.newaxis] * bends, count)
      amplitudes, slopes = tf.unstack(a, count), tf.unstack(now.slopes, count)
      bent = tf.unstack(curvatures, count)
      moments = [] if times is None else tf.unstack(tf.gather(times, i), count)
      dpoints: dict[int, tf.Tensor] = {}
      dvs: dict[int, tf.Tensor] = {}
      dqs: dict[int, tf.Tensor] = {}
      dzs: dict[int, tf.Tensor] = {}
      factors: dict[int, tf.Tensor] = {}
      dsources = after.sources if tallied is None else tallied.sources
      for s in reversed(range(count)):
        dvs[s] = self._velocity_cotangent(s, h, dx, dpoints, tallied)
        dqs[s] = self.products(dvs[s], m, dx.dtype)
        dzs[s] = (amplitudes[s] * dqs[s] + dslopes[s]) * bent[s]
        factors[s] = self.products.factor(dzs[s])
        dpoints[s] = self.products(factors[s], transposed, dx.dtype)
        if rest is not None:
          at = lambda x, t=moments[s]: rest.gradient_and_laplacian(t, x)  # noqa: E731
          cotangent = (dvs[s], dl[s])
          dpoint, dsources = pullback.pulled_back(at, now.points[s], cotangent, sources, dsources)
          dpoints[s] += dpoint
        if tallied is not None and tallied.points:
          dpoints[s] += tallied.points[s]
      da = tf.stack([tf.reduce_sum(slopes[s] * dqs[s], axis=0) for s in sorted(dqs)])
      return Cotangents(
        leave(dx + sum(dpoints.values())),
        after.m + self._kernel_cotangent(now, a, factors, dvs),
        after.b + sum(dzs.values()),
        after.w.write(i, tf.linalg.matvec(curvatures, dl, transpose_a=True)),
        after.a.write(i, da),
        dsources,
      )

    return pullback.backwards(pull, begin, end, cotangents, self.motion.num_steps)

  def cotangents(self, x: tf.Tensor, k: Coefficients, sources: pullback.Sources) -> Cotangents:
    """Cotangents after the last step: dL/dx as given, all others zero."""
    m, b = tf.zeros_like(k.m), tf.zeros_like(x[:, :1] * k.b)
    w, a = pullback.step_by_step(k.w, k.a)
    return Cotangents(x, m, b, w, a, pullback.zeros(sources))

  def arguments(self, cotangents: Cotangents, k: Coefficients) -> pullback.Tensors:
    """Cotangents of x and of the coefficients, before the first step."""
    db = cotangents.b if k.b.shape[0] != 1 else tf.reduce_sum(cotangents.b, axis=0, keepdims=True)
    return cotangents.x, cotangents.m, db, cotangents.w.stack(), cotangents.a.stack()

  def _velocity_cotangent(
    self,
    s: int,
    h: tf.Tensor,
    dx: tf.Tensor,
    dpoints: dict[int, tf.Tensor],
    tallied: StageCotangents | None,
  ) -> tf.Tensor:
    """Cotangent of v_s: from the step's end, the points of later stages, and the tallies."""
    tableau = self.motion.tableau
    weights = [tableau.a[j][s] for j in dpoints]
    dv = combine((h * tableau.b[s]) * dx, h, weights, list(dpoints.values()))
    return dv if tallied is None else dv + tallied.velocities[s]

  def _kernel_cotangent(
    self, now: StageValues, a: tf.Tensor, dzs: dict[int, tf.Tensor], dvs: dict[int, tf.Tensor]
  ) -> tf.Tensor:
    """sum_s x_s' dz_s, from z = x M, and sum_s dv_s' q_s, from v = q M': one product."""
    stages, factor = sorted(dzs), self.products.factor
    left = [factor(rows(now.points)), *(factor(dvs[s]) for s in stages)]
    right = [*(dzs[s] for s in stages), factor(rows(a[:, tf.newaxis] * now.slopes))]
    return self.products(tf.concat(left, 0), tf.concat(right, 0), a.dtype, transpose_a=True)

  def _arrays(self, x: tf.Tensor, hidden_units: int, room: int) -> StageValues:
    """Empty arrays for what is kept of `room` steps."""
    s, batch = len(self.motion.tableau.b), x.shape[0]

    def array(shape: list[Any], dtype: tf.DType = x.dtype) -> tf.TensorArray:
      return tf.TensorArray(dtype, room, element_shape=shape)

    of_points = x.dtype if self._keeps_points else self.products.of(x.dtype)
    residuals = stage_tallies.shapes(self.motion, x)
    return StageValues(
      array([s, *x.shape], of_points),
      array([s, batch, hidden_units]),
      [tuple(map(array, pair)) for pair in residuals],
    )

  @property
  def _keeps_points(self) -> bool:
    """Tells if points are evaluated again on the way back, and are not only factors of products."""
    return self.units.rest is not None or bool(self.motion.tallies)

  def _weights(self, h: tf.Tensor) -> tf.Tensor:
    """b, [s]."""
    return tf.constant(self.motion.tableau.b, h.dtype)

  def _step(self, i: tf.Tensor) -> tuple[tf.Tensor, Turn, Turn]:
    """h of step i, negative on the way back; into the step's frame, and back."""
    interval = self.motion.interval(i)
    if self.units.at_rest:
      return interval.h, tf.identity, tf.identity
    return interval.h, interval.frame.enter, interval.frame.leave

  @property
  def _act(self) -> Any:
    return self.units.activation
