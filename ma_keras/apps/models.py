"""Trained models as a table, or the card of one; nothing here needs TensorFlow."""

from __future__ import annotations

from ma_keras import pretrained
from ma_keras.apps.configuration.models import ModelsConfig
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.pretrained.content import printable_lines


def text(config: ModelsConfig) -> str:
  """The table, or the card."""
  if config.card is not None:
    return printable_lines(pretrained.card(config.card, config.source).rstrip())
  return str(pretrained.table(config.source))


def main(config: ModelsConfig) -> None:
  """Prints; what goes wrong, in one line."""
  try:
    print(text(config))
  except ValueError as error:
    end(ExitCode.USAGE, error)
  except BrokenPipeError:
    raise  # For `ending_unread`.
  except OSError as error:
    end(ExitCode.NO_ROOM, f'no access: {error}.')
