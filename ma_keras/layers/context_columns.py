"""A layer that makes features of the context columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

KINDS = ('real', 'heavy', 'category')


@tf_keras.saving.register_keras_serializable('ma_keras')
class ContextColumns(tf_keras.layers.Layer):
  """Features of rows o [B, O]: scaled numbers, and one-hot vectors of codes of categories.

  | kind of a column | features of its value v |
  |---|---|
  | 'real' | (v - centre) / scale |
  | 'heavy' | asinh((v - centre) / scale) |
  | 'category' | e_v of `size` numbers, v = 0..size - 1; NaN of any other v, which no density has |

  ```python
  columns = ContextColumns(['real', 'category'], centre=[40, 0], scale=[12, 1], sizes=[1, 3])
  encoder = tf_keras.Sequential([tf_keras.Input((2,)), columns, tf_keras.layers.Dense(8, 'tanh')])
  ```

  Attributes:
    kinds: Kind of every column, [O].
    centre: What is subtracted, [O].
    scale: What is divided by, positive, [O].
    sizes: Number of features of every column, [O].
  """

  def __init__(
    self,
    kinds: Sequence[str],
    centre: Sequence[float],
    scale: Sequence[float],
    sizes: Sequence[int],
    **options: Any,
  ) -> None:
    """Checks the columns.

    Args:
      kinds: Of `KINDS`, one a column.
      centre: Numbers, of which those of categories are unused.
      scale: Positive numbers.
      sizes: Number of categories, and 1 for numbers.
      **options: Of a Keras layer: name, dtype.

    Raises:
      ValueError: They are not as many, or a kind, scale or size is none.
    """
    super().__init__(**options)
    self.kinds, self.sizes = list(kinds), [int(size) for size in sizes]
    self.centre, self.scale = [float(c) for c in centre], [float(s) for s in scale]
    parts = (self.kinds, self.centre, self.scale, self.sizes)
    if not self.kinds or len({len(part) for part in parts}) > 1:
      raise ValueError(
        '`kinds`, `centre`, `scale` and `sizes` must have one value for every column, got '
        f'{[len(part) for part in parts]}.'
      )
    for kind, scale_here, size in zip(self.kinds, self.scale, self.sizes):
      if kind not in KINDS or not scale_here > 0 or size < 1 or (kind != 'category' and size > 1):
        raise ValueError(
          f'A column must be of a kind of {KINDS}, with a positive scale and size, 1 of numbers, '
          f'got {kind!r}, {scale_here} and {size}.'
        )

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Features [B, sum of sizes] of rows [B, O]."""
    return tf.concat(
      [self._features(k, inputs[:, k : k + 1]) for k in range(len(self.kinds))], axis=-1
    )

  def _features(self, number: int, values: tf.Tensor) -> tf.Tensor:
    """Features [B, size] of a column [B, 1]."""
    if self.kinds[number] == 'category':
      codes = tf.range(self.sizes[number], dtype=values.dtype)
      matches = tf.cast(tf.equal(values, codes), values.dtype)
      known = tf.reduce_any(tf.equal(values, codes), axis=-1, keepdims=True)
      return tf.where(known, matches, tf.constant(float('nan'), values.dtype))
    scaled = (values - self.centre[number]) / self.scale[number]
    return tf.asinh(scaled) if self.kinds[number] == 'heavy' else scaled

  def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
    """[B, sum of sizes]."""
    return tf.TensorShape([input_shape[0], sum(self.sizes)])

  def get_config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    own = {name: list(getattr(self, name)) for name in ('kinds', 'centre', 'scale', 'sizes')}
    return {**super().get_config(), **own}
