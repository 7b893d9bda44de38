"""The gradient modes as data."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.flow.dynamics import Motion, Totals
from ma_keras.flow.gradients import (
  adjoint,
  chunks,
  compiled,
  discrete,
  on_demand,
  reversible,
  units,
)
from ma_keras.flow.tallies import Integral, Tally
from ma_keras.integrators import Tableau
from ma_keras.potentials import overrides

# Stages of a flow that is written out where second derivatives are taken. Those of a loop take
# TensorFlow a time that does not grow with the number of steps, and is several times as long.
UNROLLED = 128


class GradientMode(abc.ABC):
  """How the derivative of a flow is computed: a rule from motion and points to their ends."""

  @abc.abstractmethod
  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """x at the end of the motion, [..., N], and the totals on the way, [...] each."""

  def check(self, tableau: Tableau) -> None:
    """Raises ValueError if the mode does not go with this integrator; most go with all."""
    del tableau

  def check_tallies(self, tallies: Sequence[Tally]) -> None:
    """Raises ValueError if the mode has no derivative of one of them; most have of all."""
    del tallies


@dataclasses.dataclass(frozen=True)
class Store(GradientMode):
  """Every stage is kept: fastest, memory grows with their number; exact.

  A one-hidden-layer potential, alone or in a sum, has a backward pass of its own (`units.solve`),
  which gathers the products that make weight gradients; for others TensorFlow differentiates the
  loop.

  Attributes:
    products: Dtype of the factors of that pass's matrix products: tf.bfloat16 is faster where the
      processor has it, and costs about three digits; states and log densities keep theirs.
  """

  products: tf.DType | None = None

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`."""
    if not _has_units(motion, x):
      return self._fallback(motion, x)
    if _is_written_out(motion, x):
      return Plain().solve(motion, x)
    solve = functools.partial(units.solve, products=self.products)
    return _score_apart(solve, motion, x)

  def _fallback(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    if self.products is not None:
      raise ValueError(
        f'`products` {self.products.name} need a OneHiddenLayer potential, alone or within '
        "OneElementPerInterval, and an explicit integrator, 'rk4' say: leave them out."
      )
    if compiled.is_step_by_step(motion.potential, x):
      return discrete.recomputed(motion, x, segment=1)
    return Plain().solve(motion, x)


@dataclasses.dataclass(frozen=True)
class Plain(GradientMode):
  """TensorFlow differentiates the loop over steps itself: slowest, derivatives of any order."""

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`."""
    solve = discrete.unrolled if _is_written_out(motion, x) else discrete.run
    return solve(motion.prepared(), x)


@dataclasses.dataclass(frozen=True)
class Recompute(GradientMode):
  """One state per segment of steps is kept, the rest computed again; exact.

  Attributes:
    segment: Steps per kept state. Memory is least near the square root of the number of steps.
  """

  segment: int = 1

  def __post_init__(self) -> None:
    """Checks the segment.

    Raises:
      ValueError: It is not a positive integer.
    """
    if not is_whole(self.segment):
      raise ValueError(f'`segment` must be a positive integer, got {self.segment}.')

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`."""
    if _is_written_out(motion, x):
      return Plain().solve(motion, x)
    if not _has_units(motion, x):
      return discrete.recomputed(motion, x, self.segment)
    solve = functools.partial(units.solve, segment=self.segment)
    return _score_apart(solve, motion, x)


@dataclasses.dataclass(frozen=True)
class Reversible(GradientMode):
  """Nothing is kept: steps are undone on the way back, to the tolerance of a symmetric method."""

  def check(self, tableau: Tableau) -> None:
    """Raises ValueError unless the method is symmetric."""
    if not tableau.symmetric:
      raise ValueError(
        f"`gradient='reversible'` needs a time-symmetric integrator, got {tableau.name!r}: its "
        "steps cannot be undone. Pass integrator='gauss4', or gradient='recompute'."
      )

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`."""
    return _score_apart(reversible.reversible, motion, x)


@dataclasses.dataclass(frozen=True)
class Adjoint(GradientMode):
  """Nothing is kept: the continuous adjoint, biased by the integrator's error."""

  def check_tallies(self, tallies: Sequence[Tally]) -> None:
    """Raises ValueError unless all are integrals: others belong to the discrete flow."""
    unsupported = [tally.name for tally in tallies if not isinstance(tally, Integral)]
    if unsupported:
      raise ValueError(
        f"`gradient='adjoint'` takes tallies that are an Integral, and {unsupported} are not: use "
        "gradient='store' or 'recompute', or leave them out."
      )

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`."""
    return _score_apart(adjoint.adjoint, motion, x)


@dataclasses.dataclass(frozen=True)
class Chunked(GradientMode):
  """So many rows at a time, forwards and backwards, by another mode: see `chunks.solve`.

  Memory does not grow with the number of points; a backward pass costs one more forward pass.

  Attributes:
    mode: How the rows of one chunk are solved.
    batch_size: Rows per chunk, at most.
  """

  mode: GradientMode
  batch_size: int

  def __post_init__(self) -> None:
    """Checks the batch size.

    Raises:
      ValueError: It is not a positive integer.
    """
    if not is_whole(self.batch_size):
      raise ValueError(
        f'`batch_size` must be a positive integer, got {self.batch_size}: rows solved at a time, '
        '8192 say; None for no limit.'
      )

  def check(self, tableau: Tableau) -> None:
    """See `GradientMode`."""
    self.mode.check(tableau)

  def check_tallies(self, tallies: Sequence[Tally]) -> None:
    """See `GradientMode`."""
    self.mode.check_tallies(tallies)

  def solve(self, motion: Motion, x: tf.Tensor) -> tuple[tf.Tensor, Totals]:
    """See `GradientMode`; all rows at once for second derivatives, of which tapes keep them all."""
    if on_demand.second_order(motion.potential, x):
      return self.mode.solve(motion, x)
    return chunks.solve(self.mode.solve, motion, x, int(self.batch_size))


def _score_apart(
  solve: Callable[[Motion, tf.Tensor], tuple[tf.Tensor, Totals]], motion: Motion, x: tf.Tensor
) -> tuple[tf.Tensor, Totals]:
  """solve(motion, x), with the score by a solve of its own where it is asked for."""
  if motion.score is None:
    return solve(motion, x)
  y, totals = solve(dataclasses.replace(motion, score=None), x)
  alone = dataclasses.replace(motion, tallies=())
  return y, (*totals, tf.stop_gradient(discrete.run(alone.prepared(), x)[1][-1]))


def _is_written_out(motion: Motion, x: tf.Tensor) -> bool:
  """Tells if steps are taken one by one in the graph: second derivatives, and few of them."""
  if not on_demand.second_order(motion.potential, x):
    return False
  return tf.executing_eagerly() or motion.num_steps * len(motion.tableau.b) <= UNROLLED


def _has_units(motion: Motion, x: tf.Tensor) -> bool:
  """Tells if there is a hidden layer that the hand-written pass can have."""
  tableau = motion.tableau
  suits = tableau.explicit and tableau.quadrature is None and x.shape.rank == 2
  return suits and overrides.units(motion.potential) is not None


# Gradient modes by the names that users write.
MODES = {
  'store': Store(),
  'plain': Plain(),
  'recompute': Recompute(),
  'reversible': Reversible(),
  'adjoint': Adjoint(),
}


def get(mode: str | GradientMode) -> GradientMode:
  """Returns the mode of that name; a mode of your own passes through.

  Raises:
    ValueError: No mode has that name.
  """
  if isinstance(mode, GradientMode):
    return mode
  if not isinstance(mode, str) or mode not in MODES:
    raise ValueError(f'`gradient` must be one of {sorted(MODES)} or a GradientMode, got {mode!r}.')
  return MODES[mode]


def by(mode: str | GradientMode, batch_size: int | None) -> GradientMode:
  """The mode of that name, some rows at a time if a batch size is given.

  Raises:
    ValueError: No mode has that name, or the batch size is not a positive integer.
  """
  return get(mode) if batch_size is None else Chunked(get(mode), batch_size)
