"""An energy that is to be least within a bound of the loss, as a text: kinetic:2.31."""

from __future__ import annotations

import math
from typing import NamedTuple

# Names of ma_keras.tallies that are energies: what is never negative, and zero where nothing moves.
NAMES = ('hamilton_jacobi', 'kinetic')


class Objective(NamedTuple):
  """An energy that is to be least, and the largest loss.

  Attributes:
    tally: Name of the energy.
    bound: Nats.
  """

  tally: str
  bound: float


def parse(text: str) -> Objective | None:
  """Takes 'kinetic:2.31' apart; the empty text is none.

  Raises:
    ValueError: It has another form, or a name that is unknown.
  """
  if not text:
    return None
  name, _, number = text.partition(':')
  try:
    bound = float(number)
  except ValueError:
    bound = math.nan
  if name not in NAMES or not math.isfinite(bound):
    raise ValueError(
      f'{text!r} is none of {list(NAMES)} with the largest loss in nats: write kinetic:2.31.'
    )
  return Objective(name, bound)
