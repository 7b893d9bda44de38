"""`ma-keras COMMAND [--flags]`: every app behind one console entry.

Exit codes: 0 done; 1 a flag, a file or the data are wrong; 3 training stopped, or its result is in
doubt; 4 no room, no access, or another process of the cluster is gone; 128 + n died of signal n,
141 where nobody reads what is printed any more.
`ma-keras COMMAND --help` lists the flags of a command, `ma-keras --version` the version.
"""

from __future__ import annotations

import difflib
import importlib
import itertools
import os
import sys

from absl import app, flags

from ma_keras.apps import command_line, tensorflow_start
from ma_keras.apps.configuration import CONFIGURATIONS, Configuration, command_flags
from ma_keras.apps.exit_code import ExitCode, end, ending_unread

# Command -> module of ma_keras.apps, and what it does.
COMMANDS = {
  'train ising': ('ising', 'variational free energy of spins and fields'),
  'train density': ('density', 'density of images, or of the rows of a table'),
  'train scan': ('scan', 'the Ising model over a range of temperatures'),
  'train particles': ('particles', 'variational free energy of clusters of particles'),
  'eval': ('evaluate', 'likelihood or free energy of a trained model, with its errors'),
  'sample': ('sample', 'draw from a trained model'),
  'score': ('score', 'log densities of the rows of a table, or of pictures'),
  'plot': ('plot', 'data, samples and density of a model, and how its latents are calibrated'),
  'certify': ('certify', 'what halving the steps does to log densities of a model'),
  'export': ('export', 'SavedModel for TensorFlow alone'),
  'serve': ('serve', 'the REST interface of TensorFlow Serving, for a SavedModel'),
  'models': ('models', 'trained models that come along, or lie elsewhere, as a table'),
  'figure1': ('figure1', 'Figure 1(a) of the paper'),
}

WITHOUT_TENSORFLOW = ('models',)  # Answered at once.


def run(name: str) -> None:
  """Runs `ma_keras.apps.<name>` as the program of this process."""
  with ending_unread():
    try:
      _run(name)
    except KeyboardInterrupt:  # Before the app's own work, which tells what it has saved.
      end(ExitCode.INTERRUPTED, 'interrupted; nothing was done: the same command begins anew.')


def _run(name: str) -> None:
  """Makes the app's configuration of its flags, and only then imports TensorFlow."""
  if command_line.asks_for('version'):
    return print_version()
  config_class = CONFIGURATIONS[name]
  with command_flags.defined(config_class, flags.FLAGS) as own:
    page = sys.modules[config_class.__module__]
    if command_line.asks_for('help', 'helpshort', 'h', '?'):
      return print(command_line.page(page, own))
    sys.modules['__main__'].__doc__ = page.__doc__  # What --helpfull begins with.
    if command_line.asks_for('helpfull'):
      tensorflow_start.start()
      app.usage(writeto_stdout=True, exitcode=0)
    app.run(
      lambda argv: _main(name, command_line.configured(config_class, argv)),
      flags_parser=lambda argv: command_line.parse(argv, own),
    )


def _main(name: str, config: Configuration) -> None:
  """The app, with TensorFlow where it needs it."""
  for variable, value in config.environment.items():
    os.environ.setdefault(variable, value)
  if name not in WITHOUT_TENSORFLOW:
    tensorflow_start.start()
  importlib.import_module(f'ma_keras.apps.{name}').main(config)


def print_version() -> None:
  """One line."""
  from ma_keras import __version__

  print(f'ma_keras {__version__}')


def usage() -> str:
  """The commands, a line each."""
  lines = [f'  ma-keras {name:17s}{about}' for name, (_, about) in COMMANDS.items()]
  return '\n'.join([(__doc__ or '').strip(), '', *lines])


def nearest(words: list[str]) -> str:
  """'; did you mean ...?' with the command that is written most alike, or nothing."""
  below = [name for name in COMMANDS if words and name.startswith(f'{words[0]} ')]
  if len(words) == 1 and below:
    return f'; did you mean {" or ".join(below)}?'
  for length in (2, 1):
    close = difflib.get_close_matches(' '.join(words[:length]), COMMANDS, n=1, cutoff=0.55)
    if close:
      return f'; did you mean {close[0]}?'
  return '.'


@ending_unread()
def main() -> None:
  """The console entry."""
  words = sys.argv[1:]
  if words and words[0] in ('help', '--help', '-h'):
    words = [*words[1:], '--help'] if words[1:] else []
  if not words:
    return print(usage())
  if words == ['--version']:
    return print_version()
  for length in (2, 1):
    name = ' '.join(words[:length])
    if name in COMMANDS:
      sys.argv = [f'ma-keras {name}', *words[length:]]
      return run(COMMANDS[name][0])
  named = list(itertools.takewhile(lambda word: not word.startswith('-'), words))[:2]
  name = ' '.join(named or words[:1])
  end(ExitCode.USAGE, f'no command {name!r}{nearest(named)} `ma-keras` lists the commands.')


if __name__ == '__main__':
  main()
