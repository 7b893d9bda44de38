"""Variables of a flow within a Keras layer or model, where Keras's own formats look for them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np
import tensorflow as tf


class OwnVariables:
  """Saves and loads `own_variables`, to the bit, wherever Keras saves a layer in HDF5 or `.keras`.

  Keras saves variables that a layer made itself, and those of layers within; potentials,
  bijectors and distributions are tf.Modules and no layers.
  """

  def own_variables(self) -> list[tf.Variable]:
    """Returns the variables that are saved, in an order that depends on the structure alone."""
    raise NotImplementedError

  def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
    """Keras's hook: puts all values into the store, by their place in `own_variables`."""
    for place, variable in enumerate(self.own_variables()):
      store[str(place)] = variable.numpy()

  def load_own_variables(self, store: Mapping[str, Any]) -> None:
    """Keras's hook: assigns what `save_own_variables` had put there.

    Raises:
      ValueError: Number, shapes or dtypes differ; no variable is changed.
    """
    variables = self.own_variables()
    values = [np.asarray(store[name]) for name in sorted(store, key=int)]
    saved = [(array.shape, array.dtype) for array in values]
    wanted = [(tuple(v.shape), np.dtype(v.dtype.as_numpy_dtype)) for v in variables]
    if saved != wanted:
      raise ValueError(
        f'The file holds variables of {_listed(saved)}, and the model has {_listed(wanted)}: build '
        'it as the one that was saved.'
      )
    for variable, value in zip(variables, values):
      variable.assign(value)


def _listed(kinds: list[tuple[tuple[int, ...], np.dtype]]) -> str:
  return ', '.join(f'{dtype} {list(shape)}' for shape, dtype in kinds) or 'none'
