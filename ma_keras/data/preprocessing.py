"""From data to the R^N where a flow lives, as bijectors whose log-dets belong to the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.data.dataset import Dataset
from ma_keras.data.supports import Supported

tfb = tfp.bijectors

MARGIN = 1e-6  # lambda of the MAF paper (Papamakarios et al. 2017) for MNIST.


def dequantised(
  points: np.ndarray, seed: int, draw: int = 0, cell_sizes: np.ndarray | None = None
) -> np.ndarray:
  """x + u with u ~ Uniform[0, 1)^N: a density over the result bounds the likelihood of x.

  The mean over u of ln p(x + u) is a lower bound of ln P(x) (Theis et al. 2016). The noise is a
  function of (seed, draw) and the shape alone. Real points are a density's already, and stay.

  Args:
    points: Integers, or real numbers, shape [n, N].
    seed: Non-negative integer.
    draw: Which noise.
    cell_sizes: c of rounded columns, [N], zero for real ones: x + c (u - 1/2) instead, in float64.

  Returns:
    float32 [n, N]; real points as they are.
  """
  if cell_sizes is not None:
    centred = np.random.default_rng([seed, draw]).random(points.shape) - 0.5
    return points + cell_sizes * centred
  if not np.issubdtype(points.dtype, np.integer):
    return points
  noise = np.random.default_rng([seed, draw]).random(points.shape, dtype=np.float32)
  return points.astype(np.float32) + noise


class Pixels(Supported):
  """y -> x: logit space R^N to pixel space, y = logit v, v = lambda + (1 - 2 lambda) x / levels.

  `tfd.TransformedDistribution(flow, Pixels())` is the density of dequantised pixels x in
  [0, levels); its log-det is the Jacobian of the MAF paper's preprocessing. The support is wider at
  both ends by the margin, levels lambda / (1 - 2 lambda), and so samples may be; outside of it
  log densities are -inf.
  """

  def __init__(
    self,
    levels: int = 256,
    margin: float = MARGIN,
    dtype: tf.DType = tf.float32,
    name: str = 'pixels',
  ) -> None:
    """Checks the arguments.

    Args:
      levels: How many values a pixel takes.
      margin: lambda, in [0, 1/2): keeps y finite at both ends.
      dtype: Of x and y.
      name: Name of the ops.

    Raises:
      ValueError: An argument is out of range.
    """
    parameters = dict(locals())
    if levels < 2 or not 0 <= margin < 0.5:
      raise ValueError(
        f'`levels` must be at least 2 and `margin` in [0, 0.5), got {levels} and {margin}. '
        'MNIST: 256 and 1e-6.'
      )
    self._margin = margin
    self._scale = levels / (1 - 2 * margin)
    super().__init__(dtype, parameters, name)

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {name: self.parameters[name] for name in ('levels', 'margin')}

  def _share(self, x: tf.Tensor) -> tf.Tensor:
    """v, in (0, 1) on the support."""
    return x / self._scale + self._margin

  def _outside(self, x: tf.Tensor) -> tf.Tensor:
    share = self._share(x)
    return (share <= 0) | (share >= 1)

  @property
  def _interior(self) -> float:
    return self._scale * (0.5 - self._margin)

  def _latent(self, x: tf.Tensor) -> tf.Tensor:
    share = self._share(x)
    return tf.math.log(share) - tf.math.log1p(-share)

  def _inverse_log_slope(self, x: tf.Tensor) -> tf.Tensor:
    share = self._share(x)
    return -tf.math.log(share) - tf.math.log1p(-share) - math.log(self._scale)

  def _point(self, y: tf.Tensor) -> tf.Tensor:
    """Samples stay inside, where the sigmoid of a large |y| is 0 or 1 to rounding."""
    info = np.finfo(y.dtype.as_numpy_dtype)
    least = max(float(8 * info.eps * self._margin), float(info.tiny))
    share = tf.clip_by_value(tf.math.sigmoid(y), least, 1 - 4 * float(info.eps))
    return (share - self._margin) * self._scale

  def _forward_log_slope(self, y: tf.Tensor) -> tf.Tensor:
    return tf.math.log_sigmoid(y) + tf.math.log_sigmoid(-y) + math.log(self._scale)


class Standardised(tfp.bijectors.Chain):
  """y -> x = mean + deviation y, coordinate by coordinate."""

  def __init__(
    self,
    mean: Sequence[float] | np.ndarray,
    deviation: Sequence[float] | np.ndarray,
    dtype: tf.DType = tf.float32,
    name: str = 'standardised',
  ) -> None:
    """Checks the arguments.

    Args:
      mean: Shape [N].
      deviation: Shape [N], positive.
      dtype: Of x and y.
      name: Name of the ops.

    Raises:
      ValueError: A deviation is not positive, a number not finite, or the shapes differ.
    """
    parameters = dict(locals())
    if np.shape(mean) != np.shape(deviation) or not np.all(np.isfinite(np.add(mean, deviation))):
      raise ValueError(
        '`mean` and `deviation` must be finite and of one shape [N], got shapes '
        f'{list(np.shape(mean))} and {list(np.shape(deviation))}.'
      )
    constant = np.flatnonzero(~(np.asarray(deviation) > 0))
    if constant.size:
      raise ValueError(
        'The data must vary in every coordinate, but these columns do not: '
        f'{constant[:5].tolist()}. Remove them.'
      )
    steps = [tfb.Shift(tf.constant(mean, dtype)), tfb.Scale(tf.constant(deviation, dtype))]
    super().__init__(steps, parameters=parameters, name=name)

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {n: np.asarray(self.parameters[n]).tolist() for n in ('mean', 'deviation')}


def for_dataset(data: Dataset) -> tfp.bijectors.Bijector:
  """y -> x of the data: `Pixels` where they are quantised, else `Standardised` by training points.

  Args:
    data: The data set.

  Returns:
    A TFP bijector.

  Raises:
    ValueError: A coordinate of the training points is constant.
  """
  if data.levels:
    return Pixels(data.levels)
  train = data.train.astype(np.float64)
  return Standardised(train.mean(axis=0), train.std(axis=0))


def bits_per_dimension(
  nats: tf.Tensor, y: tf.Tensor, levels: int = 256, margin: float = MARGIN
) -> tf.Tensor:
  """nats/(N ln 2) - log2(1 - 2 lambda) + log2 levels + mean of log2 sigma(y) + log2 (1 - sigma(y)).

  The MAF paper's formula: the negative log likelihood per pixel in pixel space, in bits, out of
  the one in logit space. It is `-ln p(x) / (N ln 2)` of the pixel-space density.

  Args:
    nats: -ln p(y), shape [...].
    y: Points in logit space, shape [..., N].
    levels: How many values a pixel takes.
    margin: lambda.

  Returns:
    Bits per dimension, shape [...].
  """
  size = y.shape[-1]
  slopes = tf.reduce_mean(tf.math.log_sigmoid(y) + tf.math.log_sigmoid(-y), axis=-1)
  bits = (nats / size + slopes - math.log1p(-2 * margin)) / math.log(2)
  return bits + math.log2(levels)
