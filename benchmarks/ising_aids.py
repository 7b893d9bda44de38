"""What each training aid is worth on the critical Ising model: equal steps, one thing changed.

  python benchmarks/ising_aids.py --output=ising_aids.json

Runs apps/ising_main.py once for every row with the flags of ising_l8_lattice.flags, a tenth of
its epochs. Half a minute to two minutes a row.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import report
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer('epochs', 10, 'Epochs of each run, of 100 steps.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Of every run.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

ROOT = pathlib.Path(__file__).resolve().parents[1]
BASE = ROOT / 'apps' / 'flagfiles' / 'ising_l8_lattice.flags'
SMALL = 'the 4 x 4 lattice it begins with'
PLAIN = ['--nopath_gradient']
ROWS = {
  'plain: reparameterised gradient': PLAIN,
  'antithetic draws': [*PLAIN, '--antithetic'],
  'path gradient': [],
  'path gradient, antithetic draws': ['--antithetic'],
  'force matching, weight 0.1': [*PLAIN, '--force_weight=0.1', '--gradient=plain'],
  'annealing over 300 steps': [*PLAIN, '--anneal_steps=300'],
  'a second layer of 6 units': ['--second_layer=6'],
  'without functions of time': ['--basis_size=1'],
  SMALL: ['--side=4'],
  'path gradient, begun with that': ['--start_from={small}/model.npz'],
}


def train(row: list[str], folder: pathlib.Path) -> dict[str, float]:
  """KL and ESS after the epochs, with their errors, and the seconds of the whole process."""
  command = [sys.executable, str(ROOT / 'apps' / 'ising_main.py'), f'--flagfile={BASE}']
  command += [f'--epochs={FLAGS.epochs}', f'--seed={FLAGS.seed}', *row, f'--run_dir={folder}']
  start = time.perf_counter()
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  seconds = time.perf_counter() - start
  if not (folder / 'summary.json').exists():
    sys.exit(f'ising_aids: a run failed: {done.stderr.strip().splitlines()[-1]}')
  found = json.loads((folder / 'summary.json').read_text())
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
  results = {}
  with tempfile.TemporaryDirectory() as root:
    for number, (name, row) in enumerate(ROWS.items()):
      small = pathlib.Path(root, str(list(ROWS).index(SMALL)))
      row = [flag.format(small=small) for flag in row]
      found = results[name] = train(row, pathlib.Path(root, str(number)))
      print(
        f'{name:40s}KL {found["kl"]:.4f} +- {found["statistical_error"]:.1g} +- '
        f'{found["integration_error"]:.1g} nats, ESS {100 * found["effective_sample_size"]:.1f} %, '
        f'{found["seconds"]:.0f} s',
        flush=True,
      )
      report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
