"""Optimisers and callbacks of Keras 3 (`keras`, which `tf.keras` is) as those of tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tf_keras

from ma_keras.layers.keras_layers import is_of_keras3

# Hyperparameters that tf_keras has not, with the values that change nothing.
WITHOUT_EFFECT = {'loss_scale_factor': (None,), 'gradient_accumulation_steps': (None,)}

# Callbacks that reach into a model of Keras 3, and do nothing in one of tf_keras.
OF_MODELS_OF_KERAS3 = ('BackupAndRestore', 'OrbaxCheckpoint', 'SwapEMAWeights', 'TensorBoard')
HOOKS = [
  f'on_{verb}_{what}_{end}'.replace('__', '_')
  for end in ('begin', 'end')
  for verb, what in (
    *(('train', ''), ('test', ''), ('predict', ''), ('epoch', '')),
    *(('train', 'batch'), ('test', 'batch'), ('predict', 'batch')),
  )
]


class HandedOn(tf_keras.callbacks.Callback):
  """A callback of Keras 3, told all that tf_keras tells its own."""

  def __init__(self, callback: Any) -> None:
    """Keeps the callback."""
    super().__init__()
    self.callback = callback

  def set_params(self, params: Any) -> None:
    """Hands on the arguments of `fit`."""
    self.callback.set_params(params)

  def set_model(self, model: Any) -> None:
    """Hands on the model."""
    self.callback.set_model(model)


def _handing_on(name: str) -> Callable[..., None]:
  def hook(self: HandedOn, *arguments: Any, **options: Any) -> None:
    getattr(self.callback, name)(*arguments, **options)

  return hook


for _name in HOOKS:
  setattr(HandedOn, _name, _handing_on(_name))


def callbacks(chosen: Any) -> Any:
  """The callbacks of `fit`, those of Keras 3 in a form that tf_keras takes.

  Args:
    chosen: A callback, a list of them, a `CallbackList` or None.

  Raises:
    ValueError: One of them works within models of Keras 3 alone.
  """
  if isinstance(chosen, list | tuple):
    return [callbacks(callback) for callback in chosen]
  if not is_of_keras3(chosen, 'Callback'):
    return chosen
  for name in OF_MODELS_OF_KERAS3:
    if is_of_keras3(chosen, name):
      raise ValueError(
        f'`callbacks`: {name} of Keras 3 reaches into models of Keras 3: use one of those in '
        'tf_keras.callbacks.'
      )
  return HandedOn(chosen)


def optimizer(chosen: Any) -> Any:
  """The tf_keras optimiser of the same class and hyperparameters; any other object stays as it is.

  A schedule of the learning rate comes along. The optimiser that was given stays untouched, and
  takes no part in training: its rate is that of `model.optimizer`.

  Args:
    chosen: What `compile` was given.

  Raises:
    ValueError: tf_keras has no such class or hyperparameter, or the optimiser has taken steps.
  """
  if not is_of_keras3(chosen, 'Optimizer'):
    return chosen
  remedy = 'give compile an optimiser of tf_keras, tf_keras.optimizers.Adam(1e-3) say.'
  if int(chosen.iterations) > 0:
    raise ValueError(f'`optimizer` {chosen.name!r} of Keras 3 has taken steps already: {remedy}')
  try:
    return _translated(chosen, tf_keras.optimizers)
  except (AttributeError, TypeError, ValueError) as error:
    raise ValueError(
      f'`optimizer` {type(chosen).__name__} of Keras 3 has no like in tf_keras ({error}): {remedy}'
    ) from error


def _translated(thing: Any, package: Any) -> Any:
  """An object of the class of the same name in a package of tf_keras."""
  if type(thing).__module__.split('.')[0] != 'keras':
    raise ValueError(f'{type(thing).__name__} is a class of its own')
  config = thing.get_config()
  for name, values in WITHOUT_EFFECT.items():
    if config.pop(name, values[0]) not in values:
      raise ValueError(f'{name} is not known there')
  rate = getattr(thing, '_learning_rate', None)
  if is_of_keras3(rate, 'LearningRateSchedule'):
    config['learning_rate'] = _translated(rate, tf_keras.optimizers.schedules)
  return getattr(package, type(thing).__name__)(**config)
