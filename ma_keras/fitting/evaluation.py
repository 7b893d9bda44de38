"""Log densities, latents and samples of a model of a table, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import bases, seeds
from ma_keras.saving import descriptions, model_file

MOST_NUMBERS = 1 << 20  # Of rows that are flowed at once.


class Evaluation:
  """Functions of the rows of a table, compiled once each."""

  def __init__(self, model: model_file.Model) -> None:
    """Keeps the model."""
    self._size = model.bijector.potential.event_size
    self._maps: Any = model.preprocessing
    self._bijector: Any = model.bijector
    if not np.any(model.bijector.potential.amplitude):  # x = z: nothing to integrate.
      self._bijector = tfp.bijectors.Identity()
    self._dtype = model.bijector.dtype
    base = model.latent_flow().distribution
    self._base = base

    def log_prob(x: tf.Tensor) -> tf.Tensor:
      """ln p(x) of the data, -infinity outside their support."""
      y = self._maps.inverse(x)
      log_det = self._bijector.inverse_log_det_jacobian(y, 1)
      return base.log_prob(self._bijector.inverse(y)) + log_det + self._log_det(x)

    self._log_prob = _compiled(log_prob)
    self._latents = _compiled(lambda x: self._bijector.inverse(self._maps.inverse(x)))
    self._points = _compiled(lambda z: self._maps.forward(self._bijector.forward(z)))

  def _log_det(self, x: tf.Tensor) -> tf.Tensor:
    return tf.cast(self._maps.inverse_log_det_jacobian(x, 1), self._dtype)

  def log_prob(self, x: np.ndarray) -> np.ndarray:
    """ln p of rows [n, N], shape [n]."""
    return self._batched(self._log_prob, x)

  def latents(self, x: np.ndarray) -> np.ndarray:
    """z of rows x, [n, N]."""
    return self._batched(self._latents, x)

  def points(self, z: np.ndarray) -> np.ndarray:
    """x of latents z, [n, N]."""
    return self._batched(self._points, z)

  def sample(self, number: int, seed: int) -> np.ndarray:
    """x of `number` latents drawn from the base, [number, N], rounded where the data are."""
    z = self._base.sample(number, seed=seeds.stateless(seed, salt='sample'))
    return self._maps.rounded(self.points(z.numpy()))

  def _batched(self, function: Callable[[tf.Tensor], tf.Tensor], rows: np.ndarray) -> np.ndarray:
    size = max(MOST_NUMBERS // self._size, 1)
    parts = range(0, max(len(rows), 1), size)
    return np.concatenate([function(tf.constant(rows[k : k + size])).numpy() for k in parts])


def _compiled(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
  return tf.function(function, autograph=False, reduce_retracing=True)


def in_double_precision(model: model_file.Model) -> model_file.Model:
  """Returns the model in float64, in which a log density does not depend on the batch it is in."""
  arrays: list[np.ndarray] = []
  described = descriptions.describe(model.bijector.potential, arrays)
  potential = descriptions.make(described, tf.float64, arrays)
  for new, old in zip(potential.variables, model.bijector.potential.variables, strict=True):
    new.assign(tf.cast(old, tf.float64))
  horizon = model.bijector.horizon
  bijector = type(model.bijector)(
    potential, horizon.num_steps, horizon.step_size, model.bijector.integrator.name
  )
  base = None if model.base is None else bases.Mixture(**model.base.config(), dtype=tf.float64)
  maps: Any = model.preprocessing
  maps = maps.copy(dtype=tf.float64)
  return model_file.Model(bijector, maps, model.event_shape, model.notes, base, model.columns)
