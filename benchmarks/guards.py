"""Ten healthy runs that must end well, five diverging ones that must stop, two that cheat.

  python benchmarks/guards.py --output=guards.json

Tables out of scikit-learn and NumPy, trained by the density app as a user would: heights in
centimetres and inches, whose best likelihood is near 0 nats; correlated normals at the defaults of
the app; breast cancer for a hundred epochs; likelihoods far below 0. A healthy run must end with
exit code 0, a diverging or cheating one with 3, and either must leave its best weights behind, if
an epoch had any.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import app_run
import numpy as np
import report
from absl import app, flags
from sklearn import datasets

FLAGS = flags.FLAGS
flags.DEFINE_list('only', None, 'Names of runs; default all.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

SMALL = ['--hidden_units=64', '--num_steps=10', '--step_size=0.2', '--learning_rate=0.003']
# From Normal(0, I): a flow that starts at a mixture has little to learn.
BROKEN = [*SMALL[:3], '--gradient_clip=0', '--warmup_steps=0', '--epochs=10', '--base=normal']
# Six functions of time and a second-order optimiser: what it takes to exploit an integrator.
CHEAT = ['--hidden_units=64', '--basis_size=6', '--penalty=stiffness:0', '--warmup_steps=0']
CHEAT += ['--base=normal']
# Name -> table, flags, exit code.
RUNS: dict[str, tuple[str, list[str], int]] = {
  'heights': ('heights', [*SMALL, '--epochs=40'], 0),
  'normals, seed 1': ('normals_1', [], 0),
  'normals, seed 2': ('normals_2', [], 0),
  'normals, seed 3': ('normals_3', [], 0),
  'normals, seed 4': ('normals_4', [], 0),
  'breast cancer': ('cancer', ['--hidden_units=64', '--num_steps=20', '--epochs=100'], 0),
  'wine': ('wine', [*SMALL, '--epochs=40', '--batch_size=20'], 0),
  'iris': ('iris', [*SMALL, '--epochs=40', '--batch_size=20'], 0),
  'two moons': ('moons', [*SMALL, '--basis_size=4', '--epochs=40', '--learning_rate=0.01'], 0),
  'a line in four dimensions': ('line', [*SMALL, '--epochs=40'], 0),
  'two moons, rate 10': ('moons', [*BROKEN, '--learning_rate=10'], 3),
  'heights, rate 3': ('heights', [*BROKEN, '--learning_rate=3'], 3),
  'normals, rate 100': ('normals_1', [*BROKEN, '--learning_rate=100'], 3),
  'wine, rate 10': ('wine', [*BROKEN, '--learning_rate=10', '--batch_size=20'], 3),
  'breast cancer, rate 1': ('cancer', [*BROKEN, '--learning_rate=1'], 3),
  'cheat, two moons by Soap': (
    'moons',
    [*CHEAT, '--num_steps=5', '--step_size=0.4', '--optimizer=soap', '--epochs=40'],
    3,
  ),
  'cheat, four blobs by one Euler step': (
    'blobs',
    [*CHEAT, '--num_steps=1', '--step_size=3', '--integrator=euler', '--learning_rate=0.05'],
    3,
  ),
}


def table(name: str) -> np.ndarray:
  """The rows of a table, [n, N]."""
  rng = np.random.default_rng(0)
  if name.startswith('normals'):
    rng = np.random.default_rng(int(name.rpartition('_')[2]))
    mixing = rng.normal(size=(6, 6))
    return rng.normal(size=(1000, 6)) @ mixing
  if name == 'heights':
    centimetres = rng.normal(175.0, 7.0, 2000)
    noise = rng.normal(0.0, 7.0 * np.sqrt(0.998**-2 - 1.0), 2000)
    return np.stack([centimetres, (centimetres + noise) / 2.54], axis=1)
  if name == 'line':
    return rng.normal(size=(1200, 1)) * [1.0, 2.0, 3.0, 4.0] + 0.01 * rng.normal(size=(1200, 4))
  if name == 'blobs':
    return rng.choice([-1.0, 1.0], (600, 2)) + 0.1 * rng.normal(size=(600, 2))
  if name == 'moons':
    return datasets.make_moons(2500, noise=0.1, random_state=0)[0]
  loaders = {
    'cancer': datasets.load_breast_cancer,
    'iris': datasets.load_iris,
    'wine': datasets.load_wine,
  }
  return loaders[name]().data


def measured(name: str, folder: pathlib.Path) -> dict[str, Any]:
  """How the run of that name ends."""
  data, given, expected = RUNS[name]
  np.save(folder / 'table.npy', table(data))
  call = [
    *(sys.executable, str(app_run.ROOT / 'apps' / 'mnist_main.py'), *given),
    *(f'--dataset_file={folder}/table.npy', f'--run_dir={folder}/run'),
    *('--nofigures', '--nosaved_model'),
  ]
  start = time.perf_counter()
  done = subprocess.run(call, capture_output=True, text=True, check=False)
  lines = done.stdout.strip().splitlines()
  return {
    'name': name,
    'flags': given,
    'exit code': done.returncode,
    'expected': expected,
    'result': next((line for line in lines if line.startswith('NLL = ')), ''),
    'last line': (done.stderr.strip().splitlines() or [''])[-1],
    'model kept': (folder / 'run' / 'model.npz').exists(),
    'seconds': round(time.perf_counter() - start, 1),
  }


def main(argv: list[str]) -> None:
  """All runs, one after another; exits with 1 if one ended otherwise than it must."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  results = []
  for name in FLAGS.only or RUNS:
    with tempfile.TemporaryDirectory() as folder:
      results.append(measured(name, pathlib.Path(folder)))
    row = results[-1]
    print(f'{name}: exit code {row["exit code"]} (expected {row["expected"]}), ', end='')
    print(f'{row["seconds"]} s; {row["result"]} {row["last line"]}', flush=True)
  report.write(FLAGS.output, results)
  wrong = [row['name'] for row in results if row['exit code'] != row['expected']]
  if wrong:
    sys.exit(f'guards: ended otherwise than expected: {wrong}.')


if __name__ == '__main__':
  app.run(main)
