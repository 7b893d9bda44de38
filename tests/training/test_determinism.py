"""A process is deterministic from its beginning, or not at all."""

import pytest
import tensorflow as tf

from ma_keras.training import determinism
from tests.integration import apps


def test_a_process_in_which_tensorflow_has_started_is_refused():
  tf.zeros([]).numpy()
  with pytest.raises(RuntimeError, match='need a new process'):
    determinism.enable(0)
  assert tf.config.threading.get_inter_op_parallelism_threads() != 1


def check_runs():
  for seed in (0, 1):
    determinism.enable(seed)
    tf.zeros([]).numpy()
  assert tf.config.threading.get_inter_op_parallelism_threads() == 1


def test_two_deterministic_runs_share_a_process():
  apps.passes(check_runs)
