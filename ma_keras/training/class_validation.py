"""Accuracy of Bayes' rule on held-out points, every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from ma_keras.posteriors.classes import Classification
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
    validation: Whose first points, 512 at most, and numbers of steps these are.
  """

  def __init__(self, validation: Validation) -> None:
    """Keeps the validation."""
    super().__init__()
    self.validation = validation

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Measures, and adds to the logs."""
    del epoch
    if logs is None:
      return
    discrimination = self.model.discrimination
    found, labels = self._classified(int(logs['val_steps']))
    cross_entropy = found.cross_entropy(labels)
    logs['val_accuracy'] = found.accuracy(labels)[0]
    logs['val_cross_entropy'] = cross_entropy
    logs['val_objective'] = logs['val_certified_nll'] + discrimination.weight * cross_entropy

  def _classified(self, num_steps: int) -> tuple[Classification, np.ndarray]:
    """The points under all classes in so many steps, and their classes."""
    discrimination = self.model.discrimination
    contexts = discrimination.contexts
    size = contexts.shape[-1]
    rows = np.asarray(self.validation.points[:MOST_POINTS])
    labels = np.argmax(discrimination.classes(rows[:, :size]), axis=-1)
    log_probs = [
      self.validation.log_probs(
        np.concatenate([np.broadcast_to(context, [len(rows), size]), rows[:, size:]], axis=-1),
        num_steps,
      )
      for context in contexts.astype(rows.dtype)
    ]
    return Classification(np.stack(log_probs, axis=-1), np.log(discrimination.prior)), labels
