"""AutoGraph calls this package as it is written, as it does TensorFlow, Keras and TFP.

A `tf.function` makes code that takes tensors in `if` and `for` out of whatever Python it reaches.
Nothing here needs that, and a flow is traced in half the time without. Code of one's own is
converted where one's own code calls it, and not where a flow does: a potential with an `if` of a
tensor is refused alike in eager calls, which trace without AutoGraph, and in every `tf.function`.
"""

from tensorflow.python.autograph.core import config


def leave_as_written(package: str) -> None:
  """Adds the package to those that AutoGraph never converts."""
  # TensorFlow has no public list: `do_not_convert` marks single functions, and switches AutoGraph
  # off for layers of Keras within a potential as well.
  config.CONVERSION_RULES = (config.DoNotConvert(package), *config.CONVERSION_RULES)
