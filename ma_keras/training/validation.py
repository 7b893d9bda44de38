"""The validation likelihood of every epoch, in steps that are fine enough to believe it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tf_keras

from ma_keras.training.halving import Halving, Scorer, halve
from ma_keras.training.likelihood import standard_error

POINTS_FOR_DEPTH = 512  # So many choose the number of steps; all are scored in so many.
MOST_HALVINGS = 4


class Validation(tf_keras.callbacks.Callback):
  """Adds the likelihood of held-out points to the logs of every epoch, in refined steps.

  An optimiser that cheats its integrator looks best where it cheats most. So steps are halved
  until the mean likelihood changes by less than a tolerance, at most four times, and these are the
  names in the logs, all in nats but the steps:

  | name | what |
  |---|---|
  | `val_nll` | mean negative log likelihood in `val_steps` steps |
  | `val_nll_error` | its standard error over points |
  | `val_steps` | the number of steps |
  | `val_step_error` | mean in the steps of training minus mean in refined steps |
  | `val_certified_nll` | `val_nll` where it stands still, infinity where it does not |

  Place it before the callbacks that read these.

  Attributes:
    points: Held-out points y [n, N] of the flow's space; [o, y], [n, O + N], of a conditional one.
    batch_size: Points flowed at once.
    tolerance: Largest change of the mean on halving, nats.
  """

  def __init__(
    self,
    points: np.ndarray,
    batch_size: int,
    tolerance: float = 0.1,
    jit_compile: bool = False,
  ) -> None:
    """Keeps the points; `jit_compile` says whether XLA compiles the flow."""
    super().__init__()
    self.points = points
    self.batch_size = batch_size
    self.tolerance = tolerance
    self._jit_compile = jit_compile
    self._scorer: Scorer | None = None

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Measures, and adds to the logs."""
    del epoch
    if logs is not None:
      logs.update(self.measured())

  def measured(self) -> dict[str, float]:
    """Measures what the class adds to the logs, by name."""
    halving = self._halving()
    settled = self._settled(halving)
    num_steps = halving.num_steps // 2 if settled else halving.num_steps
    nll = -self.log_probs(self.points, num_steps)
    mean = float(np.mean(nll))
    return {
      'val_nll': mean,
      'val_nll_error': standard_error(nll[np.newaxis]),
      'val_steps': num_steps,
      'val_step_error': float(np.mean(halving.first - halving.fine)),
      'val_certified_nll': mean if settled else math.inf,
    }

  def log_probs(self, points: np.ndarray, num_steps: int) -> np.ndarray:
    """ln p of points as `points` are, in so many steps, [n]."""
    if self._scorer is None:
      bijector = self.model.bijector.with_seed(self.model.seed)
      self._scorer = Scorer(
        bijector,
        self.batch_size,
        self._jit_compile,
        self.model.base,
        getattr(self.model, 'conditional', None),
      )
    return self._scorer(points, num_steps)

  def _halving(self) -> Halving:
    few = self.points[:POINTS_FOR_DEPTH]
    return halve(
      lambda num_steps: -self.log_probs(few, num_steps),
      self.model.bijector.horizon.num_steps,
      settled=self._settled,
      most_halvings=MOST_HALVINGS,
    )

  def _settled(self, halving: Halving) -> bool:
    return abs(halving.mean_change) <= self.tolerance
