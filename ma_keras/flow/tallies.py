"""Sums along the paths of a flow: penalties, energies, and whatever else adds up step by step."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras import integrators
from ma_keras.potentials.base import Potential


class Step(NamedTuple):
  """One Runge-Kutta step along a flow, as its s stages met it.

  Attributes:
    potential: phi in force on the step.
    tableau: The Runge-Kutta method, with its weights b.
    h: Length of the step, shape []; negative where the flow runs from T to 0.
    times: Time of every stage, [] each.
    points: x of every stage, [..., N] each.
    velocities: grad phi there, [..., N] each.
    laplacians: laplacian phi there, [...] each.
  """

  potential: Potential
  tableau: integrators.Tableau
  h: tf.Tensor
  times: Sequence[tf.Tensor]
  points: Sequence[tf.Tensor]
  velocities: Sequence[tf.Tensor]
  laplacians: Sequence[tf.Tensor]


class Tally(abc.ABC):
  """A sum over the steps of every path: sum_k increment(step k).

  Subclasses define `name` and `increment`, by TensorFlow operations of the step's parts. The sum is
  then differentiable by the points and by all variables in the gradient modes 'store',
  'recompute', 'plain' and 'reversible'; that of an `Integral` in 'adjoint', too.

  ```python
  class Longest(ma_keras.tallies.Tally):
    name = 'longest'

    def increment(self, step):
      return tf.square(step.h) * tf.reduce_max(tf.square(step.velocities), axis=[0, -1])
  ```

  Attributes:
    name: Key of the sum in `Solution.tallies`, and of its metric in training.
  """

  name: str

  @abc.abstractmethod
  def increment(self, step: Step) -> tf.Tensor:
    """Returns what the step adds to the sum of every path, [...]."""

  def check(self, tableau: integrators.Tableau) -> None:
    """Raises ValueError if the integrator has no such sum; most go with all."""
    del tableau

  def magnified(self, total: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Returns the sum of a flow whose points are stretched on the way to the latents.

    Args:
      total: The sum, [...].
      factor: What becomes of squared lengths, [], at least 1.
    """
    del factor
    return total


class Integral(Tally):
  """The integral of a rate along every path, by the integrator's weights: |h| sum_i b_i rate_i.

  It is positive for a positive rate in both directions of the flow. Subclasses define `name` and
  `rate`.
  """

  @abc.abstractmethod
  def rate(
    self,
    potential: Potential,
    t: tf.Tensor,
    x: tf.Tensor,
    velocity: tf.Tensor,
    laplacian: tf.Tensor,
  ) -> tf.Tensor:
    """Returns the integrand at one time of all paths, [...].

    Args:
      potential: phi in force.
      t: Time, shape [].
      x: Points, [..., N].
      velocity: grad phi(t, x), [..., N].
      laplacian: laplacian phi(t, x), [...].
    """

  def increment(self, step: Step) -> tf.Tensor:
    """See `Tally`."""
    stages = zip(step.times, step.points, step.velocities, step.laplacians, strict=True)
    rates = [self.rate(step.potential, *stage) for stage in stages]
    return integrators.combine(tf.zeros_like(rates[0]), tf.abs(step.h), step.tableau.b, rates)


class _Comparable:
  """Instances are one key if their attributes are equal: of penalties, of compiled functions."""

  def __eq__(self, other: object) -> bool:
    return type(self) is type(other) and vars(self) == vars(other)

  def __hash__(self) -> int:
    return hash(type(self))

  def __repr__(self) -> str:
    return f'{type(self).__name__}()'


