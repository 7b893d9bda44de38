"""A command's flags as its user meets them: one page of help, and one line for what is wrong."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Collection
from types import ModuleType

from absl import flags

from ma_keras.apps.configuration import Configuration, command_flags
from ma_keras.apps.configuration.removed import REMOVED
from ma_keras.apps.exit_code import ExitCode, end

# Module of a command -> the flags that every user needs: data in, results out, size, length.
FIRST = {
  'ising': 'target side coupling couplings_file run_dir potential hidden_units num_steps step_size '
  'epochs steps_per_epoch batch_size',
  'particles': 'target particles convention run_dir hidden_units num_steps step_size epochs '
  'steps_per_epoch batch_size',
  'density': 'dataset_file dataset run_dir hidden_units num_steps step_size epochs '
  'steps_per_epoch batch_size',
  'scan': 'side couplings run_dir num_steps step_size epochs next_epochs steps_per_epoch '
  'batch_size',
  'evaluate': 'model dataset_file dataset n',
  'sample': 'model n output',
  'score': 'model input output',
  'plot': 'model input output n columns',
  'certify': 'model input n tolerance',
  'export': 'model output',
  'serve': 'saved_model name host port',
  'models': 'source card',
  'figure1': 'output rate time',
}
# Topic -> flags of any command, in the order in which they are listed after the first ones.
TOPICS = {
  'Data': 'column_kind data_dir split_seed unconstrained columns ignore_columns id_column header '
  'missing separator decimal array levels',
  'Target': 'target particles convention species depths radii box side coupling boundary '
  'couplings_file mass_squared quartic dtype',
  'Potential': 'base potential hidden_units activation symmetry start start_from channels '
  'kernel_reach quadratic_reach second_layer spin_channels magnetisation_units dense_start '
  'separable_units separable_spread separable_steepness local latent_units latent_components '
  'basis_size layer_basis_size shells reach far_reach softening background base_scale',
  'Integration': 'num_steps step_size integrator gradient step_jitter penalty refine_tolerance',
  'Training': 'train begin begin_epochs begin_rate begin_batch_size optimizer learning_rate '
  'warmup_steps patience tries gradient_clip accumulate discrimination rivals shift_pixels '
  'force_weight path_gradient antithetic anneal_steps energy_ceiling',
  'Measurement': 'tolerance doubted draws classify eval_points eval_draws eval_steps eval_samples '
  'eval_batch_size validation_points monitor_samples chains chain_samples burn_in '
  'thinning temperatures',
  'Results': 'saved_model figures beside',
  'Access': 'token_file access_log poll_seconds max_connections',
  'Limits': 'max_rows max_bytes max_json_bytes max_bytes_in_flight max_queued_rows max_batch_rows '
  'max_wait_ms head_seconds body_seconds compute_seconds send_seconds max_head_bytes',
  'Process': 'batch_size seed deterministic jit_compile steps_per_execution strategy tpu',
}
LATER = '--flagfile=FILE reads flags from a file; --helpfull lists those of TensorFlow, too.'


def asks_for(*names: str) -> bool:
  """Tells if the command line has one of these flags, which take no value."""
  words = sys.argv[1 : sys.argv.index('--')] if '--' in sys.argv else sys.argv[1:]
  return any(word in (f'-{name}', f'--{name}') for word in words for name in names)


def page(module: ModuleType, own: Collection[flags.Flag]) -> str:
  """Help: the purpose of the command, then its flags: the first ones, and the rest by topic."""
  name = sys.argv[0].rpartition('/')[2]
  parser = argparse.ArgumentParser(
    prog=name,
    usage=f'{name} [--flags]',
    description=module.__doc__,
    epilog=LATER,
    formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 28, width=100),
    add_help=False,
  )
  for title, members in grouped(module.__name__.rpartition('.')[2], own).items():
    group = parser.add_argument_group(title)
    for flag in members:
      group.add_argument(written(flag), action='store_true', help=flag.help.replace('%', '%%'))
  return parser.format_help()


def grouped(command: str, own: Collection[flags.Flag]) -> dict[str, list[flags.Flag]]:
  """Title -> flags; every flag stands in one group, those without a topic in the last."""
  rest = {flag.name: flag for flag in own}
  groups: dict[str, list[flags.Flag]] = {}
  for title, names in {'Needed first': FIRST.get(command, ''), **TOPICS}.items():
    groups[title] = [rest.pop(name) for name in names.split() if name in rest]
  groups['Further'] = list(rest.values())
  return {title: members for title, members in groups.items() if members}


def written(flag: flags.Flag) -> str:
  """The flag as it stands in a flagfile, at its default."""
  if flag.boolean:
    return f'--{"" if flag.default else "no"}{flag.name}'
  return f'--{flag.name}={(flag.default_as_str or "").strip(chr(39))}'


def parse(argv: list[str], own: Collection[flags.Flag]) -> list[str]:
  """Parses absl's flags and returns the other arguments; ends the process if a flag is wrong."""
  try:
    return flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as error:
    value = str(error.flagvalue).partition('=')[2]  # absl has the whole word there.
    end(ExitCode.USAGE, unknown(error.flagname, value, own))
  except (flags.Error, OSError, UnicodeDecodeError) as error:
    required = r'flag --(\w+)=None: Flag --\w+ must have a value other than None\.'
    message = re.sub(required, r'--\1 is missing.', ' '.join(str(error).split()))
    end(ExitCode.USAGE, f'{message.removeprefix("ERROR:: ").rstrip(".")}. {see()}')


def configured(config_class: type[Configuration], argv: list[str]) -> Configuration:
  """The configuration of parsed flags; ends the process if their values do not go together.

  Args:
    config_class: The command's.
    argv: What absl left of the command line: the program's name alone, if all is well.
  """
  if len(argv) > 1:
    end(ExitCode.USAGE, f'unknown arguments {argv[1:]}: flags start with --; --help lists them.')
  try:
    return command_flags.from_flags(config_class, flags.FLAGS)
  except ValueError as error:
    end(ExitCode.USAGE, error)


def unknown(name: str, value: str, own: Collection[flags.Flag]) -> str:
  """Says what to write in place of a flag that is gone, or which one may have been meant."""
  replacement = REMOVED[name](value) if name in REMOVED else ''
  if any(replacement.startswith(f'--{flag.name}=') for flag in own):
    return f'--{name} is gone: write {replacement} instead.'
  return f'no flag --{name}{nearest(name, own)} {see()}'


def see() -> str:
  """A sentence that says where help is."""
  return f'`{sys.argv[0].rpartition("/")[2]} --help` lists the flags.'


def nearest(name: str, own: Collection[flags.Flag]) -> str:
  """'; did you mean --x?' with the flag that is written most alike, or nothing."""
  names = [flag.name for flag in own] + [f'no{flag.name}' for flag in own if flag.boolean]
  close = difflib.get_close_matches(name, [*names, 'flagfile', 'help', 'version'], n=1)
  return f'; did you mean --{close[0]}?' if close else '.'
