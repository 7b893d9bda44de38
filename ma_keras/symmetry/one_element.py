"""The paper's symmetrisation: one random group element per integration step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite
from ma_keras.potentials import overrides
from ma_keras.potentials.base import Frame, Potential
from ma_keras.potentials.units import Units
from ma_keras.symmetry import action
from ma_keras.symmetry.average import check_sizes
from ma_keras.symmetry.group import Group
from ma_keras.symmetry.particles import ParticleElement, ParticleSymmetries

Element = action.Element | ParticleElement


def draw(group: Group | ParticleSymmetries, seed: seeds.Seed, dtype: tf.DType) -> Element:
  """One element of the group, uniform; one for each sample where the seed is one per sample."""
  if isinstance(group, ParticleSymmetries):
    return group.draw(seed, dtype)
  return action.pick(group, seeds.integers([], seed, group.order), dtype)


class Rotated(Potential):
  """phi(x) = phi~(g x) for an orthogonal element g: gradient g' grad phi~(g x).

  Attributes:
    potential: phi~.
    element: g.
  """

  def __init__(self, potential: Potential, element: Element, name: str | None = None) -> None:
    """Composes `potential` with `element`; phi~(h (g x)) is phi~((h g) x), one rotation."""
    super().__init__(potential.event_size, name=name)
    if type(potential) is Rotated and potential.takes(element):
      potential, element = potential.potential, potential.element.after(element)
    self.potential: Potential = potential
    self.element: Element = element

  def takes(self, element: Element) -> bool:
    """Tells if its own element and another make one."""
    return self._laplacian_method is None and type(self.element) is type(element)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi~(g x), shape [...]."""
    return self.potential(t, self._enter(x))

  def frame(self) -> Frame:
    """phi~ in the coordinates g x; not where a Laplacian method of its own looks at x."""
    if self._laplacian_method is not None or overrides.is_replaced(self, 'frame'):
      return super().frame()
    return Frame(self.potential, self._enter, self._leave)

  def _enter(self, x: tf.Tensor) -> tf.Tensor:
    return self.element.act(x)

  def _leave(self, y: tf.Tensor) -> tf.Tensor:
    return self.element.inverse().act(y)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._leave(self.potential.gradient(t, self._enter(x)))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gradient, laplacian = self.potential.gradient_and_laplacian(t, self._enter(x))
    return self._leave(gradient), laplacian


class OneElementPerInterval(Potential):
  """phi(t, x) = phi~(g_k x) for t in interval k, g_k drawn from the group (section 4.2).

  "At each step of the numerical integration, we sample only one term in the symmetric
  average." The draws are a function of the seed and of k = floor(t / interval) alone, so
  forward, inverse and log_prob see the same ones and the flow stays a bijection. Steps of
  h = interval are the paper's choice; halving the steps keeps the draws, and so changes the
  integrator alone and not the potential, as does every h that divides the interval. Steps that
  straddle its ends take the draw of their middle: another, equally proper flow, whose certificate
  compares two potentials.

  A fixed seed is one fixed flow, symmetric only on average over seeds: train with a new seed
  per batch (`with_seed`), as the paper does. A `seeds.PerSample` seed gives every sample of a batch
  [b, N] elements of its own, as the authors' code does: the gradient's noise then averages over
  the batch. Two nested in each other, with different seeds, draw from a product of groups
  without its table.

  Attributes:
    potential: phi~.
    group: G.
    interval: Length of time that one draw lasts.
    seed: Non-negative integer, int32 [2] tensor, or one per sample.
  """

  def __init__(
    self,
    potential: Potential,
    group: Group | ParticleSymmetries,
    interval: float,
    seed: seeds.Seed = 0,
    name: str | None = None,
  ) -> None:
    """Symmetrises `potential` by random elements of `group`.

    Args:
      potential: phi~ on N coordinates.
      group: Group acting on the same N coordinates.
      interval: Positive length of time; the flow's step size, usually.
      seed: Non-negative integer, int32 [2] tensor, or one per sample.
      name: Module name.

    Raises:
      ValueError: The sizes differ or the interval is not positive.
    """
    super().__init__(potential.event_size, name=name)
    check_sizes(potential, group, (Group, ParticleSymmetries))
    if not is_finite(interval) or interval <= 0:
      raise ValueError(
        f'`interval` must be positive and finite, got {interval!r}. Pass the step size.'
      )
    self.potential = potential
    self.group = group
    self.interval = interval
    self.seed = seed
    self._element_in_force: Element | None = None

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values, the draws included: see `model_file`.

    Raises:
      NotImplementedError: The draws differ from sample to sample.
    """
    parts = {'potential': self.potential, 'group': self.group}
    return {**parts, 'interval': self.interval, 'seed': seeds.plain(self.seed)}

  def with_seed(self, seed: seeds.Seed) -> Potential:
    """Returns the potential with other group elements, and other draws within phi~."""
    own, inner = seeds.split(seed, 2, salt='one_element')
    return self._twin(seed=own, potential=self.potential.with_seed(inner))._with_probes(seed)

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Potential:
    """The elements of these rows, where every sample has its own, and phi~ for them."""
    twin = self
    if isinstance(self.seed, seeds.PerSample):
      twin = self._twin(seed=seeds.for_rows(self.seed, rows, batch_size))
    return Potential.for_rows(twin, rows, batch_size)

  def on_interval(self, start: tf.Tensor, stop: tf.Tensor) -> Potential:
    """phi~(g_k .): one element for the whole step, all of whose stages must see the same.

    The middle of the step decides which: it is far from the interval's ends, so rounding
    cannot move it next door.
    """
    in_force = self.potential.on_interval(start, stop)
    element = self._draw((start + stop) / 2.0)
    if overrides.is_replaced(self, 'on_interval'):
      return self._twin(potential=in_force, _element_in_force=element)
    return Rotated(in_force, element).with_laplacian(self._laplacian_method)

  def units(self) -> Units | None:
    """Units of phi~, in the frame of each step's element."""
    units = overrides.units(self.potential)
    if units is None or self._laplacian_method is not None:
      return None
    return units._replace(at_rest=False)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi~(g_k x) at k = floor(t / interval), shape [...]."""
    time = tf.cast(tf.convert_to_tensor(t, dtype_hint=x.dtype), x.dtype)
    return Rotated(self.potential, self._draw(time))(t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return Rotated(self.potential, self._draw(t)).gradient(t, x)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return Rotated(self.potential, self._draw(t)).gradient_and_laplacian(t, x)

  def _draw(self, t: tf.Tensor) -> Element:
    if self._element_in_force is not None:
      return self._element_in_force
    interval = tf.cast(tf.floor(t / self.interval), tf.int32)
    seed = seeds.fold_in(seeds.stateless(self.seed, salt='group_elements'), interval)
    return draw(self.group, seed, t.dtype)
