"""The stages of a one-hidden-layer flow in hidden coordinates, forwards, and backwards by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import pullback
from ma_keras.flow.gradients.products import Products, rows
from ma_keras.integrators import combine
from ma_keras.potentials.activations import Activation


class Coefficients(NamedTuple):
  """dz/dt = q M, q = a act'(z); Laplacian sum_j w_j act''(z_j).

  Attributes:
    m: M, [H, H].
    w: Of every stage of the motion, [d, s, H].
    a: Of every stage, [d, s, H]; or ones, [d, s, 1], where M holds the amplitudes.
  """

  m: tf.Tensor
  w: tf.Tensor
  a: tf.Tensor


class Cotangents(NamedTuple):
  """Cotangents of the state z, of M, and of w and a step by step."""

  z: tf.Tensor
  m: tf.Tensor
  w: tf.TensorArray
  a: tf.TensorArray
  sources: list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class HiddenLoop:
  """Steps of z [B, H]; the totals are the change of ln p, [B], and v, the integral of q, [B, H].

  Attributes:
    motion: The steps, all in one frame; without tallies.
    activation: act, with its derivatives.
    steady: Whether M holds the amplitudes, which do not vary in time.
    products: How matrices are multiplied.
  """

  motion: Motion
  activation: Activation
  steady: bool
  products: Products

  def tensors(self) -> pullback.Tensors:
    """Nothing: the coefficients say all."""
    return ()

  def with_tensors(self, tensors: pullback.Tensors) -> HiddenLoop:
    """Returns the loop itself."""
    del tensors
    return self

  def nothing(self, z: tf.Tensor) -> Totals:
    """The totals before the first step."""
    return (*self.motion.nothing(z), tf.zeros_like(z))

  def forward(
    self, z: tf.Tensor, k: Coefficients, begin: int | tf.Tensor, end: int | tf.Tensor, room: int
  ) -> tuple[tf.Tensor, Totals, tf.Tensor | None]:
    """z after steps begin..end-1, the totals, and act'(z) of `room` steps, [room s, B, H].

    Nothing is kept of no steps.
    """
    m = self.products.factor(k.m)
    between = self.products.between
    stage, tallied = between(self._stage), between(self._tallied)

    def advance(i: tf.Tensor, z: tf.Tensor, totals: Totals, stages: list[tf.TensorArray]) -> tuple:
      h, a, w = self.motion.interval(i).h, *self._of_step(k, i)
      slopes: list[tf.Tensor] = []
      product = None
      for s in range(self._count):
        slope, factor = stage(s, z, product, slopes, h, a)
        slopes.append(slope)
        product = tf.matmul(factor, m)
        stages = [array.write((i - begin) * self._count + s, slope) for array in stages]
      z = z + tf.cast(product, z.dtype)
      return i + 1, z, tallied(totals, slopes, h, a, w), stages

    size = room * self._count
    arrays = [tf.TensorArray(z.dtype, size, element_shape=z.shape)] if room else []
    _, z, totals, arrays = tf.while_loop(
      lambda i, *_: i < end,
      advance,
      (tf.convert_to_tensor(begin), z, self.nothing(z), arrays),
      maximum_iterations=self.motion.num_steps,
    )
    return z, totals, arrays[0].stack() if room else None

  def backward(
    self,
    stages: tf.Tensor,
    k: Coefficients,
    begin: int | tf.Tensor,
    end: int | tf.Tensor,
    cotangents: Cotangents,
    dtotals: Sequence[tf.Tensor],
    sources: pullback.Sources,
  ) -> Cotangents:
    """The cotangents before step `begin`, of those after step end-1.

    The discrete adjoint of the method, stage by stage, last first. Whatever is a sum of products
    q_s M is so with weights: the cotangent r_s of q_s M is the sum of theirs with the same, and
    dM = sum q_s' r_s over all stages of all steps is one product.
    """
    del sources
    transposed = self.products.factor(tf.transpose(k.m))
    between = self.products.between
    stage_back, weights_back = between(self._stage_back), between(self._weights_back)

    def pull(i: tf.Tensor, carried: tuple[Cotangents, tf.TensorArray]) -> tuple:
      after, factors = carried
      h, a, w = self.motion.interval(i).h, *self._of_step(k, i)
      first = (i - begin) * self._count
      slopes = [stages[first + s] for s in range(self._count)]
      dzs: list[tf.Tensor] = []  # Of stages s, s + 1, ...
      das: list[tf.Tensor] = []
      factor = self._push(self._count - 1, after.z, dzs, h)
      for s in reversed(range(self._count)):
        factors = factors.write(first + s, factor)
        product = tf.matmul(factor, transposed)
        dz, da, factor = stage_back(s, after.z, product, dzs, slopes[s], h, a[s], w[s], dtotals)
        dzs, das = [dz, *dzs], [da, *das]
      after = after._replace(z=factor, w=after.w.write(i, weights_back(slopes, h, dtotals)))
      return after if self.steady else after._replace(a=after.a.write(i, tf.stack(das))), factors

    dtype = self.products.of(stages.dtype)
    factors = tf.TensorArray(dtype, stages.shape[0], element_shape=stages.shape[1:])
    start = (cotangents, factors)
    cotangents, factors = pullback.backwards(pull, begin, end, start, self.motion.num_steps)
    left = stages if self.steady else stages * self._amplitudes(k, begin, stages.shape[0])
    dm = self.products(rows(left), rows(factors.stack()), stages.dtype, transpose_a=True)
    return cotangents._replace(m=cotangents.m + dm)

  def cotangents(self, z: tf.Tensor, k: Coefficients, sources: pullback.Sources) -> Cotangents:
    """Cotangents after the last step: dL/dz as given, all others zero."""
    w, a = pullback.step_by_step(k.w, k.a)
    return Cotangents(z, tf.zeros_like(k.m), w, a, pullback.zeros(sources))

  def arguments(self, cotangents: Cotangents, k: Coefficients) -> pullback.Tensors:
    """Cotangents of z and of the coefficients, before the first step."""
    da = tf.zeros_like(k.a) if self.steady else cotangents.a.stack()
    return cotangents.z, cotangents.m, cotangents.w.stack(), da

  def _stage(
    self,
    s: int,
    z: tf.Tensor,
    product: tf.Tensor | None,
    slopes: list[tf.Tensor],
    h: tf.Tensor,
    a: list[tf.Tensor],
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """act'(z_s), z_s = z + h sum_j a_sj q_j M, of that product; and the factor of the next."""
    at = z if product is None else z + tf.cast(product, z.dtype)
    slope = self.activation.slope(at)
    weights = (*self.motion.tableau.a[1:], self.motion.tableau.b)[s]
    return slope, self.products.factor(_weighted(h, weights, a, [*slopes, slope]))

  def _tallied(
    self,
    totals: Totals,
    slopes: list[tf.Tensor],
    h: tf.Tensor,
    a: list[tf.Tensor],
    w: list[tf.Tensor],
  ) -> Totals:
    """Totals after a step: ln p - h sum_s b_s l_s, and v + h sum_s b_s q_s."""
    change, v = totals
    b = self.motion.tableau.b
    laplacians = [
      tf.linalg.matvec(self.activation.curvature(slope), w[s]) for s, slope in enumerate(slopes)
    ]
    return combine(change, -h, b, laplacians), v + _weighted(h, b, a, slopes)

  def _push(self, s: int, dz: tf.Tensor, dzs: list[tf.Tensor], h: tf.Tensor) -> tf.Tensor:
    """r_s = h (b_s dz + sum_j>s a_js dz_j), as a factor; dz is that of the step's end."""
    tableau = self.motion.tableau
    weights = [row[s] for row in tableau.a[s + 1 :]]
    return self.products.factor(combine((h * tableau.b[s]) * dz, h, weights, dzs))

  def _stage_back(
    self,
    s: int,
    dz: tf.Tensor,
    product: tf.Tensor,
    dzs: list[tf.Tensor],
    slope: tf.Tensor,
    h: tf.Tensor,
    a: tf.Tensor,
    w: tf.Tensor,
    dtotals: Sequence[tf.Tensor],
  ) -> tuple[tf.Tensor, ...]:
    """Cotangents of z_s and a_s, and the factor r_s-1; that of z before the step where s = 0."""
    dchange, dv = dtotals
    hb = h * self.motion.tableau.b[s]
    dl = (-hb * dchange)[:, tf.newaxis]
    dq = tf.cast(product, dz.dtype) + hb * dv
    curvature = self.activation.curvature(slope)
    dslope = (dq if self.steady else a * dq) + dl * (w * self.activation.curvature_slope(slope))
    dzs = [dslope * curvature, *dzs]
    da = tf.zeros_like(a) if self.steady else tf.reduce_sum(slope * dq, axis=0)
    return dzs[0], da, self._push(s - 1, dz, dzs, h) if s else dz + sum(dzs)

  def _weights_back(
    self, slopes: list[tf.Tensor], h: tf.Tensor, dtotals: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """The cotangents of w in one step, [s, H]: nothing waits for them."""
    dl = -h * dtotals[0][:, tf.newaxis]
    parts = zip(self.motion.tableau.b, slopes)
    return tf.stack([tf.reduce_sum(b * dl * self.activation.curvature(s), 0) for b, s in parts])

  def _of_step(self, k: Coefficients, i: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """a and w of the stages of step i, [H] each."""
    return tf.unstack(tf.gather(k.a, i), self._count), tf.unstack(tf.gather(k.w, i), self._count)

  def _amplitudes(self, k: Coefficients, begin: int | tf.Tensor, stages: int) -> tf.Tensor:
    """a of that many stages from step `begin` on, [stages, 1, H]; beyond the last one, any."""
    last = self.motion.num_steps * self._count - 1
    which = tf.minimum(begin * self._count + tf.range(stages), last)
    return tf.gather(rows(k.a), which)[:, tf.newaxis]

  @property
  def _count(self) -> int:
    return len(self.motion.tableau.b)


def _weighted(
  h: tf.Tensor, weights: Sequence[float], a: list[tf.Tensor], slopes: list[tf.Tensor]
) -> tf.Tensor:
  """h sum_j weight_j q_j, q_j = a_j act'(z_j)."""
  parts = [(h * weight * a[j]) * slopes[j] for j, weight in enumerate(weights) if weight != 0.0]
  return sum(parts) if parts else tf.zeros_like(slopes[0])
