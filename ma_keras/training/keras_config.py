"""A flow's model as Keras's configuration of plain values: `.keras` files and clones."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import FlowChain
from ma_keras.saving import chains, descriptions
from ma_keras.training.constrained import Constrained
from ma_keras.training.penalties import Penalties

PARTS = ('preprocessing', 'base')
REMEDY = (
  "save its weights by model.save_weights('w.weights.h5'), or all of it by pickle.dump(model, file)"
)


class Config(dict[str, Any]):
  """Plain values that a file takes; as long as no file comes between, with the model's weights.

  `tf_keras.models.clone_model` makes a model of what `get_config` returned, and so its clone of a
  flow has the same log densities.

  Attributes:
    weights: Values of `own_variables`.
  """

  def __init__(self, plain: dict[str, Any], weights: list[np.ndarray]) -> None:
    """Keeps both."""
    super().__init__(plain)
    self.weights = weights


def describe(
  bijector: MongeAmpereBijector, preprocessing: Any = None, base: Any = None
) -> dict[str, Any]:
  """Plain values that `make` makes the three of again.

  Raises:
    NotImplementedError: One of them is of a class, or in a way, that no description says.
  """
  arrays: list[np.ndarray] = []
  try:
    objects = zip(PARTS, (preprocessing, base))
    described = {name: descriptions.describe(part, arrays) for name, part in objects}
    flow = _described(bijector, arrays)
  except NotImplementedError as error:
    raise NotImplementedError(f'{error} Or {REMEDY}.') from error
  return {
    'objects': described,
    'arrays': [np.asarray(array, np.float64).tolist() for array in arrays],
    'dtypes': [_dtype_name(preprocessing), bijector.dtype.name],
    'bijector': flow,
  }


def described(part: Penalties | Constrained) -> dict[str, Any]:
  """Weights of the penalties by name, or arguments of a constraint.

  Raises:
    NotImplementedError: A tally is of a class of its own.
  """
  try:
    return part.description()
  except NotImplementedError as error:
    raise NotImplementedError(f'{error} Or {REMEDY}.') from error


def make(described: dict[str, Any]) -> tuple[MongeAmpereBijector, Any, Any]:
  """The bijector, preprocessing and base again; variables have first values.

  Raises:
    ValueError: It asks for a class that no model file holds.
  """
  arrays = [np.asarray(array, np.float64) for array in described['arrays']]
  preprocessing, base = (
    descriptions.make(described['objects'][name], tf.as_dtype(dtype), arrays)
    for name, dtype in zip(PARTS, described['dtypes'])
  )
  flow = described['bijector']
  dtype = tf.as_dtype(described['dtypes'][-1])
  if isinstance(flow, list):
    return chains.make(flow, dtype, arrays), preprocessing, base
  potential = descriptions.make(flow['potential'], dtype, arrays)
  return chains.make_flow(potential, flow), preprocessing, base


def _dtype_name(preprocessing: Any) -> str:
  dtype = None if preprocessing is None else preprocessing.forward_dtype()
  return tf.as_dtype(dtype or tf.float32).name


def _described(bijector: Any, arrays: list[np.ndarray]) -> Any:
  """A list of the parts of a chain, a dictionary of a flow."""
  if isinstance(bijector, FlowChain):
    return chains.describe(bijector, arrays)
  return chains.describe_flow(bijector, arrays)
