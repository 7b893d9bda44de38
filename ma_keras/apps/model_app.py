"""Apps that take a trained model: which one, at what depth, errors in one line."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import pretrained
from ma_keras.apps import process
from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.data import tables
from ma_keras.saving import model_file
from ma_keras.transport import BrenierMap

SURVEY_ROWS = 10_000
ConfigT = TypeVar('ConfigT', bound=ModelConfig)


def load(config: ModelConfig) -> model_file.Model:
  """The model of --model, at --num_steps."""
  if config.model in pretrained.names():
    return at_depth(pretrained.load(config.model), config)
  if not pathlib.Path(config.model).is_file():
    raise ValueError(
      f'`--model` {config.model} is neither a file nor one of {pretrained.names()}: pass the '
      'model.npz of a run directory.'
    )
  return at_depth(ma_keras.load(config.model), config)


def at_depth(model: model_file.Model, config: ModelConfig) -> model_file.Model:
  """Returns the flow in --num_steps steps; warns on stderr of what speaks against it."""
  if model.notes.get('doubts'):
    warn(f'`--model` {config.model} is in doubt since its training. {model.notes["doubts"]}')
  if not config.num_steps:
    return model
  check_steps(model, config)
  certified = model.bijector.horizon.num_steps
  if config.num_steps < certified:
    warn(
      f'`--num_steps` {config.num_steps} are fewer than the {certified} in which the log densities '
      'of this model are certified: `ma-keras certify` with the same flag tells by how much.'
    )
  time = model.bijector.horizon.time
  bijector = model.bijector.copy(num_steps=config.num_steps, step_size=time / config.num_steps)
  return dataclasses.replace(model, bijector=bijector)


def check_steps(model: model_file.Model, config: ModelConfig) -> None:
  """Raises ValueError for an optimal map, which has no steps."""
  if isinstance(model.bijector, BrenierMap):
    raise ValueError(
      f'`--model` {config.model} holds an optimal map, which takes no steps that could be halved: '
      '`ma-keras score`, `sample` and `export` take it as it is.'
    )


def warn(message: str) -> None:
  """One line on stderr; the work goes on."""
  print(f'Warning: {message}', file=sys.stderr, flush=True)


def latents(model: model_file.Model, x: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
  """y = preprocessing^-1(x) [b, N] and ln|det dy/dx| [b], of float64 x [b, N]."""
  if model.preprocessing is None:
    return tf.constant(x, model.bijector.dtype), tf.zeros(len(x), tf.float64)
  points = tf.constant(x, model.preprocessing.forward_dtype() or model.bijector.dtype)
  log_det = model.preprocessing.inverse_log_det_jacobian(points, event_ndims=1)
  y = tf.cast(model.preprocessing.inverse(points), model.bijector.dtype)
  return y, tf.cast(log_det, tf.float64)


def takes_noise(model: model_file.Model, table: tables.Table) -> bool:
  """Tells if rows are to be dequantised: whole numbers, of a model of pixels; may read all of them.

  Warns of numbers that were scaled to [0, 1], where nearly all pixels are black.
  """
  levels = model.levels
  if levels is None or table.levels is not None:
    return levels is not None
  whole, largest = True, 0.0
  for rows in table.read(SURVEY_ROWS):
    whole = whole and bool(np.all(rows == np.floor(rows)))
    largest = max(largest, float(np.max(np.abs(rows))))
    if largest > 1 and not whole:
      return False
  if largest <= 1 and levels > 2:
    warn(
      f'The numbers of {table.path} lie within [0, 1], and the pixels of the model within [0, '
      f'{levels}): if they were scaled, multiply them by {levels - 1}.'
    )
  return whole


def dequantised(rows: np.ndarray, start: int, seed: int) -> np.ndarray:
  """x + u, u ~ Uniform[0, 1)^N, of the rows from number `start` on."""
  noise = [np.random.default_rng([seed, start + k]).random(rows.shape[1]) for k in range(len(rows))]
  return rows + np.array(noise)


def main(config: ConfigT, work: Callable[[ConfigT], None]) -> None:
  """Does the work; what goes wrong, in one line."""
  process.begin()
  remedy = 'What was there before is whole. Free some, or lower --batch_size.'
  with process.ending(remedy, lambda: 'nothing was written: the same command begins anew.'):
    work(config)
