"""The signatures of a SavedModel as functions of arrays."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from .refusal import Refusal, busy
from .tensors import Field

DEFAULT_SIGNATURE = 'serving_default'
MAX_SAMPLES = 10_000  # A short request must not ask for all the memory,
MAX_SAMPLED_NUMBERS = 2**22  # nor may one of few, but large, samples.
REMEDY = 'write one by ma_keras.export.save.'

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
  """A function of a SavedModel.

  Attributes:
    name: Its name.
    inputs: Name to dtype and shape.
    outputs: Name to dtype and shape.
    function: The function itself.
    is_compiled: True if XLA compiles it anew for every number of rows.
  """

  name: str
  inputs: dict[str, Field]
  outputs: dict[str, Field]
  function: Callable[..., dict[str, tf.Tensor]]
  is_compiled: bool = False

  @cached_property
  def has_rows(self) -> bool:
    """True if all inputs and outputs are lists of rows, so that requests can be put together."""
    return all(field.has_rows for field in [*self.inputs.values(), *self.outputs.values()])

  @cached_property
  def row_bytes(self) -> int:
    """Bytes that a row has in all outputs."""
    return sum(field.row_bytes for field in self.outputs.values())

  @cached_property
  def max_samples(self) -> int:
    """Bound of an input `n`, a number of samples."""
    numbers = sum(math.prod(size or 1 for size in f.shape[1:]) for f in self.outputs.values())
    return min(MAX_SAMPLES, MAX_SAMPLED_NUMBERS // max(numbers, 1))

  def rows(self, arrays: Arrays) -> int:
    """Number of rows, or of samples, that a call returns.

    Raises:
      Refusal: Inputs differ in their number of rows, or more samples are asked for than allowed.
    """
    if self.has_rows:
      lengths = {name: len(array) for name, array in arrays.items()}
      if len(set(lengths.values())) > 1:
        raise Refusal(400, f'All inputs must have equally many rows, got {lengths}.')
      return next(iter(lengths.values()))
    number = self.inputs.get('n')
    if number is None or number.shape != () or not number.is_integer:
      return 1
    n = int(arrays['n'])
    if not 0 <= n <= self.max_samples:
      raise Refusal(
        400,
        f'`n` must be in [0, {self.max_samples}], got {n}: for more, ask again with another seed.',
      )
    return max(n, 1)

  def __call__(self, arrays: Arrays) -> Arrays:
    """Outputs by name.

    Raises:
      Refusal: The model refuses the input (400), or memory is short (503).
    """
    try:
      outputs = self.function(**{name: tf.constant(array) for name, array in arrays.items()})
      return {name: outputs[name].numpy() for name in sorted(outputs)}
    except tf.errors.InvalidArgumentError as error:
      raise Refusal(400, f'The model refuses this input: {error.message}') from error
    except tf.errors.ResourceExhaustedError as error:
      raise busy('Memory is short: try again later, or send fewer rows.') from error


class Servable:
  """A loaded SavedModel.

  Attributes:
    version: Number of its folder; 1 if the folder has another name.
    signatures: Name to function.
  """

  def __init__(self, path: str | pathlib.Path) -> None:
    """Loads it.

    Args:
      path: Directory of the SavedModel.

    Raises:
      ValueError: The directory holds no SavedModel, or one that is damaged or has no signatures.
    """
    if not tf.saved_model.contains_saved_model(str(path)):
      raise ValueError(f'`path` {path} holds no SavedModel (saved_model.pb): {REMEDY}')
    try:
      self._module = tf.saved_model.load(str(path))
      self.signatures = {
        name: _signature(name, function) for name, function in self._module.signatures.items()
      }
    except Exception as error:  # TensorFlow raises what it likes on damaged files.
      why = str(error).partition('\n')[0]
      raise ValueError(f'`path` {path} holds a damaged SavedModel ({why}): {REMEDY}') from error
    if not self.signatures:
      raise ValueError(f'`path` {path} holds a SavedModel without signatures: {REMEDY}')
    name = pathlib.Path(path).resolve().name
    self.version = int(name) if name.isascii() and name.isdigit() else 1

  def signature(self, name: Any) -> Signature:
    """The signature of this name.

    Raises:
      Refusal: There is none (400).
    """
    if not isinstance(name, str) or name not in self.signatures:
      names = sorted(self.signatures)
      raise Refusal(400, f'`signature_name` must be one of {names}, got {name!r}.')
    return self.signatures[name]

  def warm_up(self) -> None:
    """Runs every signature of rows on a row of zeros, so that no request has to wait for it.

    Raises:
      ValueError: One fails for another reason than the numbers.
    """
    for signature in self.signatures.values():
      if not signature.has_rows:
        continue
      rows = [
        (f.name, [1, *(size or 1 for size in f.shape[1:])], f.dtype)
        for f in signature.inputs.values()
      ]
      try:
        signature({name: np.zeros(shape, dtype) for name, shape, dtype in rows})
      except Refusal:
        continue  # Zeros may lie outside the support.
      except Exception as error:
        why = str(error).partition('\n')[0]
        raise ValueError(f'signature {signature.name!r} does not run ({why}): {REMEDY}') from error

  def describe(self) -> dict[str, Any]:
    """Inputs and outputs of all signatures, as TensorFlow Serving describes them."""
    described = {
      name: {
        'inputs': _described(signature.inputs),
        'outputs': _described(signature.outputs),
        'method_name': 'tensorflow/serving/predict',
      }
      for name, signature in self.signatures.items()
    }
    return {'signature_def': {'signature_def': described}}


def _signature(name: str, function: Any) -> Signature:
  inputs = _fields(function.structured_input_signature[1])
  library = function.graph.as_graph_def().library.function
  compiled = any(part.attr['_XlaMustCompile'].b for part in library)
  return Signature(name, inputs, _fields(function.structured_outputs), function, compiled)


def _fields(specs: dict[str, tf.TensorSpec]) -> dict[str, Field]:
  return {
    name: Field(name, np.dtype(specs[name].dtype.as_numpy_dtype), tuple(specs[name].shape))
    for name in sorted(specs)
  }


def _described(fields: dict[str, Field]) -> dict[str, Any]:
  """Name to dtype and shape, in the words of the protocol buffer TensorInfo."""
  return {
    name: {
      'dtype': types_pb2.DataType.Name(tf.as_dtype(field.dtype).as_datatype_enum),
      'tensor_shape': {
        'dim': [{'size': str(-1 if size is None else size), 'name': ''} for size in field.shape],
        'unknown_rank': False,
      },
      'name': name,
    }
    for name, field in fields.items()
  }
