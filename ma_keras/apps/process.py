"""What every command does first."""

from __future__ import annotations

import math

import tensorflow as tf
from absl import flags, logging

from ma_keras.apps.exit_code import ExitCode, end

FLAGS = flags.FLAGS


def begin(argv: list[str]) -> None:
  """Refuses what absl's own checks let through, and quietens TensorFlow.

  Args:
    argv: What absl left of the command line: the program's name alone, if all is well.
  """
  if len(argv) > 1:
    end(ExitCode.USAGE, f'unknown arguments {argv[1:]}: flags start with --; --help lists them.')
  for name in FLAGS:
    value = FLAGS[name].value
    if isinstance(value, float) and not math.isfinite(value):  # NaN is within all bounds.
      end(ExitCode.USAGE, f'`--{name}` must be finite, got {value}.')
  tf.get_logger().setLevel('ERROR')  # Checkpoints announce every shard they write,
  logging.set_verbosity(logging.WARNING)  # some of them through absl.
