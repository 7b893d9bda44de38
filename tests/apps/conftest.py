"""What a command changes in its process, and tests of commands give back."""

import pytest
import tensorflow as tf
from absl import logging


@pytest.fixture(autouse=True)
def verbosity():
  """Levels of the loggers that `process.begin` quietens."""
  logger, level = tf.get_logger(), logging.get_verbosity()
  before = logger.level
  yield
  logger.setLevel(before)
  logging.set_verbosity(level)
