"""The effective sample size of a flow of particles after every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from ma_keras import samplers, seeds, training
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.training.draws import evaluator


class Monitor(tf_keras.callbacks.Callback):
  """Adds `effective_sample_size` to the logs, of --monitor_samples in the steps of training."""

  def __init__(self, model: training.VariationalFreeEnergy, config: ParticlesConfig) -> None:
    """Traces nothing yet."""
    super().__init__()
    self._flow = model
    self._config = config
    self._traced: Any = None

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """One flow is traced for all epochs, unless the number of steps has changed."""
    config, model = self._config, self._flow
    size = min(config.eval_batch_size, config.monitor_samples)
    if model.bijector is not self._traced:
      self._traced = model.bijector
      self._evaluate = evaluator(
        model.bijector.copy(jitter=0.0), model.target, size, (1,), config.jit_compile, model.base
      )
    keys = seeds.split(config.seed, -(-config.monitor_samples // size), salt='monitor')
    log_weights = -np.concatenate([self._evaluate(key)[1].numpy() for key in keys])
    if logs is not None and np.all(np.isfinite(log_weights)):
      logs['effective_sample_size'] = samplers.estimate(log_weights).effective_sample_size
    elif logs is not None:
      logs['effective_sample_size'] = float('nan')
