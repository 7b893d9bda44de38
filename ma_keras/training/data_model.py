"""The verbs of a tf_keras model, for models whose data are rows and have no labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.training import inputs, keras3, rows
from ma_keras.training.flow_model import FlowModel


class DataModel(FlowModel):
  """A FlowModel that learns from rows x: what `fit` takes, `evaluate` and `predict` take as well.

  | what | form |
  |---|---|
  | a table | x, (x,), (x, weights) or {'image': x}: arrays, tensors, data frames |
  | a stream | a `tf.data.Dataset`, a generator or a Sequence, of batches `rows.understood` takes |

  Rows have any numeric dtype, and any shape [...] of N numbers. Subclasses define the steps.
  """

  @property
  def row_size(self) -> int:
    """Numbers in a row: N."""
    return self.base.event_shape[-1]

  def joined(self, x: Any) -> Any:
    """The data in rows: as they are, unless a model takes them in parts."""
    return x

  def fit(
    self, x: Any = None, y: Any = None, batch_size: int | None = None, *args: Any, **options: Any
  ) -> Any:
    """Trains; see `tf_keras.Model.fit` for what is not said here.

    Args:
      x: A table or a stream.
      y: None.
      batch_size: Rows a step, of a table; the model's `batch_size`, or else 32, by default.
      *args: `epochs`, `verbose` and so on, in tf_keras's order.
      **options: Further arguments of tf_keras's fit. `sample_weight` [n] says how often a row of a
        table stands; `validation_data` has any form of `x`; `class_weight` is refused.

    Returns:
      tf_keras's History.

    Raises:
      RuntimeError: The model has not been compiled.
      ValueError: The data are no rows, or come with labels.
    """
    if options.get('class_weight') is not None:
      raise ValueError('`class_weight` needs classes, and a density has none: use `sample_weight`.')
    inside = self.is_inside if self.jit_compile else None  # XLA drops what the steps assert.
    x = self._prepared(x, y, options.pop('sample_weight', None), inside)
    if options.get('validation_data') is not None:
      validation = self.joined(options['validation_data'])
      options['validation_data'] = inputs.validation(validation, self.row_size)
    return super().fit(x, None, self._rows_a_step(x, batch_size), *args, **options)

  def evaluate(
    self,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = 'auto',
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **options: Any,
  ) -> float | dict[str, float]:
    """The mean of -ln p(x) over the rows, nats.

    Args:
      x: A table or a stream.
      y: None.
      batch_size: Rows at once, of a table.
      verbose: As in tf_keras.
      sample_weight: How often each row of a table stands, [n].
      steps: Number of batches, of a stream without end.
      callbacks: As in tf_keras.
      return_dict: Whether to return all metrics by name.
      **options: Further arguments of tf_keras's evaluate.

    Returns:
      The mean; or all metrics by name.

    Raises:
      RuntimeError: The model has not been compiled.
      ValueError: The data are no rows, or come with labels.
    """
    x = self._prepared(x, y, sample_weight)
    options |= {'verbose': verbose, 'steps': steps, 'callbacks': keras3.callbacks(callbacks)}
    size = self._rows_a_step(x, batch_size)
    logs = super().evaluate(x, batch_size=size, return_dict=True, **options)
    return logs if return_dict else float(logs['loss'])

  def predict(
    self, x: Any = None, batch_size: int | None = None, *args: Any, **options: Any
  ) -> np.ndarray:
    """ln p(x) of the data, [n] nats, the preprocessing's log-det included.

    Args:
      x: A table or a stream; weights in it are ignored.
      batch_size: Rows at once, of a table.
      *args: `verbose`, `steps`, `callbacks`, in tf_keras's order.
      **options: The same by name.

    Raises:
      ValueError: The data are no rows.
    """
    x = inputs.prepared(self.joined(x), event_size=self.row_size)
    if 'callbacks' in options:
      options['callbacks'] = keras3.callbacks(options['callbacks'])
    return super().predict(x, self._rows_a_step(x, batch_size), *args, **options)

  def train_on_batch(
    self,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: None = None,
    reset_metrics: bool = True,
    return_dict: bool = False,
  ) -> float | dict[str, float]:
    """One step on these rows; returns the loss, or all metrics by name."""
    if class_weight is not None:
      raise ValueError('`class_weight` needs classes, and a density has none: use `sample_weight`.')
    x = self._prepared(x, y, sample_weight)
    logs = super().train_on_batch(x, reset_metrics=reset_metrics, return_dict=True)
    return logs if return_dict else float(logs['loss'])

  def test_on_batch(
    self,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    reset_metrics: bool = True,
    return_dict: bool = False,
  ) -> float | dict[str, float]:
    """`evaluate` of these rows at once."""
    x = self._prepared(x, y, sample_weight)
    logs = super().test_on_batch(x, reset_metrics=reset_metrics, return_dict=True)
    return logs if return_dict else float(logs['loss'])

  def predict_on_batch(self, x: Any) -> np.ndarray:
    """`predict` of these rows at once."""
    return super().predict_on_batch(inputs.prepared(self.joined(x), event_size=self.row_size))

  def call(self, x: Any, training: Any = None, mask: Any = None) -> tf.Tensor:
    """ln p(x), [b]: what `predict` returns, of tensors or of an `Input` of tf_keras.

    Args:
      x: A batch.
      training: Makes no difference.
      mask: Makes no difference.
    """
    del training, mask
    return self.predict_step(x)

  def is_inside(self, x: tf.Tensor) -> tf.Tensor:
    """Tells which rows [b, N] the model can be trained on, bool [b]; all, by default."""
    return tf.ones(tf.shape(x)[:1], tf.bool)

  def _prepared(self, x: Any, y: Any, weights: Any, inside: rows.Inside | None = None) -> Any:
    """The data as tf_keras reads them, for a model that has been compiled."""
    self.check_compiled()
    return inputs.prepared(self.joined(x), y, weights, self.row_size, inside)

  def _rows_a_step(self, x: Any, batch_size: int | None) -> int | None:
    """Rows of a table per batch; streams have batches already."""
    if batch_size is not None and not is_whole(batch_size):
      raise ValueError(f'`batch_size` must be positive and whole, got {batch_size!r}.')
    return batch_size or (self.batch_size if isinstance(x, dict) else None)
