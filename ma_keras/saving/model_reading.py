"""Reads a model file: whatever its bytes are, nothing is executed, and little memory is taken."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.data.context_columns import ContextColumn
from ma_keras.distributions import conditions
from ma_keras.distributions.flow_chain import event_size
from ma_keras.files import archive
from ma_keras.saving import chains, descriptions, encoders, tfp_bijectors
from ma_keras.saving.model import (
  Model,
  check_contexts,
  check_event,
  check_finite,
  ordered_variables,
)

FORMAT = 2
MAP_FORMAT = 3  # Of files that hold a `BrenierMap`, which has no steps.
CHAIN_FORMAT = 4  # Of files that hold a `FlowChain`, each part of which has steps of its own.
FORMATS = (1, FORMAT, MAP_FORMAT, CHAIN_FORMAT)
# Where the description of the bijector stands.
ROOTS = {MAP_FORMAT: 'map', CHAIN_FORMAT: 'chain'}
MOST_VALUES = 500_000  # Of a description; more where the file is large.
# Keys of a description, and the JSON types of their values.
KEYS: dict[str, tuple[type, ...]] = {
  'format': (int,),
  **chains.FLOW,
  'dtype': (str,),
  'preprocessing': (dict, type(None)),
  'event_shape': (list, type(None)),
  'notes': (dict,),
  'base': (dict, type(None)),
  'columns': (list, type(None)),
  'encoder': (dict, type(None)),
  'contexts': (list, type(None)),
}
# Of a flow alone.
STEPS = ('potential', 'num_steps', 'step_size', 'integrator', 'options', 'encoder', 'contexts')
MAP_KEYS = {'map': (dict,), **{name: types for name, types in KEYS.items() if name not in STEPS}}
CONTEXTS = {name: KEYS[name] for name in ('encoder', 'contexts')}
SHARED_KEYS = {name: types for name, types in MAP_KEYS.items() if name != 'map'}
CHAIN_KEYS = {'chain': (list,), **SHARED_KEYS, **CONTEXTS}
KEYS_OF = {'map': MAP_KEYS, 'chain': CHAIN_KEYS, 'potential': KEYS}
# What older versions did not write, and for conditional densities alone is written today.
CONDITIONAL: dict[str, Any] = {'encoder': None, 'contexts': None}
ABSENT: dict[str, Any] = {'base': None, 'columns': None, 'options': {}, **CONDITIONAL}
DTYPES = ('float16', 'float32', 'float64')
MAPS = ('BrenierMap', 'PressurelessFlow')
PREPROCESSING = ('ColumnMaps', 'Pixels', 'Standardised', *tfp_bijectors.MAKERS)


def load(path: str | pathlib.Path) -> Model:
  """Reads what `save` wrote; executes nothing in it, and allocates no more than the file holds.

  Args:
    path: The file.

  Returns:
    The model.

  Raises:
    ValueError: It is no model file, is damaged, was written by hand, or by a newer version.
  """
  path = pathlib.Path(path)
  reading = f'`path` {path} is no model file of ma_keras, or is damaged'
  with contextlib.ExitStack() as stack:
    with _refusal(reading, ': write one with ma_keras.model_file.save.'):
      file = stack.enter_context(archive.opened(path))
      described = _description(file)
    if described.get('format') not in FORMATS:
      raise ValueError(
        f'`path` {path} has format {described.get("format")!r}, and this version reads '
        f'{FORMATS}: install the newest ma_keras.'
      )
    if described['format'] != MAP_FORMAT:
      absent = CONDITIONAL if described['format'] == CHAIN_FORMAT else ABSENT
      described = absent | described
    with _refusal(f'`path` {path} is damaged, or was written by hand'):
      return _model(described, file)


@contextlib.contextmanager
def _refusal(message: str, remedy: str = '.') -> Iterator[None]:
  """Turns any error into a ValueError: libraries raise whatever they do on damaged bytes."""
  try:
    yield
  except Exception as error:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')
    raise ValueError(f'{message} ({reason[:300]}){remedy}') from error


def _description(file: archive.Archive) -> dict[str, Any]:
  """The JSON object of a file, as plain values."""
  header = file.headers['model']
  if header.shape or header.dtype.kind != 'U':
    raise ValueError(f'its description is {header.dtype} {list(header.shape)}, and no text')
  text = str(file.read('model'))
  if sum(text.count(sign) for sign in ',[{') > max(MOST_VALUES, 2 * file.size):
    raise ValueError('its description has more values than any model')
  described = json.loads(text)
  if not isinstance(described, dict):
    raise ValueError('its description is no JSON object')
  return described


def _model(described: dict[str, Any], file: archive.Archive) -> Model:
  """The model again; its variables are made when all that is known of them fits the file."""
  root = ROOTS.get(described['format'], 'potential')
  parts = [described[name] for name in (root, 'preprocessing', 'base') if name in described]
  count = descriptions.num_arrays(parts)
  weights = _encoder_arrays(described, file)
  _check(described, root, len(file.headers) - 1 - count - len(weights))
  dtype = tf.as_dtype(described['dtype'])
  arrays = _arguments(file, count)
  with tf.Graph().as_default():  # Where variables have shapes and take no memory.
    shapes = [tuple(v.shape) for v in ordered_variables(_made(root, described, dtype, arrays))]
  variables = _variables(file, shapes, dtype, count, set(weights))
  made = _made(root, described, dtype, arrays)
  for variable, array in zip(ordered_variables(made), variables):
    variable.assign(array)
  bijector = chains.make_flow(made, described) if root == 'potential' else made
  size = event_size(bijector)
  preprocessing = descriptions.make(described['preprocessing'], dtype, arrays)
  base = descriptions.make(described['base'], dtype, arrays)
  shape = described['event_shape'] and tuple(described['event_shape'])
  columns = described['columns'] and tuple(described['columns'])
  check_event(size, preprocessing, shape, columns)
  if preprocessing is not None:
    image = preprocessing.forward(tf.zeros([1, size], dtype))
    if image.shape != [1, size]:
      raise ValueError(f'its preprocessing makes {image.shape} of [1, {size}]')
  encoder = None
  if described.get('encoder') is not None:
    given = conditions.context_size(bijector) or 0
    encoder = encoders.make(described['encoder'], list(weights.values()), given, dtype)
  contexts = described.get('contexts')
  contexts = contexts and tuple(map(ContextColumn.from_config, contexts))
  model = Model(
    bijector, preprocessing, shape, described['notes'], base, columns, encoder, contexts
  )
  model.latent_flow()  # Refuses a base of another size.
  if contexts is not None:
    check_contexts(model)
  return model


def _encoder_arrays(described: dict[str, Any], file: archive.Archive) -> dict[str, np.ndarray]:
  """Weights of the encoder by name, in order; all finite."""
  count = sum(name.startswith('encoder_') for name in file.headers)
  if described.get('encoder') is None:
    return {}
  arrays = {f'encoder_{k}': file.read(f'encoder_{k}') for k in range(count)}
  if any(array.dtype.kind not in encoders.KINDS for array in arrays.values()):
    raise ValueError('its encoder has weights that are no numbers')
  check_finite(arrays)
  return arrays


def _made(
  root: str, described: dict[str, Any], dtype: tf.DType, arrays: Sequence[np.ndarray]
) -> Any:
  """The potential, the map or the chain, whose variables have first values."""
  make = chains.make if root == 'chain' else descriptions.make
  return make(described[root], dtype, arrays)


def _check(described: dict[str, Any], root: str, variables: int) -> None:
  """Raises ValueError on keys, types and numbers that no model file of this version has."""
  keys = KEYS_OF[root]
  unknown, missing = sorted(described.keys() - keys.keys()), sorted(keys.keys() - described.keys())
  if unknown or missing:
    raise ValueError(f'keys {missing} are missing, {unknown} unknown: perhaps of a newer version')
  for name, types in keys.items():
    descriptions.check_number(name, described[name], types)
  if root == 'map' and described['map'].get('class') not in MAPS:
    raise ValueError(f'`map` is none of {MAPS}')
  if root == 'potential':
    chains.check_steps(described)
  if described['dtype'] not in DTYPES:
    raise ValueError(f'`dtype` is {described["dtype"]!r}, of {DTYPES}')
  for size in described['event_shape'] or ():
    descriptions.check_number('event_shape', size, (int,))
  if described['preprocessing'] and described['preprocessing'].get('class') not in PREPROCESSING:
    raise ValueError(f'`preprocessing` is none of {PREPROCESSING}')
  check = chains.check if root == 'chain' else descriptions.check
  check(described[root], variables)
  descriptions.check(described['preprocessing'], variables)
  if described.get('encoder') is not None:
    encoders.check(described['encoder'])


def _arguments(file: archive.Archive, count: int) -> list[np.ndarray]:
  """Arrays that arguments are made of, in float64, all finite."""
  arrays = {}
  for name in (f'array_{k}' for k in range(count)):
    if name not in file.headers:
      raise ValueError(f'it describes {count} arrays of arguments, and {name} is missing')
    if file.headers[name].dtype != np.float64:
      raise ValueError(f'{name} is {file.headers[name].dtype}, and no float64')
    arrays[name] = file.read(name)
  check_finite(arrays)
  return list(arrays.values())


def _variables(
  file: archive.Archive,
  shapes: list[tuple[int, ...]],
  dtype: tf.DType,
  count: int,
  further: Collection[str] = (),
) -> list[np.ndarray]:
  """The weights, of these shapes, all finite; the file holds `count` arguments and no more."""
  variables = [f'variable_{k}' for k in range(len(shapes))]
  if set(file.headers) != {'model', *variables, *(f'array_{k}' for k in range(count)), *further}:
    described = len(shapes) + count + len(further)
    raise ValueError(f'it holds {len(file.headers) - 1} arrays and describes {described}')
  for name, shape in zip(variables, shapes):
    header = file.headers[name]
    if header != (shape, dtype.as_numpy_dtype):
      raise ValueError(
        f'{name} is {header.dtype} {list(header.shape)}, and is described as {dtype.name} '
        f'{list(shape)}'
      )
  arrays = {name: file.read(name) for name in variables}
  check_finite(arrays)
  return list(arrays.values())
