"""What each idea of the MNIST model is worth: equal epochs, one thing changed at a time.

  python benchmarks/ideas.py --data_dir=FOLDER --output=ideas.json

Runs apps/mnist_main.py once for every row: a ladder from the paper's potential to that of
mnist_best.flags, and that one with single things taken away. Two or three minutes a row.
"""

from __future__ import annotations

import pathlib
import tempfile

import app_run
import report
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('epochs', 1, 'Epochs of each run.', lower_bound=1)
flags.DEFINE_list('rows', None, 'Numbers of the rows to run, from 0; default: all of them.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

BEST = app_run.FLAGFILES / 'mnist_best.flags'
BRIEF = ['--eval_points=2000', '--eval_draws=1']
PAPER = ['--hidden_units=1024', '--local=', '--separable_units=0', '--basis_size=1']
ROWS = {
  'the paper: 1024 dense units': PAPER,
  'the paper, one unit per pixel at the start': [*PAPER, '--dense_start=per_pixel'],
  'the paper + six functions of time': [*PAPER, '--basis_size=6'],
  '+ ten units per pixel': [*PAPER[:2], '--separable_steepness=1'],
  '+ steep at the start': PAPER[:2],
  'patches and 256 dense units instead': [],
  'without dense units': ['--hidden_units=0'],
  'without units per pixel': ['--separable_units=0'],
  'without functions of time': ['--basis_size=1'],
  'eight steps': ['--num_steps=8', '--step_size=1.25'],
  'without stiffness penalty': ['--penalty=stiffness:0'],
}


def train(flags_of_row: list[str]) -> dict[str, float]:
  """Test NLL after the epochs, its errors, and the seconds it took."""
  flags_of_run = [f'--flagfile={BEST}', f'--epochs={FLAGS.epochs}', *BRIEF, *flags_of_row]
  flags_of_run += [f'--data_dir={FLAGS.data_dir}'] if FLAGS.data_dir else []
  with tempfile.TemporaryDirectory() as folder:
    found, seconds = app_run.summary('mnist_main.py', flags_of_run, pathlib.Path(folder, 'run'))
  names = ('nll', 'point_error', 'integration_error', 'nll_at_trained_steps', 'parameters')
  return {**{name: found[name] for name in names}, 'seconds': seconds}


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  results = {}
  chosen = range(len(ROWS)) if FLAGS.rows is None else [int(row) for row in FLAGS.rows]
  for name, row in [list(ROWS.items())[number] for number in chosen]:
    found = results[name] = train(row)
    print(
      f'{name:44s}{found["nll"]:9.1f} +- {found["point_error"]:.1f} nats, '
      f'{found["nll_at_trained_steps"]:.1f} at the steps of training, '
      f'{found["parameters"]} parameters, {found["seconds"]:.0f} s',
      flush=True,
    )
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
