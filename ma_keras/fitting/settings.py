"""Settings of a flow and its training by the size of a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

EPOCHS = 20  # Looks at held-out rows.
LEAST_STEPS, MOST_STEPS = 200, 2000
MOST_PASSES = 200  # Over all rows.
MOST_TRIES = 4
TRIED_WORK = 4e9  # Multiplications of all tries: some five seconds of a core.


def seed_of_try(seed: int, number: int) -> int:
  """The seed of try `number`; that of try 0 is `seed` itself."""
  return (seed + number) % 2**31


@dataclasses.dataclass(frozen=True)
class Settings:
  """Sizes of a table's flow, and settings of its training.

  Attributes:
    hidden_units: H of `potentials.OneHiddenLayer`.
    basis_size: Functions of time per amplitude.
    time: T.
    num_steps: Integration steps of training.
    batch_size: Rows of a step.
    steps: Training steps at most.
    steps_per_epoch: Steps between two looks at held-out rows.
    patience: Looks without gain after which training ends.
    learning_rate: Peak of Adam's rate: a rise over `warmup_steps`, then a half cosine.
    gradient_clip: Largest global norm of a gradient.
    penalties: Weights of penalties by name; None for those of training on data.
  """

  hidden_units: int
  basis_size: int = 6
  time: float = 2.0
  num_steps: int = 16
  batch_size: int = 256
  steps: int = 2000
  steps_per_epoch: int = 100
  patience: int = 8
  learning_rate: float = 0.005
  gradient_clip: float = 1.0
  penalties: Mapping[str, float] | None = None

  @property
  def warmup_steps(self) -> int:
    """One step in twenty: a share, so that short trainings are warmed up as long ones are."""
    return self.steps // 20

  @property
  def epochs(self) -> int:
    """Looks at held-out rows, at most."""
    return math.ceil(self.steps / self.steps_per_epoch)

  def affordable_tries(self, num_columns: int) -> int:
    """How many first weights are tried: 4 of a small table, 1 where a training takes its time.

    What counts is rows x parameters x steps, of the optimiser and of the integrator.

    Args:
      num_columns: N.
    """
    parameters = self.hidden_units * (num_columns + 1 + self.basis_size)
    work = self.steps * self.batch_size * self.num_steps * parameters
    return min(max(int(TRIED_WORK // work), 1), MOST_TRIES)

  @classmethod
  def for_table(cls, num_rows: int, num_columns: int) -> Settings:
    """Chooses by the number of training rows n and of columns N.

    A unit has N + 7 numbers: H is the power of two with about a quarter as many numbers as the
    table, 16 to 256. Few rows are passed over two hundred times, many a few times.

    Args:
      num_rows: n.
      num_columns: N.
    """
    units = num_rows * num_columns / (4 * (num_columns + 7))
    hidden_units = 2 ** min(max(round(math.log2(max(units, 1.0))), 4), 8)
    batch_size = min(256, num_rows)
    steps = min(max(MOST_PASSES * num_rows // batch_size, LEAST_STEPS), MOST_STEPS)
    return cls(hidden_units, batch_size=batch_size, steps=steps, steps_per_epoch=steps // EPOCHS)
