"""Samples of tasks of benchmark-mi, with their exact mutual information, for mutual_information.py.

  pip install benchmark-mi==0.1.3 "jax==0.4.30" "jaxlib==0.4.30"  # In an environment of its own.
  python benchmarks/mutual_information_samples.py samples

Czyz et al., Beyond Normal: On the Evaluation of Mutual Information Estimators (2023).
"""

import pathlib
import sys

import numpy as np

TASKS = (
  '1v1-normal-0.75',
  'half_cube-1v1-normal-0.75',
  'wiggly-1v1-normal-0.75',
  '1v1-bimodal-0.75',
  '1v1-additive-0.75',
  'student-identity-1-1-1',
  'swissroll_x-normal_cdf-1v1-normal-0.75',
  'multinormal-dense-5-5-0.5',
  'student-identity-2-2-1',
  'spiral-multinormal-sparse-3-3-2-2.0',
)
TRAIN, TEST = 400_000, 10_000
SEED = 1


def main(folder: str) -> None:
  """Writes a file for every task."""
  import bmi  # Not among the requirements of this project.

  for name in TASKS:
    task = bmi.benchmark.BENCHMARK_TASKS[name]
    x, y = (np.asarray(part) for part in task.sample(TRAIN + TEST, SEED))
    path = pathlib.Path(folder, f'{name}.npz')
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x, y=y, held_out=TEST, exact=task.mutual_information, seed=SEED)
    print(path, x.shape, y.shape, float(task.mutual_information))


if __name__ == '__main__':
  main(*sys.argv[1:])
