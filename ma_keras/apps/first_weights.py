"""Weights of --start_from: those of the model file of an earlier run, variable by variable."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

import ma_keras


def load(path: str) -> Any:
  """The model of the file; raises ValueError that names the flag where there is none."""
  try:
    return ma_keras.load(path)
  except (OSError, ValueError) as error:
    raise ValueError(f'`--start_from`: {error}') from error


def load_potential(path: str) -> ma_keras.potentials.Potential:
  """The potential of the file's flow; raises ValueError where there is none, or a chain of them."""
  bijector = load(path).bijector
  if not isinstance(bijector, ma_keras.MongeAmpereBijector):
    raise ValueError(
      f'`--start_from` {path} holds a {type(bijector).__name__}: it must be of a run of this app.'
    )
  return bijector.potential


def assign(
  variables: Sequence[tf.Variable], saved: Sequence[tf.Variable], path: str, of: str
) -> None:
  """Gives the variables the values of those in the file, in their order.

  Args:
    variables: To begin with these values.
    saved: Variables of the file.
    path: The file, for the error.
    of: Name of what both runs must share, for the error.

  Raises:
    ValueError: They have other names or shapes.
  """
  for kind, expected in itertools.zip_longest(map(_kind, saved), map(_kind, variables)):
    if kind != expected:
      raise ValueError(
        f'`--start_from` {path} has a variable {kind} where these flags make {expected}: it must '
        f'be of a run with the same flags of {of}.'
      )
  for variable, value in zip(variables, saved):
    variable.assign(value.numpy())  # In the precision of the variable.


def _kind(variable: Any) -> str:
  """Last part of the name, and the shape."""
  name = variable.name.rpartition('/')[2].removesuffix(':0')
  return f'{name} {variable.shape.as_list()}'
