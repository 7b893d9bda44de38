"""Keras models that encode contexts, as plain values: layers of a list, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import importlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.distributions.encoder import Encoder
from ma_keras.layers import context_columns

PACKAGES = ('keras', 'tf_keras')
MODELS = ('Sequential', 'Functional')
# Layers that a model file may ask for: none runs code of the file, and none makes much of little.
LAYERS = frozenset(
  {'Activation', 'Add', 'Average', 'AveragePooling1D', 'AveragePooling2D', 'BatchNormalization'}
  | {'Concatenate', 'Conv1D', 'Conv2D', 'Dense', 'DepthwiseConv2D', 'Dot', 'Dropout', 'ELU'}
  | {'Embedding', 'Flatten', 'GRU', 'GaussianNoise', 'GlobalAveragePooling1D'}
  | {'GlobalAveragePooling2D', 'GlobalMaxPooling1D', 'GlobalMaxPooling2D', 'GroupNormalization'}
  | {'Identity', 'InputLayer', 'LSTM', 'LayerNormalization', 'LeakyReLU', 'MaxPooling1D'}
  | {'MaxPooling2D', 'Maximum', 'Minimum', 'Multiply', 'Normalization', 'PReLU', 'Permute'}
  | {'ReLU', 'Rescaling', 'Reshape', 'SeparableConv2D', 'SimpleRNN', 'Softmax'}
  | {'SpatialDropout1D', 'SpatialDropout2D', 'Subtract', 'UnitNormalization'}
)
OWN = {
  'module': context_columns.__name__,
  'class_name': context_columns.ContextColumns.__name__,
  'registered_name': f'ma_keras>{context_columns.ContextColumns.__name__}',
}
# Objects within a layer, by the last part of their module. A layer of any name would do as an
# initialiser: Keras looks for it by name alone.
PARTS = {
  'initializers': {'Constant', 'GlorotNormal', 'GlorotUniform', 'HeNormal', 'HeUniform', 'Identity'}
  | {'LecunNormal', 'LecunUniform', 'Ones', 'Orthogonal', 'RandomNormal', 'RandomUniform'}
  | {'TruncatedNormal', 'VarianceScaling', 'Zeros'},
  'regularizers': {'L1', 'L1L2', 'L2', 'OrthogonalRegularizer'},
  'constraints': {'MaxNorm', 'MinMaxNorm', 'NonNeg', 'UnitNorm'},
}
PLAIN = ('DTypePolicy', 'Policy', '__keras_tensor__')
MOST_LAYERS = 1000
MOST_INPUTS = 1 << 24  # O, of which a row of zeros is made.
KEYS = {'package', 'model', 'config'}
KINDS = 'iuf'  # Whole and real numbers.


def describe(encoder: Encoder) -> dict[str, Any]:
  """The model as {'package', 'model', 'config'}, the last as Keras has it.

  Raises:
    NotImplementedError: It is no Sequential or functional model of Keras's own layers.
  """
  model = encoder.model
  package, kind = type(model).__module__.partition('.')[0], type(model).__name__
  remedy = (
    'a model file holds Sequential and functional models of tf_keras and Keras 3. Save the '
    'variables by tf.train.Checkpoint, or all of the flow by pickle.'
  )
  if package not in PACKAGES or kind not in MODELS:
    raise NotImplementedError(f'`encoder` {model.name!r} is a {type(model).__qualname__}: {remedy}')
  described = {'package': package, 'model': kind, 'config': _plain(model.get_config())}
  try:
    remade = make(described, weights(encoder), encoder.context_size, encoder.dtype)
  except Exception as error:  # Keras raises what it likes on functions that it does not know.
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')[:300]
    raise NotImplementedError(f'`encoder` {model.name!r}: {reason}; {remedy}') from error
  rows = _probes(encoder.input_size)
  if not np.array_equal(encoder(rows), remade(rows), equal_nan=True):
    raise NotImplementedError(
      f'`encoder` {model.name!r} is another when it is made again of what Keras says of it and of '
      f'its weights, as with an activation of its own that is named like one of Keras: {remedy}'
    )
  return described


def make(
  described: dict[str, Any], arrays: Sequence[np.ndarray], context_size: int, dtype: tf.DType
) -> Encoder:
  """The encoder again, with these weights; raises ValueError where they are of another model.

  Args:
    described: Result of `describe`.
    arrays: Its weights.
    context_size: C.
    dtype: Floating dtype of the contexts.
  """
  check(described)
  model = _untrained(described, arrays)
  for variable, array in zip(model.weights, arrays):
    variable.assign(array)
  for layer in model.layers:
    if hasattr(layer, 'finalize_state'):  # A Normalization computes with what it finds here.
      layer.finalize_state()
  return Encoder(model, context_size, dtype)


def _probes(size: int) -> np.ndarray:
  """Three rows that suit any layer, codes of categories included."""
  return np.stack([np.zeros(size), np.ones(size), np.arange(1, size + 1) / (size + 1)])


def weights(encoder: Encoder) -> list[np.ndarray]:
  """Values of the model's weights, in an order that depends on its layers alone."""
  return [np.asarray(variable) for variable in encoder.model.weights]


