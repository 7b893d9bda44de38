"""An exported model over HTTP: TensorFlow Serving's REST interface and the Open Inference Protocol.

ma-keras serve --saved_model=served/digits --name=digits --port=8501

Limits and their statuses are in docs/serving.md. SIGTERM and SIGINT drain: what was accepted is
answered. Needs the extra `serve`: pip install -e '.[serve]'.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

from absl import flags

from ma_keras import serving
from ma_keras.apps import process
from ma_keras.apps.exit_code import ExitCode, end

FLAGS = flags.FLAGS
TOKEN_VARIABLE = 'MA_KERAS_TOKEN'
flags.DEFINE_string(
  'saved_model',
  None,
  'Folder that `ma-keras export` wrote, or one of numbered versions.',
  required=True,
)
flags.DEFINE_string('name', 'flow', 'Name in addresses: /v1/models/NAME:predict.')
flags.DEFINE_string('host', '127.0.0.1', "Interface to listen at; '' for all.")
flags.DEFINE_integer('port', 8501, 'Port; 0 picks a free one.', lower_bound=0, upper_bound=65535)
flags.DEFINE_string(
  'token_file', None, f'File with the token that clients must send; or set {TOKEN_VARIABLE}.'
)
flags.DEFINE_bool('access_log', True, 'A line on stdout per request.')
flags.DEFINE_float('poll_seconds', 1.0, 'Seconds between looks for a new version.', 0.01)
flags.DEFINE_integer('max_bytes', 2**25, 'Longest body in bytes.', 1)
flags.DEFINE_integer('max_json_bytes', 2**23, 'Longest JSON in bytes.', 1)
flags.DEFINE_integer('max_parsed_bytes', 2**27, 'Memory of parsed JSON in bytes.', 1)
flags.DEFINE_integer('max_bytes_in_flight', 2**27, 'Bytes of all requests together.', 1)
flags.DEFINE_integer('max_rows', 2**18, 'Rows of a request.', 1)
flags.DEFINE_integer('max_queued_rows', 2**16, 'Rows that may wait.', 1)
flags.DEFINE_integer('max_batch_rows', 256, 'Rows that the model gets at a time.', 1)
flags.DEFINE_float('max_wait_ms', 5.0, 'Milliseconds that a batch waits for more rows.', 0.0)
flags.DEFINE_float('body_seconds', 30.0, 'Seconds for a body to arrive.', 0.01)
flags.DEFINE_float('compute_seconds', 120.0, 'Seconds from body to result.', 0.01)
flags.DEFINE_float('send_seconds', 120.0, 'Seconds for an answer to leave.', 0.01)
flags.DEFINE_float('head_seconds', 10.0, 'Seconds for the head of a request to arrive.', 0.01)
flags.DEFINE_integer('max_head_bytes', 2**14, 'Longest address and headers in bytes.', 1)
flags.DEFINE_integer('max_connections', 1024, 'Connections at a time.', 1)


def main(argv: list[str]) -> None:
  """Serves until interrupted."""
  process.begin(argv)
  try:
    limits = serving.Limits(
      **{field.name: FLAGS[field.name].value for field in dataclasses.fields(serving.Limits)}  # type: ignore[arg-type]
    )
    serving.serve(
      FLAGS.saved_model,
      FLAGS.name,
      FLAGS.host,
      FLAGS.port,
      token=token(),
      limits=limits,
      poll_seconds=FLAGS.poll_seconds,
      access_log=FLAGS.access_log,
    )
  except (ValueError, ImportError) as error:
    end(ExitCode.USAGE, error)
  except OSError as error:
    end(ExitCode.NO_ROOM, error)


def token() -> str | None:
  """The token of the file or the environment; None if there is neither.

  Raises:
    ValueError: The file cannot be read.
  """
  if FLAGS.token_file is None:
    return os.environ.get(TOKEN_VARIABLE)
  try:
    return pathlib.Path(FLAGS.token_file).read_text(encoding='utf-8').strip()
  except (OSError, ValueError) as error:
    raise ValueError(f'`--token_file` {FLAGS.token_file} cannot be read ({error}).') from error