class Stiffness(_Comparable, Tally):
  """sum_k sum_e |h sum_i e_i k_i|^2, over steps k and the integrator's defects e.

  The k_i = (velocity, laplacian) are the stages of a step, and every defect has weights e_i that
  sum to zero: what it makes of the stages is small where the field is smooth on the scale of a
  step. As a penalty in training it keeps the flow so, without which an optimiser learns to cheat
  the integrator.
  """

  name = 'stiffness'

  def increment(self, step: Step) -> tf.Tensor:
    """See `Tally`."""
    return self.of_defects(step.h, *self.defects(step))

  def defects(self, step: Step) -> tuple[tf.Tensor, tf.Tensor]:
    """sum_i e_i v_i, [defects, ..., N], and sum_i e_i l_i, [defects, ...]."""
    pairs = list(zip(step.velocities, step.laplacians, strict=True))
    nothing, one = tuple(map(tf.zeros_like, pairs[0])), tf.ones([], step.h.dtype)
    rows = [integrators.combine(nothing, one, e, pairs) for e in step.tableau.defects]
    velocities, laplacians = zip(*rows)
    return tf.stack(velocities), tf.stack(laplacians)

  def of_defects(self, h: tf.Tensor, velocities: tf.Tensor, laplacians: tf.Tensor) -> tf.Tensor:
    """h^2 sum_e (|velocity defect|^2 + (laplacian defect)^2), [...]."""
    squares = tf.reduce_sum(tf.square(velocities), axis=-1) + tf.square(laplacians)
    return h * h * tf.reduce_sum(squares, axis=0)

  def magnified(self, total: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """See `Tally`: a defect in x is as much larger."""
    return total * factor

  def check(self, tableau: integrators.Tableau) -> None:
    """Raises ValueError if the method has no defects."""
    if not tableau.defects:
      raise ValueError(
        f'`integrator` {tableau.name!r} has no stages to tell its stiffness by: use '
        "integrator='rk4' with gradient='store' or 'recompute', or leave the penalty out."
      )


class KineticEnergy(_Comparable, Integral):
  """integral |v|^2/2 dt, v = grad phi: least for straight paths at constant speed.

  By Benamou & Brenier (2000) its mean over paths is at least W_2^2 / 2T, the squared Wasserstein
  distance of the two ends over twice the time, and equal to it for optimal transport.
  """

  name = 'kinetic'

  def rate(
    self,
    potential: Potential,
    t: tf.Tensor,
    x: tf.Tensor,
    velocity: tf.Tensor,
    laplacian: tf.Tensor,
  ) -> tf.Tensor:
    """|v|^2/2."""
    del potential, t, x, laplacian
    return _half_square(velocity)


class HamiltonJacobi(_Comparable, Integral):
  """integral |d phi/dt + |grad phi|^2/2| dt, zero where parcels move without acceleration.

  The Hamilton-Jacobi equation of a pressureless fluid: its gradient is Dv/Dt = 0, paths are
  straight lines, and the flow is an optimal transport map (paper, section 6).
  """

  name = 'hamilton_jacobi'

  def rate(
    self,
    potential: Potential,
    t: tf.Tensor,
    x: tf.Tensor,
    velocity: tf.Tensor,
    laplacian: tf.Tensor,
  ) -> tf.Tensor:
    """|d phi/dt + |v|^2/2|."""
    del laplacian
    return tf.abs(potential.time_derivative(t, x) + _half_square(velocity))


TALLIES = {tally.name: tally for tally in (Stiffness(), KineticEnergy(), HamiltonJacobi())}


def get(tally: str | Tally) -> Tally:
  """Returns the tally of that name; one of your own passes through.

  Raises:
    ValueError: No tally has that name, or it is none.
  """
  if isinstance(tally, Tally) and isinstance(getattr(tally, 'name', None), str):
    return tally
  if not isinstance(tally, str) or tally not in TALLIES:
    raise ValueError(
      f'A tally must be one of {sorted(TALLIES)}, or a ma_keras.tallies.Tally with a `name`, got '
      f'{tally!r}.'
    )
  return TALLIES[tally]


def all_of(tallies: Sequence[str | Tally]) -> tuple[Tally, ...]:
  """Returns the tallies, by names or themselves.

  Raises:
    ValueError: One is none, or two have one name.
  """
  instances = tuple(get(tally) for tally in tallies)
  names = [tally.name for tally in instances]
  if len(set(names)) < len(names):
    raise ValueError(f'`tallies` must have different names, got {names}.')
  return instances


def _half_square(v: tf.Tensor) -> tf.Tensor:
  return 0.5 * tf.reduce_sum(tf.square(v), axis=-1)
