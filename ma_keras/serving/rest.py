"""The predict API of TensorFlow Serving: rows or whole tensors in JSON.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import tensors
from .refusal import Refusal
from .servable import DEFAULT_SIGNATURE, Arrays, Servable, Signature
from .tensors import Field


def understood(request: Any, servable: Servable) -> tuple[Signature, Arrays, str]:
  """Signature, inputs and format of a request.

  Args:
    request: {'signature_name': optional, and either 'instances': rows or 'inputs': tensors}.
    servable: The model.

  Returns:
    Signature, arrays by name, and 'instances' or 'inputs'.

  Raises:
    Refusal: The request does not fit the signature (400).
  """
  if not isinstance(request, dict):
    raise Refusal(400, 'The body must be a JSON object, with `instances` or `inputs`.')
  kinds = sorted(set(request) - {'signature_name'})
  if kinds not in (['instances'], ['inputs']):
    raise Refusal(
      400,
      'The body must hold either `instances` (a list of rows) or `inputs` (whole tensors), and '
      f'perhaps `signature_name`; got {sorted(request)}.'[:500],
    )
  signature = servable.signature(request.get('signature_name', DEFAULT_SIGNATURE))
  arranged = _from_rows if kinds == ['instances'] else _from_whole
  values = arranged(signature, request[kinds[0]])
  arrays = {name: _array(values[name], field) for name, field in signature.inputs.items()}
  return signature, arrays, kinds[0]


def answered(outputs: Arrays, kind: str) -> Iterator[bytes]:
  """Pieces of the JSON answer: {'predictions': rows} or {'outputs': tensors}.

  An only output goes without its name.

  Args:
    outputs: Arrays by name.
    kind: 'instances' or 'inputs'.
  """
  if kind == 'instances':
    yield b'{"predictions":'
    yield from _rows(outputs)
  else:
    yield b'{"outputs":'
    yield from _columns(outputs)
  yield b'}'


def _rows(outputs: Arrays) -> Iterator[bytes]:
  if len(outputs) == 1:
    return tensors.json_list(*outputs.values())
  return tensors.json_rows(
    outputs, lambda columns: [dict(zip(columns, row)) for row in zip(*columns.values())]
  )


def _columns(outputs: Arrays) -> Iterator[bytes]:
  if len(outputs) == 1:
    yield from _whole(*outputs.values())
    return
  for i, (name, array) in enumerate(outputs.items()):
    yield (b',' if i else b'{') + tensors.to_json(name) + b':'
    yield from _whole(array)
  yield b'}'


def _whole(array: Any) -> Iterator[bytes]:
  if array.ndim:
    return tensors.json_list(array)
  text = b''.join(tensors.json_list(array[None]))
  return iter([text[1:-1]])


def _from_rows(signature: Signature, rows: Any) -> dict[str, Any]:
  """One list per input, out of one value or object per row."""
  names = list(signature.inputs)
  if not signature.has_rows:
    raise Refusal(400, f'This signature takes no rows: give `inputs`, an object of {names}.')
  if not isinstance(rows, list):
    raise Refusal(400, f'`instances` must be a list of rows, got {type(rows).__name__}.')
  if len(names) == 1 and dict not in set(map(type, rows)):
    return {names[0]: rows}
  for i, row in enumerate(rows):
    if not isinstance(row, dict) or set(row) != set(names):
      raise Refusal(400, f'`instances` row {i} (from 0) must be an object of {names}.')
  return {name: [row[name] for row in rows] for name in names}


def _from_whole(signature: Signature, values: Any) -> dict[str, Any]:
  """Tensors by name; an only one may go without."""
  names = list(signature.inputs)
  if len(names) == 1 and not isinstance(values, dict):
    return {names[0]: values}
  if not isinstance(values, dict) or set(values) != set(names):
    got = str(sorted(values) if isinstance(values, dict) else type(values).__name__)[:500]
    raise Refusal(400, f'`inputs` must be an object of {names}, got {got}.')
  return values


def _array(value: Any, field: Field) -> Any:
  try:
    return tensors.from_json(value, field)
  except ValueError as error:
    raise Refusal(400, f'`{field.name}` does not fit: {error}.') from error
