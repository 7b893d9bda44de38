"""Variables that stay positive: values of softplus."""

import tensorflow as tf


def inverse_softplus(value: tf.Tensor) -> tf.Tensor:
  """v + ln(1 - e^-v), whose softplus is v > 0."""
  return value + tf.math.log(-tf.math.expm1(-value))
