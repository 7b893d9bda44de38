"""An exported model over HTTP, as TensorFlow Serving and the Open Inference Protocol have it."""

from __future__ import annotations

import dataclasses
import os
import pathlib

from ma_keras import serving
from ma_keras.apps import process
from ma_keras.apps.configuration.serve import TOKEN_VARIABLE, ServeConfig
from ma_keras.apps.exit_code import ExitCode, end


def main(config: ServeConfig) -> None:
  """Serves until interrupted."""
  process.begin()
  try:
    limits = serving.Limits(
      **{field.name: getattr(config, field.name) for field in dataclasses.fields(serving.Limits)}
    )
    serving.serve(
      config.saved_model,
      config.name,
      config.host,
      config.port,
      token=token(config),
      limits=limits,
      poll_seconds=config.poll_seconds,
      access_log=config.access_log,
    )
  except (ValueError, ImportError) as error:
    end(ExitCode.USAGE, error)
  except OSError as error:
    end(ExitCode.NO_ROOM, error)


def token(config: ServeConfig) -> str | None:
  """The token of the file or the environment; None if there is neither.

  Raises:
    ValueError: The file cannot be read.
  """
  if config.token_file is None:
    return os.environ.get(TOKEN_VARIABLE)
  try:
    return pathlib.Path(config.token_file).read_text(encoding='utf-8').strip()
  except (OSError, ValueError) as error:
    raise ValueError(f'`--token_file` {config.token_file} cannot be read ({error}).') from error
