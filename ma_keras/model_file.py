"""One file for a model: what it is made of and its weights, without a line of code in it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import data, potentials, symmetry
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import data_space_flow, standard_normal_flow
from ma_keras.replacing import replacing

FORMAT = 1
# What a file may ask for by name: nothing else is ever called.
CLASSES: dict[str, Any] = {
  cls.__name__: cls
  for cls in (
    *(potentials.DeepLattice, potentials.HyperNetwork, potentials.Lattice),
    *(potentials.LocallyConnected, potentials.MLP),
    *(potentials.OneHiddenLayer, potentials.Quadratic, potentials.Separable),
    *(potentials.SpectralQuadratic, potentials.Sum, potentials.TimeBasis),
    *(symmetry.Group, symmetry.GroupAverage, symmetry.OneElementPerInterval),
    *(data.Pixels, data.Standardised),
  )
}


@dataclasses.dataclass(frozen=True)
class Model:
  """A flow, and what stands between it and the data.

  Attributes:
    bijector: The flow of R^N.
    preprocessing: TFP bijector y -> x to data: `data.Pixels`, `data.Standardised`, or None.
    event_shape: Of one data point, (28, 28, 1) say; None for [N].
    notes: What is known of the model: where its data come from, how good it is, who made it.
  """

  bijector: MongeAmpereBijector
  preprocessing: data.Pixels | data.Standardised | None = None
  event_shape: tuple[int, ...] | None = None
  notes: dict[str, Any] = dataclasses.field(default_factory=dict)

  def latent_flow(self) -> Any:
    """The density of y in R^N, where likelihoods are usually compared (logit space of images)."""
    return standard_normal_flow(self.bijector)

  def flow(self) -> Any:
    """The density of the data x: images go in and come out."""
    if self.preprocessing is None:
      return self.latent_flow()
    return data_space_flow(self.bijector, self.preprocessing, self.event_shape)


def save(path: str | pathlib.Path, model: Model) -> None:
  """Writes the model as a .npz of its variables and one JSON string; beside, then renamed.

  Args:
    path: The file.
    model: Its potential must have a `config()`: those of this package do.

  Raises:
    NotImplementedError: The potential has none, or is none of this package's.
  """
  bijector, horizon = model.bijector, model.bijector.horizon
  described = {
    'format': FORMAT,
    'potential': _described(bijector.potential),
    'num_steps': horizon.num_steps,
    'step_size': horizon.step_size,
    'integrator': bijector.integrator.name,
    'dtype': bijector.dtype.name,
    'preprocessing': _described(model.preprocessing),
    'event_shape': model.event_shape and list(model.event_shape),
    'notes': model.notes,
  }
  arrays = {f'variable_{k}': v.numpy() for k, v in enumerate(_variables(bijector.potential))}
  with replacing(pathlib.Path(path)) as beside, beside.open('wb') as file:
    np.savez_compressed(file, model=json.dumps(described), **arrays)


def load(path: str | pathlib.Path) -> Model:
  """Reads what `save` wrote. Nothing in the file is executed.

  Args:
    path: The file.

  Returns:
    The model.

  Raises:
    ValueError: It is no model file, is damaged, or comes from a newer version.
  """
  try:
    with np.load(path, allow_pickle=False) as file:
      described = json.loads(str(file['model']))
      arrays = [file[f'variable_{k}'] for k in range(len(file.files) - 1)]
    found = described.get('format')
  except Exception as error:  # Whatever NumPy, zipfile, zlib and json raise of damaged bytes.
    raise ValueError(
      f'`path` {path} is no model file of ma_keras, or is damaged ({error}): write one with '
      'ma_keras.model_file.save.'
    ) from error
  if found != FORMAT:
    raise ValueError(
      f'`path` {path} has format {found}, and this version reads {FORMAT}: '
      'install the newest ma_keras.'
    )
  try:
    return _model(described, arrays)
  except (KeyError, TypeError, AttributeError, ValueError) as error:
    raise ValueError(f'`path` {path} is damaged, or was written by hand: {error}') from error


def _model(described: dict[str, Any], arrays: list[np.ndarray]) -> Model:
  """The model again."""
  dtype = tf.as_dtype(described['dtype'])
  potential = _made(described['potential'], dtype)
  variables = _variables(potential)
  if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
    raise ValueError('its arrays do not fit what it describes.')
  for variable, array in zip(variables, arrays):
    variable.assign(array)
  bijector = MongeAmpereBijector(
    potential, described['num_steps'], described['step_size'], described['integrator']
  )
  preprocessing = _made(described['preprocessing'], dtype)
  shape = described['event_shape']
  return Model(bijector, preprocessing, shape and tuple(shape), described['notes'])


def _variables(potential: potentials.Potential) -> list[tf.Variable]:
  """Trainable and not, each once, in an order that depends on the structure alone."""
  return list(potential.variables)


def _described(thing: Any) -> Any:
  """An object as {'class', 'arguments'}, and so are the objects within."""
  if isinstance(thing, list):
    return [_described(part) for part in thing]
  if not hasattr(thing, 'config'):
    return thing
  name = type(thing).__name__
  if CLASSES.get(name) is not type(thing):
    raise NotImplementedError(
      f'{name} cannot be written to a model file, which holds {sorted(CLASSES)} only: save its '
      'variables by tf.train.Checkpoint.'
    )
  return {'class': name, 'arguments': {k: _described(v) for k, v in thing.config().items()}}


def _made(described: Any, dtype: tf.DType) -> Any:
  """The object again."""
  if isinstance(described, list):
    return [_made(part, dtype) for part in described]
  if not isinstance(described, dict):
    return described
  cls = CLASSES.get(described.get('class', ''))
  if cls is None:
    raise ValueError(f'The model file asks for {described.get("class")!r}: unknown here.')
  arguments = {k: _made(v, dtype) for k, v in described['arguments'].items()}
  wanted = inspect.signature(cls).parameters
  if 'dtype' in wanted:
    arguments['dtype'] = dtype
  if 'seed' in wanted:  # Of first values, overwritten soon; of draws, if it is there already.
    arguments.setdefault('seed', 0)
  return cls(**arguments)
