"""Weights of penalties as a text: stiffness:0.3,kinetic:0.01."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

# Names of ma_keras.tallies, which needs TensorFlow.
NAMES = ('hamilton_jacobi', 'kinetic', 'stiffness')
NONE: Mapping[str, float] = MappingProxyType({})


def parse(text: str, defaults: Mapping[str, float] = NONE) -> dict[str, float]:
  """Weights by name of 'stiffness:0.3,kinetic:0.01'; the empty text has none.

  Args:
    text: Weights, separated by commas.
    defaults: Weights of penalties that a text with others does not name.

  Raises:
    ValueError: It has another form, a name that is unknown or stands twice, or a negative weight.
  """
  weights: dict[str, float] = {}
  for part in filter(None, (part.strip() for part in text.split(','))):
    name, _, number = part.partition(':')
    weight = _number(number)
    if name not in NAMES or name in weights or weight is None:
      raise ValueError(
        f'{part!r} is none of {list(NAMES)} with a weight that is not negative, or stands '
        'twice: write stiffness:0.3,kinetic:0.01.'
      )
    weights[name] = weight
  return {**defaults, **weights} if weights else {}


def _number(text: str) -> float | None:
  try:
    number = float(text)
  except ValueError:
    return None
  return number if 0 <= number < math.inf else None
