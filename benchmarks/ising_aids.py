"""What each training aid is worth on the critical Ising model: equal steps, one thing changed.

  python benchmarks/ising_aids.py --output=ising_aids.json

Runs apps/ising_main.py once for every row with the flags of ising_l8_lattice.flags, 1,000 steps
and Adam. Two to five minutes a row; force matching and a second layer half an hour and more.
"""

from __future__ import annotations

import pathlib
import tempfile

import app_run
import report
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer('epochs', 10, 'Epochs of each run, of 100 steps.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Of every run.', lower_bound=0)
flags.DEFINE_string('rows', '', 'Which ones, by name and separated by ";"; default all.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

BASE = app_run.FLAGFILES / 'ising_l8_lattice.flags'
ADAM = ['--optimizer=adam', '--learning_rate=0.005']
SMALL = 'the 4 x 4 lattice it begins with'
PLAIN = ['--nopath_gradient']
ROWS = {
  'plain: reparameterised gradient': PLAIN,
  'antithetic draws': [*PLAIN, '--antithetic'],
  'path gradient': [],
  'path gradient, antithetic draws': ['--antithetic'],
  'force matching, weight 0.1': [*PLAIN, '--force_weight=0.1', '--nojit_compile'],
  'annealing over 300 steps': [*PLAIN, '--anneal_steps=300'],
  'path gradient, by Soap': ['--optimizer=soap', '--learning_rate=0.007'],
  'a second layer of 6 units': ['--second_layer=6'],
  'without functions of time': ['--basis_size=1'],
  SMALL: ['--side=4'],
  'path gradient, begun with that': ['--start_from={small}/model.npz'],
}


def train(row: list[str], folder: pathlib.Path) -> dict[str, float]:
  """KL and ESS after the epochs, with their errors, and the seconds of the whole process."""
  own = [f'--flagfile={BASE}', *ADAM, f'--epochs={FLAGS.epochs}', f'--seed={FLAGS.seed}']
  flags_of_row = [*own, '--nofigures', '--nosaved_model', *row]
  found, seconds = app_run.summary('ising_main.py', flags_of_row, folder)
  sites = found['num_sites']
  return {
    'kl': found['total_kl'],
    'statistical_error': found['statistical_error'] * sites,
    'integration_error': found['integration_error'] * sites,
    'effective_sample_size': found['effective_sample_size'],
    'seconds': seconds,
  }


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  chosen = [name.strip() for name in FLAGS.rows.split(';') if name.strip()] or list(ROWS)
  if unknown := [name for name in chosen if name not in ROWS]:
    raise app.UsageError(f'--rows must be of {list(ROWS)}, got {unknown}.')
  results = {}
  with tempfile.TemporaryDirectory() as root:
    for name in chosen:
      row = [flag.format(small=pathlib.Path(root, SMALL)) for flag in ROWS[name]]
      found = results[name] = train(row, pathlib.Path(root, name))
      print(
        f'{name:40s}KL {found["kl"]:.4f} +- {found["statistical_error"]:.1g} +- '
        f'{found["integration_error"]:.1g} nats, ESS {100 * found["effective_sample_size"]:.1f} %, '
        f'{found["seconds"]:.0f} s',
        flush=True,
      )
      report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