def check(described: dict[str, Any]) -> None:
  """Raises ValueError on what `make` should not even try."""
  if described.keys() != KEYS or described['package'] not in PACKAGES:
    raise ValueError(f'an encoder is described by {sorted(KEYS)}, of {PACKAGES}')
  if described['model'] not in MODELS or not isinstance(described['config'], dict):
    raise ValueError(f'an encoder is one of {MODELS}')
  layers = described['config'].get('layers')
  if not isinstance(layers, list) or not 0 < len(layers) <= MOST_LAYERS:
    raise ValueError(f'an encoder has 1 to {MOST_LAYERS} layers')
  for layer in layers:
    _check_layer(layer)
  for part in _objects(described['config']):
    for name, value in part.items():
      if name.endswith('activation') and not isinstance(value, str | None):
        raise ValueError(f"`{name}` must be a function of Keras's by its name, as 'silu' is")
    if 'class_name' in part and not any(part is layer for layer in layers):
      _check_part(part)


def _check_layer(layer: Any) -> None:
  """Raises ValueError unless it is a layer of the list, in the format that names its module."""
  asked = {name: layer.get(name) for name in OWN} if isinstance(layer, dict) else {}
  package, *modules = str(asked.get('module')).split('.')
  name, registered = asked.get('class_name'), asked.get('registered_name')
  listed = package in PACKAGES and modules == ['layers'] and name in LAYERS
  if asked != OWN and not (listed and registered in (None, name)):
    raise ValueError(
      f'it asks for {registered or name!r} of {asked.get("module")}, and layers of encoders are '
      f'{", ".join(sorted(LAYERS))}'
    )


def _check_part(part: dict[str, Any]) -> None:
  """Raises ValueError unless it is an initialiser, a regulariser or a constraint of the lists."""
  name, registered = part['class_name'], part.get('registered_name')
  package, *modules = str(part.get('module', 'keras')).split('.')
  listed = name in PLAIN or name in PARTS.get(modules[-1] if modules else '', ())
  if package not in PACKAGES or not listed or registered not in (None, name):
    raise ValueError(
      f'it asks for {registered or name!r} of {part.get("module")} within a layer, where '
      f'initialisers, regularisers and constraints of Keras belong'
    )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
  """All dictionaries within: descriptions {'class_name', ...}, and their parts."""
  if isinstance(config, dict):
    yield config
  parts = config.values() if isinstance(config, dict) else config
  if isinstance(config, dict | list):
    for part in parts:
      yield from _objects(part)


def _untrained(described: dict[str, Any], arrays: Sequence[np.ndarray]) -> Any:
  """The model, whose variables take no memory before their shapes are those of the arrays."""
  package = importlib.import_module(described['package'])
  if described['package'] == 'tf_keras':
    with tf.Graph().as_default():
      _check_sizes(_model(package, described), arrays)
    return _model(package, described)
  with _deferred(package):
    model = _model(package, described)
    _check_sizes(model, arrays)
  return model


@contextlib.contextmanager
def _deferred(package: Any) -> Iterator[None]:
  """Lets Keras 3 make variables at the end, and none where there was an error."""
  state = importlib.import_module('keras.src.backend.common.global_state')
  try:
    with package.StatelessScope(initialize_variables=False):
      yield
  except Exception:  # Keras would make them at the end of the next such scope of anybody.
    state.set_global_attribute('uninitialized_variables', [])
    raise
  with package.StatelessScope():
    pass  # Its end makes them.


def _model(package: Any, described: dict[str, Any]) -> Any:
  model = getattr(package, 'Model' if described['model'] == 'Functional' else 'Sequential')
  library = importlib.import_module(f'{described["package"]}.src.saving.serialization_lib')
  with library.SafeModeScope(True):  # No code of a file, were it to pass `check`.
    made = model.from_config(copy.deepcopy(described['config']))  # Keras takes it to pieces.
  shape: Any = made.input_shape if made.built else ()
  if len(shape) != 2 or not 0 < (shape[-1] or 0) <= MOST_INPUTS:
    raise ValueError(f'an encoder takes rows, and its input is {shape}')
  return made


def _check_sizes(model: Any, arrays: Sequence[np.ndarray]) -> None:
  """Raises ValueError on other weights, and on outputs of layers beyond any use."""
  described = [(tuple(v.shape), tf.as_dtype(v.dtype).as_numpy_dtype) for v in model.weights]
  given = [(array.shape, array.dtype) for array in arrays]
  if described != given:
    raise ValueError(f'its encoder has weights {described[:4]}, and the file {given[:4]}')
  nodes = [node for layer in model.layers for node in layer._inbound_nodes]
  named = 'outputs' if model.__module__.startswith('tf_keras') else 'output_tensors'
  outputs = [getattr(node, named) for node in nodes]
  shapes = [tensor.shape[1:] for tensor in tf.nest.flatten(outputs)]
  total = sum(math.prod(size or 1 for size in shape) for shape in shapes)
  if total > MOST_INPUTS:  # Sums of a row and a column, say, that have no weights.
    raise ValueError(f'layers of its encoder make {total:,} numbers of a row')


def _plain(config: Any) -> Any:
  """Lists for tuples and Python's numbers for NumPy's, as JSON would have them."""
  if isinstance(config, dict):
    return {name: _plain(value) for name, value in config.items()}
  if isinstance(config, list | tuple):
    return [_plain(value) for value in config]
  if isinstance(config, np.ndarray | np.generic):
    return config.tolist()
  if config is None or isinstance(config, bool | int | str):
    return config
  if isinstance(config, float) and math.isfinite(config):
    return config
  kind = type(config)
  if hasattr(config, 'get_config'):  # A dtype policy or an initialiser that Keras left as it is.
    return {
      'module': '.'.join(kind.__module__.split('.')[:1]),
      'class_name': kind.__name__,
      'config': _plain(config.get_config()),
      'registered_name': None,
    }
  return {'class_name': kind.__qualname__, 'module': kind.__module__}  # `check` refuses it.
