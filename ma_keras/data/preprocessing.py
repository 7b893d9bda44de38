"""From data to the R^N where a flow lives, as bijectors whose log-dets belong to the model."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.data.dataset import Dataset

tfb = tfp.bijectors

MARGIN = 1e-6  # lambda of the MAF paper (Papamakarios et al. 2017) for MNIST.


def dequantised(points: np.ndarray, seed: int, draw: int = 0) -> np.ndarray:
  """x + u with u ~ Uniform[0, 1)^N: a density over the result bounds the likelihood of x.

  The mean over u of ln p(x + u) is a lower bound of ln P(x) (Theis et al. 2016). The noise is a
  function of (seed, draw) and the shape alone.

  Args:
    points: Integers, shape [n, N].
    seed: Non-negative integer.
    draw: Which noise.

  Returns:
    float32 [n, N].
  """
  noise = np.random.default_rng([seed, draw]).random(points.shape, dtype=np.float32)
  return points.astype(np.float32) + noise


def pixels(
  levels: int = 256, margin: float = MARGIN, dtype: tf.DType = tf.float32
) -> tfp.bijectors.Bijector:
  """y -> x: logit space R^N to pixel space, y = logit(lambda + (1 - 2 lambda) x / levels).

  `tfd.TransformedDistribution(flow, pixels())` is the density of dequantised pixels x in
  [0, levels); its log-det is the Jacobian of the MAF paper's preprocessing.

  Args:
    levels: How many values a pixel takes.
    margin: lambda, in [0, 1/2): keeps y finite at both ends.
    dtype: Of x and y.

  Returns:
    A TFP bijector.

  Raises:
    ValueError: An argument is out of range.
  """
  if levels < 2 or not 0 <= margin < 0.5:
    raise ValueError(
      f'`levels` must be at least 2 and `margin` in [0, 0.5), got {levels} and {margin}. '
      'MNIST: 256 and 1e-6.'
    )
  scale = tfb.Scale(tf.constant(levels / (1 - 2 * margin), dtype))
  return tfb.Chain([scale, tfb.Shift(tf.constant(-margin, dtype)), tfb.Sigmoid()], name='pixels')


def standardised(train: np.ndarray) -> tfp.bijectors.Bijector:
  """y -> x = mean + deviation y, coordinate by coordinate, of the training points.

  Args:
    train: Shape [n, N].

  Returns:
    A TFP bijector.

  Raises:
    ValueError: A coordinate is constant.
  """
  mean, deviation = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
  constant = np.flatnonzero(deviation == 0)
  if constant.size:
    raise ValueError(
      f'The data must vary in every coordinate, but columns {constant[:5].tolist()} are constant: '
      'remove them.'
    )
  return tfb.Chain(
    [tfb.Shift(mean.astype(np.float32)), tfb.Scale(deviation.astype(np.float32))],
    name='standardised',
  )


def for_dataset(data: Dataset) -> tfp.bijectors.Bijector:
  """y -> x of the data: `pixels` where they are quantised, `standardised` where they are not."""
  return pixels(data.levels) if data.levels else standardised(data.train)


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
