"""Arguments of fit, evaluate and predict, as tf_keras takes them: checked, nothing rounded."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras.training import rows

UNDERSTOOD = (
  'an array or tensor [n, N] (a data frame, too), (x, weights), a tf.data.Dataset of batches, a '
  'generator of them or a Sequence'
)

ROWS_AT_ONCE = 4096


class TensorSequence(tf_keras.utils.Sequence):
  """A Sequence, of tf_keras or of Keras 3, whose batches are tensors, checked: those keep float64.

  Attributes:
    sequence: What is read.
    check: What hands on a batch that is one of rows.
  """

  def __init__(self, sequence: Any, check: Callable[[Any], Any]) -> None:
    """Keeps the arguments."""
    self.sequence = sequence
    self.check = check

  def __len__(self) -> int:
    """Number of batches."""
    return len(self.sequence)

  def __getitem__(self, index: int) -> Any:
    """Batch of that index."""
    return self.check(tensors(self.sequence[index]))

  def on_epoch_end(self) -> None:
    """Hands on."""
    if hasattr(self.sequence, 'on_epoch_end'):
      self.sequence.on_epoch_end()


def prepared(
  x: Any,
  y: Any = None,
  weights: Any = None,
  event_size: int = 1,
  inside: rows.Inside | None = None,
) -> Any:
  """Returns what tf_keras is to read, whose batches `rows.understood` takes apart.

  Arrays become the dictionary {'x': x, 'sample_weight': weights} of tensors: tf_keras would round
  arrays of float64 to float32, and drop weights without labels. What is prepared already stays.

  Args:
    x: One of `UNDERSTOOD`; arrays may come as a dictionary of one entry, or beside their weights.
    y: None: a density has no labels.
    weights: `sample_weight`, [n], for arrays.
    event_size: N.
    inside: Tells which rows the model can take, see `rows.checked`.

  Returns:
    A dictionary of tensors, or a stream.

  Raises:
    ValueError: There are labels, weights beside a stream, nothing at all, or values that no density
      is of: NaN, infinity, negative weights.
  """
  if y is not None:
    raise ValueError(
      'A density has no labels `y`: leave it out, and give weights as sample_weight=, fit(x, '
      'sample_weight=weights).'
    )
  if x is None:
    raise ValueError(f'`x` is missing: give {UNDERSTOOD}.')
  stream = _stream(x, event_size, inside)
  if stream is None:
    table = _table(x, weights, event_size)
    if inside is not None:
      _check_inside(table['x'], inside)
    return table
  if weights is not None:
    raise ValueError(
      f'`sample_weight` goes with arrays, and `x` is a {type(x).__name__}: let its batches be '
      'pairs (x, weights).'
    )
  return stream


def validation(data: Any, event_size: int) -> Any:
  """`validation_data`, in any form of `x`, as tf_keras takes it."""
  stream = _stream(data, event_size)
  return (_table(data, None, event_size),) if stream is None else stream


def tensors(batch: Any) -> Any:
  """A batch whose arrays are tensors, of their own dtypes."""
  if isinstance(batch, Mapping):
    return {name: tensors(value) for name, value in batch.items()}
  if isinstance(batch, tuple):
    return tuple(None if part is None else tensors(part) for part in batch)
  return batch if tf.is_tensor(batch) else tf.convert_to_tensor(_native(batch, 'x'))


def _stream(x: Any, event_size: int, inside: rows.Inside | None = None) -> Any:
  """Returns a stream, which has batches already, as tf_keras reads it; None of arrays."""
  check = functools.partial(rows.checked, event_size=event_size, inside=inside)
  if isinstance(x, tf.data.Dataset):
    return x.map(tf.autograph.experimental.do_not_convert(lambda *batch: check(_one(batch))))
  if isinstance(x, tf.distribute.DistributedDataset | TensorSequence):
    return x
  if isinstance(x, tf_keras.utils.experimental.DatasetCreator):
    return x
  kinds = {(kind.__module__.split('.')[0], kind.__name__) for kind in type(x).__mro__}
  if {('keras', 'PyDataset'), ('tf_keras', 'Sequence')} & kinds:
    return TensorSequence(x, check)
  if inspect.isfunction(x):
    raise ValueError(f'`x` is the function {x.__name__}: call it, fit({x.__name__}(), ...).')
  if isinstance(x, Iterator):
    return (check(tensors(batch)) for batch in x)
  return None


def _one(batch: tuple[Any, ...]) -> Any:
  """A batch as a step meets it: `Dataset.map` hands on a tuple's parts one by one."""
  return batch[0] if len(batch) == 1 else batch


