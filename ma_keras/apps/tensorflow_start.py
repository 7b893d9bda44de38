"""TensorFlow's start: without the lines that it prints on every machine, in full precision.

Before its own log level holds, TensorFlow says on stderr that it uses oneDNN, which instructions
the processor has, and that there is no GPU. TF_CPP_MIN_LOG_LEVEL does not reach those lines, so
they are filtered by text, while TensorFlow starts and no longer; every other line passes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator

NOISE = (
  r'All log messages before absl::InitializeLog\(\)',
  r'^I[0-9]{4} ',  # Information, in the format of absl,
  r'^[-0-9]{10} [.:0-9]{15}: I ',  # and in TensorFlow's own.
  r'^To enable the following instructions: ',  # The second line of one of them.
  r'Unable to register cu[A-Z]+ factory',
  r'computation placer already registered',
  r'failed call to cuInit: .*\(303\)',  # There is no driver, hence no GPU.
)


def start() -> None:
  """Imports TensorFlow and looks for devices; a log level of the user's own holds.

  TF_CPP_MIN_LOG_LEVEL=0 shows everything. Products of float32 keep their 24 bits: GPUs of the
  Ampere generation and later would round the factors to eleven (TensorFloat-32), an error of log
  densities that no halving of the steps shows.
  """
  level = os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  logging.getLogger('tensorflow').setLevel(logging.ERROR)
  warnings.filterwarnings('ignore', 'Protobuf gencode version')
  with contextlib.nullcontext() if level == '0' else filtered_stderr():
    import tensorflow as tf

    tf.config.list_physical_devices()
    tf.config.experimental.enable_tensor_float_32_execution(False)


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
  """Passes on what this process and its libraries write to stderr, without the lines of NOISE."""
  grep = shutil.which('grep')
  if grep is None:
    yield
    return
  sys.stderr.flush()
  stderr = os.dup(2)
  call = [grep, '-vE', '|'.join(NOISE)]
  child = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=stderr)
  assert child.stdin is not None
  os.dup2(child.stdin.fileno(), 2)
  child.stdin.close()
  try:
    yield
  finally:
    sys.stderr.flush()
    os.dup2(stderr, 2)
    os.close(stderr)
    child.wait()
