"""Equations (2) and (3) of the paper as one vector field, and one step along it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from ma_keras import integrators
from ma_keras.flow.horizon import Grid
from ma_keras.flow.tallies import Step, Tally
from ma_keras.potentials import parts
from ma_keras.potentials.base import Frame, Potential
from ma_keras.potentials.time_basis import untabulated
from ma_keras.potentials.twins import prepared

# Sums over the steps: the change of ln p, [...], and every tally, [...]; then, if it is carried
# along, the score at the end, [..., N].
Totals: TypeAlias = tuple[tf.Tensor, ...]


def rates(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Velocity and log-density rate of the fluid: dx/dt = grad phi, d ln p/dt = -laplacian phi.

  The density rate is the material derivative, along the moving parcel. Eqs. (2)-(3).

  Args:
    potential: Scalar potential phi.
    t: Time, shape [].
    x: Fluid parcels, shape [..., N].

  Returns:
    velocity [..., N] and log_density_rate [...].
  """
  velocity, laplacian = potential.gradient_and_laplacian(t, x)
  return velocity, -laplacian


def rates_with_score(
  potential: Potential, t: tf.Tensor, x: tf.Tensor, score: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """`rates`, and that of the score s = grad ln p on the way: ds/dt = -grad(s.v + laplacian phi).

  The gradient of Eq. (3): the adjoint equation of -ln p, run with the flow instead of against it.

  Args:
    potential: Scalar potential phi.
    t: Time, shape [].
    x: Fluid parcels, shape [..., N].
    score: s, shape [..., N].

  Returns:
    velocity [..., N], log_density_rate [...] and score_rate [..., N], the last not to be
    differentiated.
  """
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(x)
    velocity, density_rate = rates(potential, t, x)
  pulled = tape.gradient(
    [velocity, density_rate],
    x,
    output_gradients=[score, -tf.ones_like(density_rate)],
    unconnected_gradients=tf.UnconnectedGradients.ZERO,
  )
  return velocity, density_rate, -tf.stop_gradient(pulled)


class Interval(NamedTuple):
  """The interval of one step: from `start` over h, which is negative on the way back.

  Attributes:
    start: Time at which the step begins, shape [].
    h: Signed length of the step, shape [].
    frame: The potential in force, and the coordinates in which it is best stepped.
  """

  start: tf.Tensor
  h: tf.Tensor
  frame: Frame


@dataclasses.dataclass(frozen=True)
class Motion:
  """The dynamics in steps, one way: step i = 0, 1, ... takes x over its interval.

  Step k of the grid covers the same interval in both directions, so a potential keyed to
  intervals of time is met again on the way back.

  Attributes:
    potential: Scalar potential phi.
    tableau: Runge-Kutta method.
    grid: Where the steps of the horizon begin and end.
    first: Number of the earliest step in time.
    last: Number after that of the latest; int32 [] in graphs that serve any number of steps.
    reverse: Run from late to early.
    tallies: What is summed over the steps besides the change of ln p.
    score: grad ln p at the start, [..., N], to be carried along; None for no score.
  """

  potential: Potential
  tableau: integrators.Tableau
  grid: Grid
  first: int
  last: int | tf.Tensor
  reverse: bool = False
  tallies: tuple[Tally, ...] = ()
  score: tf.Tensor | None = None

  @property
  def num_steps(self) -> Any:
    """How many steps there are, an integer or int32 []."""
    return self.last - self.first

  def prepared(self) -> Motion:
    """Returns the motion with what the potential can compute once computed."""
    nodes = self.tableau.quadrature
    # The stages of a solve that comes back as well, as the adjoint equation does.
    back = (1.0 - c for c in self.tableau.c)
    c = (*self.tableau.c, *back, *(() if nodes is None else nodes.c))
    times = [self._times(tuple(dict.fromkeys(c)))]
    return dataclasses.replace(self, potential=prepared(self.potential, tf.concat(times, 0)))

  def tensors(self) -> list[tf.Tensor]:
    """Tensors that the potential holds, by which the flow has derivatives: see `parts`."""
    return parts.tensors(self.potential)

  def with_tensors(self, tensors: Sequence[tf.Tensor]) -> Motion:
    """Returns the motion along the potential that holds these tensors instead."""
    return dataclasses.replace(self, potential=parts.with_tensors(self.potential, tensors))

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Motion:
    """Returns the motion of some rows of a batch: see `Potential.for_rows`."""
    score = None if self.score is None else tf.gather(self.score, rows)
    potential = self.potential.for_rows(rows, batch_size)
    return dataclasses.replace(self, potential=potential, score=score)

  def interval(self, i: tf.Tensor) -> Interval:
    """Interval of step i, int32 []."""
    number = self._number(i)
    start, stop, h = (tf.gather(part, number) for part in self.grid)
    frame = self.potential.on_interval(start, stop).frame()
    return Interval(stop, -h, frame) if self.reverse else Interval(start, h, frame)

  def stage_times(self) -> tf.Tensor:
    """The time of every stage, in the order of the motion: [num_steps, s]."""
    return tf.reshape(self._times(self.tableau.c), [-1, len(self.tableau.c)])

  def _times(self, fractions: Sequence[float]) -> tf.Tensor:
    """The times t + c h of all steps, one step after the other, for the fractions c of a step."""
    numbers = self._number(tf.range(self.num_steps))
    start, stop, h = (tf.expand_dims(tf.gather(part, numbers), 1) for part in self.grid)
    c = tf.constant(fractions, h.dtype)
    return tf.reshape(stop - h * c if self.reverse else start + h * c, [-1])

  def _number(self, i: tf.Tensor) -> tf.Tensor:
    """Index of step i in the grid."""
    return self.last - 1 - i if self.reverse else self.first + i

  def nothing(self, x: tf.Tensor) -> Totals:
    """The totals before the first step."""
    sums = (tf.zeros_like(x[..., 0]),) * (1 + len(self.tallies))
    return sums if self.score is None else (*sums, tf.stop_gradient(self.score))

  def step(self, i: tf.Tensor, x: tf.Tensor, totals: Totals) -> tuple[tf.Tensor, Totals]:
    """x and the totals after step i, of those before it."""
    interval = self.interval(i)
    score = () if self.score is None else totals[-1:]
    state, stage_rates = self._stages(interval, x, *score)
    y, change, *after = integrators.combine(state, interval.h, self.tableau.b, stage_rates)
    if self.tableau.quadrature is not None:  # Graphs then drop what no tally asks of the stages.
      change = self._change_at_nodes(self.tableau.quadrature, interval, state, stage_rates)
    sums = [
      a + b for a, b in zip(totals, [change, *self._increments(interval, state, stage_rates)])
    ]
    return interval.frame.leave(y), (*sums, *map(interval.frame.leave, after))

  @staticmethod
  def _change_at_nodes(
    nodes: integrators.Quadrature, interval: Interval, state: Any, rates: list[Any]
  ) -> tf.Tensor:
    """-h sum_q b_q laplacian phi at the nodes q of a step, the change of ln p by it, [...]."""
    points = [integrators.combine(state, interval.h, row, rates)[0] for row in nodes.a]
    laplacians = [
      interval.frame.potential.laplacian(interval.start + c * interval.h, x)
      for c, x in zip(nodes.c, points)
    ]
    return integrators.combine(tf.zeros_like(laplacians[0]), -interval.h, nodes.b, laplacians)

  def record(
    self,
    interval: Interval,
    points: Sequence[tf.Tensor],
    velocities: Sequence[tf.Tensor],
    laplacians: Sequence[tf.Tensor],
  ) -> Step:
    """The record of a step that tallies read, of its stages in the frame of the step."""
    times = [interval.start + c * interval.h for c in self.tableau.c]
    potential = untabulated(interval.frame.potential)  # A tally may ask for other times.
    return Step(potential, self.tableau, interval.h, times, points, velocities, laplacians)

  def _increments(self, interval: Interval, state: Any, rates: list[Any]) -> list[tf.Tensor]:
    """The increment of every tally by one step."""
    if not self.tallies:
      return []
    points = [integrators.combine(state, interval.h, row, rates)[0] for row in self.tableau.a]
    velocities, density_rates = zip(*(rate[:2] for rate in rates))
    step = self.record(interval, points, velocities, [-rate for rate in density_rates])
    return [tally.increment(step) for tally in self.tallies]

  def undo(self, i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """x before step i, for time-symmetric methods: the same step with -h.

    And the points X of the step's stages, in its frame: those of the step back, last first.
    """
    interval = self.interval(i)
    back = interval._replace(start=interval.start + interval.h, h=-interval.h)
    state, stage_rates = self._stages(back, x)
    before = interval.frame.leave(
      integrators.combine(state, back.h, self.tableau.b, stage_rates)[0]
    )
    points = [integrators.combine(state, back.h, row, stage_rates)[0] for row in self.tableau.a]
    return before, points[::-1]

  def _stages(self, interval: Interval, x: tf.Tensor, *score: tf.Tensor) -> tuple[Any, list[Any]]:
    """The state (x, 0), or (x, 0, score), in the frame of a step, and its rates at the stages."""
    # Orthogonal frames: scores turn as points do.
    state = (interval.frame.enter(x), tf.zeros_like(x[..., 0]), *map(interval.frame.enter, score))
    move = rates_with_score if score else rates

    def field(t: tf.Tensor, state: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
      x, _, *score = state
      return move(interval.frame.potential, t, x, *score)

    return state, integrators.stages(self.tableau, field, interval.start, interval.h, state)
