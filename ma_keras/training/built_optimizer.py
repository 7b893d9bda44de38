"""An optimiser whose variables exist before the training step is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tf_keras


class BuiltOptimizer(tf_keras.Model):
  """A Keras model that traces its training step once.

  TensorFlow traces a function again if its first trace created variables, as an optimiser does that
  is not built; a step through a flow takes seconds to trace.
  """

  def make_train_function(self, force: bool = False) -> Callable[..., Any]:
    """Builds the optimiser, and returns what `tf_keras.Model.make_train_function` does."""
    if isinstance(self.optimizer, tf_keras.optimizers.Optimizer):  # Not tf_keras.optimizers.legacy.
      self.optimizer.build(self.trainable_variables)
    return super().make_train_function(force)
