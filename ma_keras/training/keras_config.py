"""A flow's model as Keras's configuration of plain values: `.keras` files and clones."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import descriptions, gradients, integrators
from ma_keras.bijector import MongeAmpereBijector

PARTS = ('potential', 'preprocessing', 'base')
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
  potential = bijector.potential
  modules = (potential, *potential.submodules)
  if any(getattr(module, '_laplacian_method', None) is not None for module in modules):
    raise NotImplementedError(f'A Laplacian of its own has no description: {REMEDY}.')
  arrays: list[np.ndarray] = []
  try:
    objects = zip(PARTS, (potential, preprocessing, base))
    described = {name: descriptions.describe(part, arrays) for name, part in objects}
  except NotImplementedError as error:
    raise NotImplementedError(f'{error} Or {REMEDY}.') from error
  return {
    'objects': described,
    'arrays': [np.asarray(array, np.float64).tolist() for array in arrays],
    'dtypes': [bijector.dtype.name, _dtype_name(preprocessing), bijector.dtype.name],
    'bijector': _arguments(bijector),
  }


def make(described: dict[str, Any]) -> tuple[MongeAmpereBijector, Any, Any]:
  """The bijector, preprocessing and base again; variables have first values.

  Raises:
    ValueError: It asks for a class that no model file holds.
  """
  arrays = [np.asarray(array, np.float64) for array in described['arrays']]
  potential, preprocessing, base = (
    descriptions.make(described['objects'][name], tf.as_dtype(dtype), arrays)
    for name, dtype in zip(PARTS, described['dtypes'])
  )
  return MongeAmpereBijector(potential, **described['bijector']), preprocessing, base


def _dtype_name(preprocessing: Any) -> str:
  dtype = None if preprocessing is None else preprocessing.forward_dtype()
  return tf.as_dtype(dtype or tf.float32).name


def _arguments(bijector: MongeAmpereBijector) -> dict[str, Any]:
  """Returns all arguments but the potential, as plain values."""
  given = bijector.parameters
  integrator, mode = bijector.integrator, gradients.get(given['gradient'])
  names = [name for name, known in gradients.MODES.items() if known == mode]
  if integrators.TABLEAUS.get(integrator.name) != integrator or not names:
    raise NotImplementedError(f'An integrator or gradient of its own has no description: {REMEDY}.')
  seed = given['seed']
  return {
    'num_steps': bijector.horizon.num_steps,
    'step_size': bijector.horizon.step_size,
    'integrator': integrator.name,
    'gradient': names[0],
    'jitter': given['jitter'],
    'seed': seed if isinstance(seed, int) else np.asarray(seed).tolist(),
    'dtype': bijector.dtype.name,
    'batch_size': given['batch_size'],
    'validate_args': given['validate_args'],
  }
