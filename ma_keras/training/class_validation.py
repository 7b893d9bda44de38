"""Accuracy of Bayes' rule on held-out points, every epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tf_keras

from ma_keras.posteriors.classes import Classification
from ma_keras.training.discrimination import Discrimination
from ma_keras.training.validation import Validation

MOST_POINTS = 512  # Each takes a solve per class.


class ClassValidation(tf_keras.callbacks.Callback):
  """Adds Bayes' rule on validation points to the logs, of a model with a `Discrimination`.

  | name | what |
  |---|---|
  | `val_accuracy` | share of points whose most probable class is their own |
  | `val_cross_entropy` | mean of -ln P(k of x given x), nats |
  | `val_objective` | `val_certified_nll`, and the cross-entropy by its weight: what is least |

  Place it after the `Validation`, and before the callbacks that read these.

  Attributes:
    validation: The `Validation`, of whose points at most 512, evenly spread, are classified in as
      many steps.
  """

  def __init__(self, validation: Validation) -> None:
    """Keeps the validation.

    Raises:
      TypeError: It is none.
    """
    super().__init__()
    if not isinstance(validation, Validation):
      raise TypeError(
        f'`validation` must be a training.Validation, got {type(validation).__name__}.'
      )
    self.validation = validation

  def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
    """Raises ValueError where the model has no classes, or a point is of none."""
    del logs
    if getattr(self.model, 'discrimination', None) is None:
      raise ValueError(
        '`ClassValidation` needs a model with classes: ConditionalLikelihood(..., '
        'discrimination=training.Discrimination(contexts)).'
      )
    self.model.discrimination.checked(self._rows()[:, : self.model.conditional.context_size])

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Measures, and adds to the logs.

    Raises:
      ValueError: The `Validation` comes later among the callbacks, or is none of them.
    """
    del epoch
    if logs is None:
      return
    if 'val_steps' not in logs:
      raise ValueError(
        '`ClassValidation` comes after its Validation: callbacks=[validation, '
        'training.ClassValidation(validation)].'
      )
    classification, labels = self.classified(int(logs['val_steps']))
    cross_entropy = classification.cross_entropy(labels)
    weight = self.model.discrimination.weight
    logs['val_accuracy'] = classification.accuracy(labels)[0]
    logs['val_cross_entropy'] = cross_entropy
    logs['val_objective'] = logs['val_certified_nll'] + weight * cross_entropy

  def classified(self, num_steps: int) -> tuple[Classification, np.ndarray]:
    """The points under all classes in so many steps, and their classes, whole numbers [n]."""
    return classified(self.validation, self.model.discrimination, self._rows(), num_steps)

  def _rows(self) -> np.ndarray:
    return spread(self.validation.points, MOST_POINTS)


def spread(rows: Any, most: int) -> np.ndarray:
  """At most so many rows, evenly spread: rows may be sorted by their classes."""
  return np.asarray(rows[:: max(1, math.ceil(len(rows) / most))])


def classified(
  validation: Validation, discrimination: Discrimination, rows: np.ndarray, num_steps: int
) -> tuple[Classification, np.ndarray]:
  """Rows [o, y] under all classes, and their classes, whole numbers [n].

  Args:
    validation: The `Validation` of the model, which scores rows.
    discrimination: The classes.
    rows: Contexts and points of the flow's space, [n, O + N].
    num_steps: Steps of the flow.
  """
  size = discrimination.contexts.shape[-1]
  labels = np.argmax(discrimination.classes(rows[:, :size]), axis=-1)
  log_probs = [
    validation.log_probs(
      np.concatenate([np.broadcast_to(context, [len(rows), size]), rows[:, size:]], axis=-1),
      num_steps,
    )
    for context in discrimination.contexts.astype(rows.dtype)
  ]
  return Classification(np.stack(log_probs, axis=-1), np.log(discrimination.prior)), labels
