"""`ma-keras COMMAND [--flags]`: every app behind one console entry.

Exit codes: 0 done; 1 a flag, a file or the data are wrong; 3 training stopped, or its result is in
doubt; 4 no room, no access, or another process of the cluster is gone; 128 + n died of signal n.
`ma-keras COMMAND --help` lists the flags of a command.
"""

from __future__ import annotations

import importlib
import sys

from absl import app, flags

# Command -> module of ma_keras.apps, and what it does.
COMMANDS = {
  'train ising': ('ising', 'variational free energy of spins and fields'),
  'train density': ('density', 'density of images, or of the rows of a table'),
  'train scan': ('scan', 'the Ising model over a range of temperatures'),
  'eval': ('evaluate', 'likelihood or free energy of a trained model, with its errors'),
  'sample': ('sample', 'draw from a trained model'),
  'score': ('score', 'log densities of the rows of a table, or of pictures'),
  'certify': ('certify', 'integration and round-trip errors of a trained model'),
  'export': ('export', 'SavedModel for TensorFlow alone'),
  'serve': ('serve', 'the REST interface of TensorFlow Serving, for a SavedModel'),
  'figure1': ('figure1', 'Figure 1(a) of the paper'),
}


def run(name: str) -> None:
  """Runs `ma_keras.apps.<name>` as the program of this process; one process runs one app."""
  module = importlib.import_module(f'ma_keras.apps.{name}')
  sys.modules['__main__'].__doc__ = module.__doc__  # What --help begins with,
  for flag in flags.FLAGS.get_key_flags_for_module(module):  # and what it lists.
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
  app.run(module.main)


def usage() -> str:
  """The commands, a line each."""
  lines = [f'  ma-keras {name:15s}{about}' for name, (_, about) in COMMANDS.items()]
  return '\n'.join([__doc__.strip(), '', *lines])


def main() -> None:
  """The console entry."""
  words = sys.argv[1:]
  for length in (2, 1):
    name = ' '.join(words[:length])
    if name in COMMANDS:
      sys.argv = [f'ma-keras {name}', *words[length:]]
      return run(COMMANDS[name][0])
  if words in ([], ['--help'], ['-h'], ['help']):
    print(usage())
    sys.exit(0 if words else 1)
  sys.exit(f'{usage()}\n\nma-keras: no command {" ".join(words[:2])!r}.')


if __name__ == '__main__':
  main()
