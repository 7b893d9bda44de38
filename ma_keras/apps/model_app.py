"""What the apps share that take a trained model: which one, at what depth, errors in one line."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable

import numpy as np
from absl import flags

import ma_keras
from ma_keras import model_file, pretrained
from ma_keras.apps import process

FLAGS = flags.FLAGS
flags.DEFINE_string(
  'model', None, 'The model.npz of a run, or the name of a pretrained model.', required=True
)
flags.DEFINE_integer(
  'num_steps',
  0,
  'Integration steps d over the same T; 0: as the file says, where they are certified.',
  lower_bound=0,
)
flags.DEFINE_integer('batch_size', 100, 'Points flowed at once.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Names every random number drawn.', lower_bound=0)


def load() -> model_file.Model:
  """The model of --model, at --num_steps."""
  if FLAGS.model in pretrained.names():
    return at_depth(pretrained.load(FLAGS.model))
  if not pathlib.Path(FLAGS.model).is_file():
    raise ValueError(
      f'`--model` {FLAGS.model} is neither a file nor one of {pretrained.names()}: pass the '
      'model.npz of a run directory.'
    )
  return at_depth(ma_keras.load(FLAGS.model))


def at_depth(model: model_file.Model) -> model_file.Model:
  """Returns the flow in --num_steps steps; warns on stderr of what speaks against it."""
  if model.notes.get('doubts'):
    warn(f'`--model` {FLAGS.model} is in doubt since its training. {model.notes["doubts"]}')
  if not FLAGS.num_steps:
    return model
  certified = model.bijector.horizon.num_steps
  if FLAGS.num_steps < certified:
    warn(
      f'`--num_steps` {FLAGS.num_steps} are fewer than the {certified} in which the log densities '
      'of this model are certified: `ma-keras certify` with the same flag tells by how much.'
    )
  time = model.bijector.horizon.time
  bijector = model.bijector.copy(num_steps=FLAGS.num_steps, step_size=time / FLAGS.num_steps)
  return model_file.Model(bijector, model.preprocessing, model.event_shape, model.notes)


def warn(message: str) -> None:
  """One line on stderr; the work goes on."""
  print(f'Warning: {message}', file=sys.stderr, flush=True)


def dequantised(rows: np.ndarray, start: int) -> np.ndarray:
  """x + u, u ~ Uniform[0, 1)^N, of the rows from number `start` on."""
  noise = [
    np.random.default_rng([FLAGS.seed, start + k]).random(rows.shape[1]) for k in range(len(rows))
  ]
  return rows + np.array(noise)


def main(argv: list[str], work: Callable[[], None]) -> None:
  """Does the work; what goes wrong, in one line."""
  process.begin(argv)
  remedy = 'What was there before is whole. Free some, or lower --batch_size.'
  with process.ending(remedy, lambda: 'nothing was written: the same command begins anew.'):
    work()
