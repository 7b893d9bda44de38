"""Every way in which Keras saves, for a model that is a flow: to the bit, or refused by name."""

from __future__ import annotations

import os
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, TypeVar

import h5py
import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras.files.replacing import replacing
from ma_keras.layers.own_variables import OwnVariables

H5_SUFFIXES = ('.h5', '.hdf5', '.keras')
GROUP = 'flow'  # Of an HDF5 file of weights.
ModelT = TypeVar('ModelT', bound='SavedFlow')


class SavedFlow(OwnVariables, tf_keras.Model):
  """Saves a FlowModel in all the ways of Keras, pickle and copy.

  | call | what comes back |
  |---|---|
  | `save_weights`, any suffix; `get_weights` | variables, into a model that is built alike |
  | `pickle`, `copy.deepcopy`, `joblib` | everything, the optimiser and its step included |
  | `save('model.keras')`, `clone_model` | everything a model file describes, and the optimiser |
  | `save(folder)`, `save('model.h5')` | refused |

  Subclasses say by `arguments` what they are made of.
  """

  # tf_keras's BackupAndRestore deletes the model's own at the end; the next fit asks for it.
  _training_state = None

  def arguments(self) -> dict[str, Any]:
    """The constructor's arguments, by name, as they are now."""
    raise NotImplementedError

  def get_config(self) -> dict[str, Any]:
    """Plain values that Keras makes the model of again.

    Raises:
      NotImplementedError: Subclasses may have none.
    """
    raise NotImplementedError(
      f'{type(self).__name__} has no description: save its weights by '
      "model.save_weights('w.weights.h5'), or all of it by pickle.dump(model, file)."
    )

  def own_variables(self) -> list[tf.Variable]:
    """Variables of the flow, its base's included, the count of refinements, and a multiplier."""
    multiplier = [] if self.log_multiplier is None else [self.log_multiplier]
    return [*self.bijector.variables, *self.base.variables, self.refinements, *multiplier]

  def save_weights(
    self, filepath: Any, overwrite: bool = True, save_format: str | None = None, options: Any = None
  ) -> None:
    """Writes the variables: HDF5 by suffix or `save_format='h5'`, else a TensorFlow checkpoint."""
    path = os.fspath(filepath)
    if path.endswith('.weights.h5') or not _is_h5(path, save_format):
      super().save_weights(path, overwrite=overwrite, save_format=save_format, options=options)
      return
    if not overwrite and pathlib.Path(path).exists():
      raise FileExistsError(f'`filepath` {path} exists: pass overwrite=True, or another name.')
    with replacing(pathlib.Path(path)) as beside, h5py.File(beside, 'w') as file:
      self.save_own_variables(file.create_group(GROUP))

  def load_weights(
    self, filepath: Any, skip_mismatch: bool = False, by_name: bool = False, options: Any = None
  ) -> Any:
    """Assigns what `save_weights` wrote.

    Raises:
      ValueError: The file is of a model of another structure; nothing is changed.
    """
    if skip_mismatch or by_name:
      raise ValueError(
        '`skip_mismatch` and `by_name` would leave a flow half loaded: build the model as the one '
        'that was saved, load_weights(filepath).'
      )
    path = os.fspath(filepath)
    whole = os.path.isfile(path) and zipfile.is_zipfile(path)
    if os.path.isfile(path) and not (whole or h5py.is_hdf5(path)):
      raise ValueError(f'`filepath` {path} is no file of weights: it is neither HDF5 nor .keras.')
    if os.path.isfile(path) and not whole and not path.endswith('.weights.h5'):
      with h5py.File(path) as file:
        if GROUP not in file:
          raise ValueError(f'`filepath` {path} holds no weights of a flow.')
        self.load_own_variables(file[GROUP])
      return None
    if not os.path.isfile(path):
      _check_checkpoint(path, self)
    return super().load_weights(path, options=options)

  def save(
    self, filepath: Any, overwrite: bool = True, save_format: str | None = None, **options: Any
  ) -> None:
    """Writes the whole model as `.keras`.

    Raises:
      ValueError: Another format.
      NotImplementedError: A part of the model has no description.
    """
    path = os.fspath(filepath)
    if not path.endswith('.keras') or save_format not in (None, 'keras', 'keras_v3'):
      raise ValueError(
        f"`filepath` {path!r}: a flow's model is saved whole as model.save('model.keras'), its "
        "variables by model.save_weights('w.weights.h5'), and for machines without Keras by "
        "model.export('folder')."
      )
    self.get_config()  # Refuses before there is half a file.
    super().save(path, overwrite=overwrite, **options)

  def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Class and arguments, the optimiser's state, and what training has counted."""
    state = {
      'accumulate': self.accumulate,
      'refinements': self.refinements.numpy(),
      'log_multiplier': None if self.log_multiplier is None else self.log_multiplier.numpy(),
      'optimizer': _optimizer_state(getattr(self, 'optimizer', None)),
    }
    return _remade, (type(self), self.arguments(), state)

  def __deepcopy__(self: ModelT, memo: dict[int, Any]) -> ModelT:
    """A model of its own, by way of bytes: TensorFlow's optimisers have no copy of their own."""
    memo[id(self)] = twin = pickle.loads(pickle.dumps(self))
    return twin


def _is_h5(path: str, save_format: str | None) -> bool:
  if save_format is None:
    return path.endswith(H5_SUFFIXES)
  return save_format in ('h5', 'hdf5', 'keras')


def _check_checkpoint(path: str, model: Any) -> None:
  """Raises ValueError unless a checkpoint has all variables of the flow, and no others of one."""
  try:
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
  except (tf.errors.OpError, ValueError) as error:
    raise ValueError(f'`filepath` {path} is no file of weights: {error}') from error
  for name in ('bijector', 'base'):
    saved = sorted(
      tuple(shape)
      for key, shape in shapes.items()
      if key.startswith(f'{name}/') and '/.OPTIMIZER_SLOT/' not in key
    )
    wanted = sorted(tuple(v.shape) for v in getattr(model, name).variables)
    if saved != wanted:
      raise ValueError(
        f'`filepath` {path} holds variables of shapes {saved} in its {name}, and the model has '
        f'{wanted}: build it as the one that was saved.'
      )


def _optimizer_state(optimizer: Any) -> dict[str, Any] | None:
  """Configuration and variables of an optimiser."""
  if optimizer is None:
    return None
  values = [v.numpy() for v in optimizer.variables]
  return {'serialized': tf_keras.optimizers.serialize(optimizer), 'values': values}


def _remade(cls: Callable[..., Any], arguments: dict[str, Any], state: dict[str, Any]) -> Any:
  """The model again, compiled as it was."""
  model = cls(**arguments)
  model.accumulate = state['accumulate']
  model.refinements.assign(state['refinements'])
  if model.log_multiplier is not None:
    model.log_multiplier.assign(state['log_multiplier'])
  optimizer = state['optimizer']
  if optimizer is not None:
    model.compile(tf_keras.optimizers.deserialize(optimizer['serialized']))
    restore(model, optimizer['values'])
  return model


def restore(model: Any, values: list[np.ndarray]) -> None:
  """Assigns the optimiser's variables, which it makes here if it had made them there."""
  if len(values) > len(model.optimizer.variables):
    model.optimizer.build(model.trainable_variables)
  for variable, value in zip(model.optimizer.variables, values):
    variable.assign(value)
