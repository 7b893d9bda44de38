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
from ma_keras.pretrained import sources
from ma_keras.saving import model_file
from ma_keras.transport import BrenierMap

SURVEY_ROWS = 10_000
ConfigT = TypeVar('ConfigT', bound=ModelConfig)


def load(config: ModelConfig) -> model_file.Model:
  """The model of --model, at --num_steps."""
  if config.model in pretrained.names():
    return at_depth(pretrained.load(config.model), config)
  if sources.is_address(config.model):
    source, _, name = config.model.rpartition('/')
    return at_depth(pretrained.load(name, source), config)
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
  return dataclasses.replace(model, bijector=model.bijector.in_steps(config.num_steps))


def check_steps(model: model_file.Model, config: ModelConfig) -> None:
  """Raises ValueError for an optimal map, which has no steps."""
  if isinstance(model.bijector, BrenierMap):
    raise ValueError(
      f'`--model` {config.model} holds an optimal map, which takes no steps that could be halved: '
      '`ma-keras score`, `sample` and `export` take it as it is.'
    )


def check_contexts(model: model_file.Model, config: ModelConfig) -> None:
  """Raises ValueError for contexts of which no table is known."""
  if model.is_conditional and model.contexts is None:
    raise ValueError(
      f'`--model` {config.model} is given contexts whose columns nobody has named: save it with '
      'model_file.Model(..., contexts=...), or in Python take ma_keras.load(path).flow().log_prob('
      'x, context=c).'
    )


def check_unconditional(model: model_file.Model, config: ModelConfig, remedy: str) -> None:
  """Raises ValueError for a density that is another under every context."""
  if model.is_conditional:
    names = ', '.join(column.name for column in model.contexts or ())
    raise ValueError(
      f'`--model` {config.model} is the density under contexts{names and f" ({names})"}: {remedy}.'
    )


def parts(model: model_file.Model, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Contexts [b, O] and points [b, N] of rows [b, O + N] of a table that was opened for it."""
  size = len(model.contexts or ())
  return rows[:, :size], rows[:, size:]


def warn_outside(model: model_file.Model, counts: np.ndarray) -> None:
  """Warns of contexts beyond the training rows; counts [O] says in how many rows."""
  for column, count in zip(model.contexts or (), counts.tolist()):
    if count:
      warn(
        f'{column.name} is outside of {column.least:g} to {column.greatest:g}, the range of the '
        f'training rows, in {count:,} rows: nothing is known of the density there.'
      )


def outside(model: model_file.Model, contexts: np.ndarray) -> np.ndarray:
  """Numbers of rows whose contexts [b, O] lie beyond those of the training rows, [O]."""
  columns = zip(model.contexts or (), contexts.T)
  return np.array([np.sum(column.outside(values)) for column, values in columns], int)


def given(model: model_file.Model, contexts: np.ndarray) -> model_file.Model:
  """The model of so many points as there are contexts [n, O], each under its own."""
  if not model.is_conditional:
    return model
  encoder = model.latent_flow().encoder
  observed = tf.constant(contexts, model.bijector.dtype)
  context = observed if encoder is None else encoder(observed)
  return dataclasses.replace(model, bijector=model.bijector.given(context), encoder=None)


def options(model: model_file.Model, contexts: np.ndarray) -> dict[str, tf.Tensor]:
  """Keyword arguments of the flow's methods: none, or `context`."""
  return {'context': tf.constant(contexts, model.bijector.dtype)} if model.is_conditional else {}


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
  for block in table.read(SURVEY_ROWS):
    rows = parts(model, block)[1]
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
