"""The optimisers of the apps: warm-up, cosine decay and clipping around Adam, Soap or Muon."""

from __future__ import annotations

from typing import Any

import tf_keras

from ma_keras.arguments import is_finite
from ma_keras.training.muon import Muon
from ma_keras.training.soap import FIRST_TURN, Soap

OPTIMIZERS = ('adam', 'soap', 'muon')


def adam(
  learning_rate: float, total_steps: int, warmup_steps: int = 0, gradient_clip: float = 0.0
) -> Any:
  """Adam (Kingma & Ba 2015), rate rising linearly, then falling as a half cosine to 1 %.

  Args:
    learning_rate: The peak.
    total_steps: Steps until the end of the decay, warm-up included.
    warmup_steps: Steps of the rise.
    gradient_clip: Largest global norm of the gradient; 0 leaves it alone.

  Returns:
    A tf_keras optimiser.

  Raises:
    ValueError: The rate is negative, or not finite.
  """
  schedule = _schedule(learning_rate, total_steps, warmup_steps)
  return tf_keras.optimizers.Adam(schedule, global_clipnorm=gradient_clip or None)


def soap(
  learning_rate: float, total_steps: int, warmup_steps: int = 0, gradient_clip: float = 0.0
) -> Soap:
  """`Soap` with the schedule of `adam`, and its arguments; still until its basis turns first.

  Train with a `Turns` callback.
  """
  return Soap(_schedule(learning_rate, total_steps, warmup_steps), gradient_clip, FIRST_TURN)


def muon(
  learning_rate: float, total_steps: int, warmup_steps: int = 0, gradient_clip: float = 0.0
) -> Muon:
  """`Muon` with the schedule of `adam`, and its arguments; kernels learn at twice the rate."""
  schedule = _schedule(learning_rate, total_steps, warmup_steps)
  return Muon(schedule, global_clipnorm=gradient_clip or None)


def _schedule(learning_rate: float, total_steps: int, warmup_steps: int) -> Any:
  if not is_finite(learning_rate) or learning_rate < 0:
    raise ValueError(
      f'`learning_rate` must be finite and not negative, got {learning_rate!r}. Try 1e-3.'
    )
  return tf_keras.optimizers.schedules.CosineDecay(
    initial_learning_rate=learning_rate / max(warmup_steps, 1),
    decay_steps=max(total_steps - warmup_steps, 1),
    alpha=0.01,
    warmup_target=learning_rate if warmup_steps else None,
    warmup_steps=warmup_steps,
  )
