"""Optimisers of Keras 3 (`keras`, which `tf.keras` is as well) as those of tf_keras."""

from __future__ import annotations

from typing import Any

import tf_keras

from ma_keras.keras_layers import is_of_keras3

# Hyperparameters that tf_keras has not, with the values that change nothing.
WITHOUT_EFFECT = {'loss_scale_factor': (None,), 'gradient_accumulation_steps': (None,)}


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
