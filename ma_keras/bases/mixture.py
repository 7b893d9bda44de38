"""Gaussian mixtures that flows start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.bases.whole import Whole, no_batches

tfd = tfp.distributions


class Mixture(Whole, tfp.distributions.MixtureSameFamily):
  """p(z) = sum_k w_k Normal(z; m_k, S_k S_k'), a Gaussian mixture with full covariances on R^N."""

  _parameter_properties = classmethod(no_batches)

  def __init__(
    self,
    probabilities: np.ndarray,
    means: np.ndarray,
    scale_tril: np.ndarray,
    dtype: tf.DType = tf.float32,
    name: str = 'mixture',
  ) -> None:
    """Checks the arguments.

    Args:
      probabilities: w, positive, shape [K]; they are divided by their sum.
      means: m, shape [K, N].
      scale_tril: Lower triangular S with a positive diagonal, shape [K, N, N].
      dtype: Floating dtype of events.
      name: Name of the distribution.

    Raises:
      ValueError: Shapes do not fit, a weight or a diagonal is not positive, or a matrix is not
        triangular.
    """
    parameters = dict(locals())
    probabilities, means, scale_tril = map(np.asarray, (probabilities, means, scale_tril))
    size, dimension = (*means.shape, 0, 0)[:2]
    if probabilities.shape != (size,) or scale_tril.shape != (size, dimension, dimension):
      raise ValueError(
        '`probabilities` [K], `means` [K, N] and `scale_tril` [K, N, N] do not fit, got shapes '
        f'{[list(array.shape) for array in (probabilities, means, scale_tril)]}.'
      )
    diagonals = np.diagonal(scale_tril, axis1=1, axis2=2)
    if not size or not dimension or not np.all(probabilities > 0) or not np.all(diagonals > 0):
      raise ValueError('`probabilities` and the diagonals of `scale_tril` must be positive.')
    if not np.array_equal(scale_tril, np.tril(scale_tril)):  # It would be cut off in silence.
      raise ValueError(
        '`scale_tril` must be lower triangular: of covariances C pass np.linalg.cholesky(C).'
      )
    weights = tf.constant(probabilities / np.sum(probabilities), dtype)
    components = tfd.MultivariateNormalTriL(
      tf.constant(means, dtype), tf.constant(scale_tril, dtype)
    )
    super().__init__(tfd.Categorical(probs=weights), components, name=name)
    self._parameters = self._no_dependency(parameters)

  def config(self) -> dict[str, Any]:
    """Returns the arguments as plain values and arrays: see `model_file`."""
    names = ('probabilities', 'means', 'scale_tril')
    return {name: np.asarray(self.parameters[name], np.float64) for name in names}
