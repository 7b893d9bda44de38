"""Shape and dtype of the events of a flow, and remedies for others."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials.base import Potential

# Part of a column's standard deviation that rounding may take without a word.
MATERIAL = 1e-3


@dataclasses.dataclass(frozen=True)
class Events:
  """Events x in R^N: vectors of shape [N], with any leading dimensions.

  Attributes:
    size: N.
    dtype: Floating dtype.
  """

  size: int
  dtype: tf.DType

  @classmethod
  def of_potential(cls, potential: Any, dtype: tf.DType | None) -> Events:
    """Events that a potential moves.

    Args:
      potential: phi.
      dtype: Floating dtype; that of the potential's variables by default, or float32.

    Raises:
      TypeError: `potential` is not a Potential, or holds Keras 3 layers whose variables are hidden.
      ValueError: The dtype is not floating, or not the potential's.
    """
    if not isinstance(potential, Potential):
      raise TypeError(
        f'`potential` must be a ma_keras.potentials.Potential, got {type(potential).__name__}. '
        'Wrap a Keras model as potentials.KerasModel(model, event_size).'
      )
    potential.check_variables()
    dtype = tf.as_dtype(dtype or potential.dtype or tf.float32)
    if not dtype.is_floating:
      raise ValueError(f'`dtype` must be floating, got {dtype.name}: events live in R^N.')
    if potential.dtype not in (None, dtype):
      raise ValueError(
        f'`dtype` {dtype.name} is not that of the potential, {potential.dtype.name}: '
        f'build the potential with dtype=tf.{dtype.name}.'
      )
    return cls(potential.event_size, dtype)

  def checked(self, x: tf.Tensor) -> tf.Tensor:
    """x as a tensor [..., N].

    Raises:
      ValueError: Its last axis is not N.
    """
    x, n = of_dtype(x, self.dtype), self.size
    if x.shape.rank is None:
      with tf.control_dependencies([self._assertion(x)]):
        return tf.identity(x)
    if x.shape.rank == 0 or x.shape[-1] not in (None, n):
      raise ValueError(
        f'Events must have shape [..., {n}], got {x.shape}. {self._remedy()} '
        'Flatten images with tfb.Reshape.'
      )
    return tf.ensure_shape(x, [*x.shape[:-1], n])

  def _assertion(self, x: tf.Tensor) -> tf.Operation:
    """Fails when it runs, unless x of unknown rank has the shape [..., N]."""
    last = tf.concat([[0], tf.shape(x)], axis=0)[-1]
    message = f'Events must have shape [..., {self.size}].'
    return tf.debugging.assert_equal(last, self.size, message)

  def checked_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    """The event shape of a base distribution.

    Raises:
      ValueError: It does not end in N.
    """
    if shape.rank is not None and (shape.rank == 0 or shape[-1] not in (None, self.size)):
      raise ValueError(f'The base distribution has events of shape {shape}. {self._remedy()}')
    return shape

  def check_ndims(self, event_ndims: int) -> None:
    """Meets a scalar base before it samples nonsense: TFP would not promote batch to event.

    Raises:
      ValueError: Events have no dimensions.
    """
    if event_ndims == 0:
      raise ValueError(f'The base distribution has scalar events. {self._remedy()}')

  def _remedy(self) -> str:
    return (
      f'This bijector needs events of shape [{self.size}]: for a standard normal base write '
      f'tfd.Sample(tfd.Normal(0., 1.), {self.size}); for one with parameters of shape '
      f'[{self.size}] write tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1); '
      'ma_keras.standard_normal_flow(bijector) builds the whole distribution.'
    )


def of_dtype(x: Any, dtype: tf.DType, widen: bool = True) -> Any:
  """x as a tensor of that dtype: as it is, or converted where that loses nothing.

  Args:
    x: Whatever makes a tensor.
    dtype: Floating dtype.
    widen: Whether a floating tensor may become one of more digits; integers always may.

  Raises:
    ValueError: A tensor has another dtype, and conversion may change its numbers; or an array is
      complex.
  """
  dtype = tf.as_dtype(dtype)
  if not tf.is_tensor(x):
    if isinstance(x, np.ndarray) and np.iscomplexobj(x):  # TensorFlow would take the real part.
      raise ValueError(f'Events must be real, got {x.dtype}: pass real and imaginary part apart.')
    if isinstance(x, np.ndarray):
      _warn_of_rounding(x, dtype)
    return tf.convert_to_tensor(x, dtype=dtype)
  if x.dtype == dtype:
    # A variable becomes its value. A tensor stays the same object, also of Keras: caches find it.
    return tf.convert_to_tensor(x) if isinstance(x, tf.Variable) else x
  if not _is_exact(x.dtype, dtype) or (x.dtype.is_floating and not widen):
    other = tf.float64 if x.dtype.is_integer else x.dtype
    remedy = f', or build the potential with dtype=tf.{other.name}' if other.is_floating else ''
    raise ValueError(
      f'No dtype {dtype.name} for Tensor with dtype {x.dtype.name}, which may lose digits: events '
      f'of this flow are {dtype.name}, so pass tf.cast(x, tf.{dtype.name}){remedy}.'
    )
  return tf.cast(x, dtype)


def _warn_of_rounding(x: np.ndarray, dtype: tf.DType) -> None:
  """Warns where rows [..., N] become others: Unix seconds in float32, an offset beside a scale."""
  if x.dtype.kind != 'f' or x.ndim < 2 or x.size == 0 or x.dtype.itemsize <= dtype.size:
    return
  rows = x.reshape(-1, x.shape[-1])
  with np.errstate(over='ignore', invalid='ignore'):
    losses = np.abs(rows - rows.astype(dtype.as_numpy_dtype)).max(axis=0)
    deviations = rows.std(axis=0)
    varies = deviations > 1e-12 * np.abs(rows).max(axis=0)  # Constants have one of rounding alone.
    shares = np.divide(losses, deviations, out=np.zeros_like(losses), where=varies)
  worst = int(np.argmax(shares))
  if shares[worst] > MATERIAL:
    warnings.warn(
      f'{x.dtype} is rounded to {dtype.name}, which takes {losses[worst]:.3g} off numbers of '
      f'column {worst}, whose standard deviation is {deviations[worst]:.3g}: standardise in '
      'float64 first (data.Standardised, data.ColumnMaps), or build the potential with '
      'dtype=tf.float64.',
      stacklevel=2,
    )


def _is_exact(source: tf.DType, target: tf.DType) -> bool:
  """Tells if every number of a real dtype is one of the other, floating."""
  digits = {'bfloat16': 8, 'float16': 11, 'float32': 24, 'float64': 53}
  if source.is_integer:
    return 8 * source.size - (0 if source.is_unsigned else 1) <= digits.get(target.name, 0)
  return digits.get(source.name, 99) <= digits.get(target.name, 0) and target.name != 'float16'