def _table(x: Any, weights: Any, event_size: int) -> dict[str, tf.Tensor]:
  """Arrays, checked, as tensors."""
  _, data, inner = rows.parts(_arrays(x))
  if weights is not None and inner is not None:
    raise ValueError('There are weights in `x` and in `sample_weight`: give one of them.')
  _check_finite(data, 'x')
  points = rows.points(data, event_size)
  if not len(points):
    raise ValueError(f'`x` has no rows, its shape is {list(points.shape)}.')
  if weights is None and inner is None:
    return {'x': points}
  weights = inner if weights is None else _native(weights, 'sample_weight')
  return {
    'x': points,
    'sample_weight': _checked_weights(weights, len(points), isinstance(x, tuple)),
  }


def _arrays(x: Any) -> Any:
  """Data frames, lists of rows and the like as arrays, within a tuple or dictionary, too."""
  if isinstance(x, Mapping):
    return {name: _native(value, name) for name, value in x.items()}
  if isinstance(x, tuple):
    return tuple(None if part is None else _arrays(part) for part in x)
  return _native(x, 'x')


def _native(x: Any, name: str) -> Any:
  """A tensor as it is; anything else as an array of numbers, its bytes in this machine's order."""
  rows.check_dense(x)
  if tf.is_tensor(x):
    return x
  if np.ma.isMaskedArray(x) and np.ma.getmaskarray(x).any():
    raise ValueError(f'`{name}` is a masked array: remove the rows with masked numbers.')
  try:
    array = x if isinstance(x, np.ndarray) else np.asarray(x)
  except ValueError:  # Rows of different lengths.
    array = np.asarray(None)
  if array.dtype.kind not in 'biuf':
    raise ValueError(
      f'`{name}` must be {UNDERSTOOD}, of numbers; got {type(x).__name__} of {array.dtype}.'
    )
  if array.dtype.kind == 'f' and array.dtype.itemsize > 8:
    return array.astype(np.float64)
  return array.astype(array.dtype.newbyteorder('='), copy=False)


def _checked_weights(weights: Any, number: int, beside: bool) -> tf.Tensor:
  """Weights [n] in floating numbers."""
  array = np.asarray(weights)
  if array.ndim == 2 and array.shape[1] == 1:
    array = array[:, 0]
  if array.shape != (number,):
    raise ValueError(
      f'`sample_weight` must have shape [{number}], one for every row of `x`, got '
      f'{list(array.shape)}; a density has no labels.'
    )
  if beside and array.dtype.kind != 'f':
    raise ValueError(
      f'The pair (x, {array.dtype}) looks like labels, which a density has not: leave them out, or '
      'give whole weights as sample_weight=.'
    )
  _check_finite(array, 'sample_weight')
  if np.any(array < 0) or not np.any(array > 0):
    labels = ' If they are labels, leave them out.' if beside else ''
    raise ValueError(
      f'`sample_weight` must not be negative, nor zero throughout: the least, of row '
      f'{np.argmin(array)}, is {array.min()}, the largest {array.max()}.{labels}'
    )
  if beside and array.min() < array.max() and np.array_equal(array, np.round(array)):
    warnings.warn(
      f'The pair (x, {array.dtype} of whole numbers, {array.min():g} to {array.max():g}) is read '
      'as rows and how often each stands. Labels must be left out; weights beyond doubt are '
      'sample_weight=.',
      stacklevel=2,
    )
  return tf.convert_to_tensor(array if array.dtype.kind == 'f' else array.astype(np.float64))


def _check_inside(x: tf.Tensor, inside: rows.Inside) -> None:
  """Raises ValueError on rows outside of a support, with the first of them."""
  for first in range(0, len(x), ROWS_AT_ONCE):
    outside = np.flatnonzero(~inside(x[first : first + ROWS_AT_ONCE]).numpy())
    if len(outside):
      raise ValueError(f'{rows.OUTSIDE}, row {first + outside[0]}: remove such rows.')


def _check_finite(x: Any, name: str) -> None:
  """Raises ValueError on NaN or infinity, with the first row of them."""
  array = np.asarray(x)
  if array.dtype.kind == 'f' and not np.all(np.isfinite(array)):
    bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
    raise ValueError(
      f'`{name}` holds NaN or infinity in {len(bad)} of {len(array)} rows, the first of them row '
      f'{bad[0]}: remove those rows.'
    )
