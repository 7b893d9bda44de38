"""The Open Inference Protocol (V2) over HTTP: JSON, and raw bytes by its binary extension.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from . import tensors
from .refusal import Refusal
from .servable import DEFAULT_SIGNATURE, Arrays, Servable, Signature
from .tensors import Field

JSON_LENGTH = 'inference-header-content-length'  # Bytes of JSON ahead of the raw bytes.
PLATFORM = 'tensorflow_savedmodel'
DATATYPES = {
  'bool': 'BOOL',
  'float16': 'FP16',
  'float32': 'FP32',
  'float64': 'FP64',
  'bfloat16': 'BF16',
  **{
    f'{kind}{bits}': f'{kind}{bits}'.upper() for kind in ('int', 'uint') for bits in (8, 16, 32, 64)
  },
}
DTYPES = {
  datatype: np.dtype(tf.as_dtype(name).as_numpy_dtype) for name, datatype in DATATYPES.items()
}


class Question(NamedTuple):
  """An inference request that is understood.

  Attributes:
    signature: The function to call.
    arrays: Its inputs.
    id: Of the request, to be repeated; None if there is none.
    binary: Output name to True if it is wanted as raw bytes; the wanted outputs in order.
  """

  signature: Signature
  arrays: Arrays
  id: str | None
  binary: dict[str, bool]


def server_metadata(version: str) -> dict[str, Any]:
  """The answer at /v2."""
  return {'name': 'ma_keras', 'version': version, 'extensions': ['binary_tensor_data']}


def model_metadata(name: str, servable: Servable) -> dict[str, Any]:
  """The answer at /v2/models/NAME: inputs and outputs of the default signature, or the first."""
  signatures = servable.signatures
  signature = signatures.get(DEFAULT_SIGNATURE) or signatures[min(signatures)]
  return {
    'name': name,
    'versions': [str(servable.version)],
    'platform': PLATFORM,
    'inputs': [_described(field) for field in signature.inputs.values()],
    'outputs': [_described(field) for field in signature.outputs.values()],
    'parameters': {'signature_names': ','.join(sorted(signatures))},
  }


def understood(request: Any, raw: memoryview, servable: Servable) -> Question:
  """Reads an inference request.

  Args:
    request: The JSON part.
    raw: The bytes after it, of inputs with the parameter `binary_data_size`, in their order.
    servable: The model.

  Raises:
    Refusal: The request does not fit the protocol or the signature (400).
  """
  request = _object(request, 'the body')
  parameters = _object(request.get('parameters', {}), '`parameters`')
  signature = servable.signature(parameters.get('signature_name', DEFAULT_SIGNATURE))
  identity = request.get('id')
  if not isinstance(identity, str | None):
    raise Refusal(400, f'`id` must be a string, got {identity!r}.')
  arrays, start = {}, 0
  for entry in _named(request.get('inputs'), '`inputs`', signature.inputs):
    length = _object(entry.get('parameters', {}), 'parameters').get('binary_data_size')
    if length is None:
      arrays[entry['name']] = _from_data(entry, signature.inputs[entry['name']])
      continue
    if (
      not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= len(raw) - start
    ):
      raise Refusal(400, f'`binary_data_size` {length!r} is not what the body has.')
    field = signature.inputs[entry['name']]
    arrays[entry['name']] = _from_bytes(entry, raw[start : start + length], field)
    start += length
  if start != len(raw):
    raise Refusal(400, f'The body has {len(raw) - start} bytes that belong to no input.')
  if set(arrays) != set(signature.inputs):
    raise Refusal(400, f'`inputs` must be {list(signature.inputs)}, got {sorted(arrays)}.')
  return Question(signature, arrays, identity, _wanted(request, parameters, signature))


def answered(question: Question, outputs: Arrays, name: str, version: int) -> Answer:
  """The answer to a request.

  Args:
    question: The request.
    outputs: Arrays by name.
    name: Name of the model.
    version: Version of the model.
  """
  head: dict[str, Any] = {'model_name': name, 'model_version': str(version)}
  if question.id is not None:
    head['id'] = question.id
  if not any(question.binary.values()):
    return Answer(_text(head, question, outputs), None)
  text = b''.join(_text(head, question, outputs))
  raw = [outputs[name] for name, binary in question.binary.items() if binary]
  return Answer(_chain(text, raw), len(text))


class Answer(NamedTuple):
  """An answer in pieces.

  Attributes:
    pieces: Its bytes.
    json_length: Bytes of JSON ahead of raw bytes; None if all is JSON.
  """

  pieces: Iterator[bytes]
  json_length: int | None


def _chain(text: bytes, arrays: list[np.ndarray]) -> Iterator[bytes]:
  yield text
  for array in arrays:
    contiguous = np.ascontiguousarray(array).reshape(-1)
    for start in range(0, contiguous.size, tensors.CHUNK):
      yield contiguous[start : start + tensors.CHUNK].tobytes()


def _text(head: dict[str, Any], question: Question, outputs: Arrays) -> Iterator[bytes]:
  yield tensors.to_json(head)[:-1] + b',"outputs":['
  for i, (name, binary) in enumerate(question.binary.items()):
    array = outputs[name]
    entry: dict[str, Any] = {
      'name': name,
      'shape': list(array.shape),
      'datatype': DATATYPES[array.dtype.name],
    }
    if binary:
      entry['parameters'] = {'binary_data_size': array.nbytes}
    yield (b',' if i else b'') + tensors.to_json(entry)[:-1]
    if not binary:
      yield b',"data":'
      yield from tensors.json_list(array.reshape(-1))
    yield b'}'
  yield b']}'


def _wanted(
  request: dict[str, Any], parameters: dict[str, Any], signature: Signature
) -> dict[str, bool]:
  """Names of the outputs that are asked for, and which of them as raw bytes."""
  default = parameters.get('binary_data_output') is True
  if not request.get('outputs'):
    return dict.fromkeys(signature.outputs, default)
  entries = _named(request['outputs'], '`outputs`', signature.outputs)
  given = {e['name']: _object(e.get('parameters', {}), 'parameters') for e in entries}
  return {name: options.get('binary_data', default) is True for name, options in given.items()}


def _from_data(entry: dict[str, Any], field: Field) -> np.ndarray:
  """The array of a flat or nested list."""
  shape, dtype = _form(entry, field)
  data = entry.get('data')
  nested = isinstance(data, list) and bool(data) and isinstance(data[0], list)
  flat = Field(field.name, dtype, shape if nested else (None,))
  try:
    return tensors.checked(tensors.from_json(data, flat).reshape(shape), field)
  except ValueError as error:
    raise Refusal(400, f'`{field.name}` of shape {list(shape)} does not fit: {error}.') from error


def _from_bytes(entry: dict[str, Any], raw: memoryview, field: Field) -> np.ndarray:
  shape, dtype = _form(entry, field)
  if math.prod(shape) * dtype.itemsize != len(raw):
    raise Refusal(
      400,
      f'`{field.name}` of shape {list(shape)} and {entry["datatype"]} has '
      f'{math.prod(shape) * dtype.itemsize} bytes, `binary_data_size` is {len(raw)}.',
    )
  try:
    return tensors.checked(np.frombuffer(raw, dtype).reshape(shape), field)
  except ValueError as error:
    raise Refusal(400, f'`{field.name}` does not fit: {error}.') from error


def _form(entry: dict[str, Any], field: Field) -> tuple[tuple[int, ...], np.dtype]:
  """Shape and dtype that an input says it has; [1] will do for a scalar."""
  shape, datatype = entry.get('shape'), entry.get('datatype')
  if not (isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)):
    raise Refusal(400, f'`shape` of `{field.name}` must be a list of sizes, got {shape!r}.')
  if not isinstance(datatype, str) or datatype not in DTYPES:
    raise Refusal(
      400, f'`datatype` of `{field.name}` must be one of {list(DTYPES)}, got {datatype!r}.'
    )
  if field.shape == () and shape == [1]:
    shape = []
  if not field.fits(tuple(shape)):
    raise Refusal(400, f'`{field.name}` must be {field}, got shape {shape}.')
  if field.is_integer and not datatype.startswith(('INT', 'UINT')):
    raise Refusal(400, f'`{field.name}` must be {field}, got {datatype}.')
  return tuple(shape), DTYPES[datatype]


def _named(entries: Any, what: str, fields: dict[str, Field]) -> list[dict[str, Any]]:
  """Entries with different names that the signature has."""
  if not isinstance(entries, list):
    raise Refusal(400, f'{what} must be a list of objects, got {type(entries).__name__}.')
  names = [_object(entry, f'an entry of {what}').get('name') for entry in entries]
  for name in names:
    if not isinstance(name, str) or name not in fields or names.count(name) > 1:
      raise Refusal(400, f'{what} must have different names out of {list(fields)}, got {name!r}.')
  return entries


def _object(value: Any, what: str) -> dict[str, Any]:
  if not isinstance(value, dict):
    raise Refusal(400, f'{what} must be a JSON object, got {type(value).__name__}.')
  return value


def _described(field: Field) -> dict[str, Any]:
  shape = [-1 if size is None else size for size in field.shape]
  return {'name': field.name, 'datatype': DATATYPES[field.dtype.name], 'shape': shape}
