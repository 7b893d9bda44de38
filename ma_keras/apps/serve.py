"""The REST interface of TensorFlow Serving for an exported model (docs/serving.md).

ma-keras serve --saved_model=digits/1 --name=digits --port=8501
"""

from __future__ import annotations

from absl import flags

from ma_keras import serving
from ma_keras.apps import process
from ma_keras.apps.exit_code import ExitCode, end

FLAGS = flags.FLAGS
flags.DEFINE_string('saved_model', None, 'Folder that `ma-keras export` wrote.', required=True)
flags.DEFINE_string('name', 'flow', 'Name in addresses: /v1/models/NAME:predict.')
flags.DEFINE_string('host', '127.0.0.1', "Interface to listen at; '' for all.")
flags.DEFINE_integer('port', 8501, 'Port; 0 picks a free one.', lower_bound=0, upper_bound=65535)


def main(argv: list[str]) -> None:
  """Serves until interrupted."""
  process.begin(argv)
  try:
    serving.serve(FLAGS.saved_model, FLAGS.name, FLAGS.host, FLAGS.port)
  except ValueError as error:
    end(ExitCode.USAGE, error)
  except OSError as error:
    end(ExitCode.NO_ROOM, error)
