"""The signatures of a SavedModel as functions of JSON values: TensorFlow Serving's predict."""

from __future__ import annotations

import os
import pathlib
import threading
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from . import tensors

DEFAULT_SIGNATURE = 'serving_default'
MAX_SAMPLES = 10_000  # A short request must not ask for all the memory.


class Refusal(Exception):
  """A request that is answered by an error: its HTTP status and what is wrong."""

  def __init__(self, status: int, message: str) -> None:
    """Keeps the status.

    Args:
      status: HTTP status.
      message: Names what is wrong, and the remedy.
    """
    super().__init__(message)
    self.status = status


class Servable:
  """A loaded SavedModel that answers requests as TensorFlow Serving does.

  Attributes:
    signatures: Name to function.
  """

  def __init__(self, path: str | pathlib.Path) -> None:
    """Loads it.

    Args:
      path: Directory of the SavedModel.

    Raises:
      ValueError: It holds none, or one that is damaged or has no signatures.
    """
    remedy = 'write one by ma_keras.export.save.'
    if not tf.saved_model.contains_saved_model(str(path)):
      raise ValueError(f'`path` {path} holds no SavedModel (saved_model.pb): {remedy}')
    try:
      self._module = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises what it likes on damaged files.
      why = str(error).partition('\n')[0]
      raise ValueError(f'`path` {path} holds a damaged SavedModel ({why}): {remedy}') from error
    self.signatures: dict[str, Any] = dict(self._module.signatures)
    if not self.signatures:
      raise ValueError(f'`path` {path} holds a SavedModel without signatures: {remedy}')
    # More at once would only take memory: each call uses all cores.
    self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)

  def predict(self, request: Any) -> dict[str, Any]:
    """Answers a request of the predict API.

    Args:
      request: {'signature_name': optional, and either 'instances': rows or 'inputs': tensors}.

    Returns:
      {'predictions': rows} or {'outputs': tensors}; an only output goes without its name.

    Raises:
      Refusal: The request does not fit the signature.
    """
    signature, kind = self._chosen(request)
    specs = signature.structured_input_signature[1]
    arranged = _from_rows if kind == 'instances' else _from_whole
    given = arranged(signature, specs, request[kind])
    values = self._run(signature, {k: _tensor(k, spec, given[k]) for k, spec in specs.items()})
    if len(values) == 1:
      (answer,) = values.values()
    elif kind == 'instances':
      answer = [dict(zip(values, row)) for row in zip(*values.values())]
    else:
      answer = values
    return {'predictions' if kind == 'instances' else 'outputs': answer}

  def metadata(self) -> dict[str, Any]:
    """Inputs and outputs of all signatures, as TensorFlow Serving describes them."""
    described = {
      name: {
        'inputs': _described(signature.structured_input_signature[1]),
        'outputs': _described(signature.structured_outputs),
        'method_name': 'tensorflow/serving/predict',
      }
      for name, signature in self.signatures.items()
    }
    return {'signature_def': {'signature_def': described}}

  def _chosen(self, request: Any) -> tuple[Any, str]:
    """The signature, and which of 'instances' and 'inputs' there is."""
    if not isinstance(request, dict):
      raise Refusal(400, 'The body must be a JSON object, with `instances` or `inputs`.')
    kinds = sorted(set(request) - {'signature_name'})
    if kinds not in (['instances'], ['inputs']):
      raise Refusal(
        400,
        'The body must hold either `instances` (a list of rows) or `inputs` (whole tensors), and '
        f'perhaps `signature_name`; got {sorted(request)}.',
      )
    name = request.get('signature_name', DEFAULT_SIGNATURE)
    if not isinstance(name, str) or name not in self.signatures:
      known = sorted(self.signatures)
      raise Refusal(400, f'`signature_name` must be one of {known}, got {name!r}.')
    return self.signatures[name], kinds[0]

  def _run(self, signature: Any, arguments: dict[str, tf.Tensor]) -> dict[str, Any]:
    try:
      with self._turns:
        outputs = signature(**arguments)
        return {name: outputs[name].numpy().tolist() for name in sorted(outputs)}
    except tf.errors.InvalidArgumentError as error:
      raise Refusal(400, f'The model refuses this input: {error.message}') from error


def _from_rows(signature: Any, specs: dict[str, Any], rows: Any) -> dict[str, Any]:
  """One list per input, out of one value or object per row."""
  if not all(map(tensors.has_rows, [*specs.values(), *signature.structured_outputs.values()])):
    raise Refusal(
      400, f'This signature takes no rows: give `inputs`, an object of {sorted(specs)}.'
    )
  if not isinstance(rows, list):
    raise Refusal(400, f'`instances` must be a list of rows, got {type(rows).__name__}.')
  if len(specs) == 1 and not any(isinstance(row, dict) for row in rows):
    return {name: rows for name in specs}
  for i, row in enumerate(rows):
    if not isinstance(row, dict) or set(row) != set(specs):
      raise Refusal(400, f'`instances` row {i} (from 0) must be an object of {sorted(specs)}.')
  return {name: [row[name] for row in rows] for name in specs}


def _from_whole(signature: Any, specs: dict[str, Any], given: Any) -> dict[str, Any]:
  """Tensors by name; an only one may go without."""
  del signature
  if len(specs) == 1 and not isinstance(given, dict):
    return {name: given for name in specs}
  if not isinstance(given, dict) or set(given) != set(specs):
    got = sorted(given) if isinstance(given, dict) else type(given).__name__
    raise Refusal(400, f'`inputs` must be an object of {sorted(specs)}, got {got}.')
  return given


def _tensor(name: str, spec: tf.TensorSpec, value: Any) -> tf.Tensor:
  try:
    tensor = tensors.from_json(value, spec)
  except ValueError as error:
    raise Refusal(400, f'`{name}` does not fit: {error}.') from error
  if name == 'n' and spec.dtype.is_integer and spec.shape.rank == 0:
    _check_number(int(tensor))
  return tensor


def _check_number(n: int) -> None:
  if not 0 <= n <= MAX_SAMPLES:
    raise Refusal(
      400, f'`n` must be in [0, {MAX_SAMPLES}], got {n}: for more, ask again with another seed.'
    )


def _described(specs: dict[str, Any]) -> dict[str, Any]:
  """Name to dtype and shape, in the words of the protocol buffer TensorInfo."""
  return {
    name: {
      'dtype': types_pb2.DataType.Name(spec.dtype.as_datatype_enum),
      'tensor_shape': {
        'dim': [{'size': str(-1 if size is None else size), 'name': ''} for size in spec.shape],
        'unknown_rank': False,
      },
      'name': name,
    }
    for name, spec in specs.items()
  }
