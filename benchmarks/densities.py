"""Held-out likelihood of ten tables at default settings, beside a Gaussian and a mixture.

  python benchmarks/densities.py --output=densities.json

`MongeAmpereDensity()` is fitted to four rows of five; a Gaussian of full covariance and a Gaussian
mixture of BIC's number of components (scikit-learn's, of standardised rows) to the same ones. The
tables come with scikit-learn: four real ones, six that it draws. Rounded values, which repeat, get
densities without bound from a mixture, and none from this package: iris and diabetes are such.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import report
from absl import app, flags
from sklearn import datasets

import ma_keras
from ma_keras import fitting

FLAGS = flags.FLAGS
flags.DEFINE_string('output', None, 'JSON file.')
flags.DEFINE_integer('splits', 3, 'Random splits of every table.', lower_bound=1)
flags.DEFINE_list('only', None, 'Names of tables; default all.')


def tables() -> dict[str, np.ndarray]:
  """Ten tables, [n, N] each."""
  friedman, response = datasets.make_friedman1(1500, n_features=6, noise=1.0, random_state=0)
  regression, target = datasets.make_regression(500, 6, noise=5.0, random_state=0)
  return {
    'iris': datasets.load_iris().data,
    'wine': datasets.load_wine().data,
    'breast cancer': datasets.load_breast_cancer().data,
    'diabetes': datasets.load_diabetes(scaled=False).data,
    'moons': datasets.make_moons(2500, noise=0.1, random_state=0)[0],
    'circles': datasets.make_circles(2000, noise=0.08, factor=0.5, random_state=0)[0],
    'swiss roll': datasets.make_swiss_roll(2000, noise=0.3, random_state=0)[0],
    's curve': datasets.make_s_curve(2000, noise=0.1, random_state=0)[0],
    'friedman': np.c_[friedman, response],
    'normal': np.c_[regression, target],
  }


def measured(x: np.ndarray, seed: int) -> dict[str, Any]:
  """Mean negative log densities of held-out rows, nats, and seconds of the fit."""
  order = np.random.default_rng(seed).permutation(len(x))
  train, test = x[order[: 4 * len(x) // 5]], x[order[4 * len(x) // 5 :]]
  baselines = fitting.Baselines.fitted(train, test, seed)
  start = time.perf_counter()
  estimator = ma_keras.MongeAmpereDensity(random_state=seed).fit(train)
  seconds = time.perf_counter() - start
  losses = -estimator.score_samples(test)
  difference = losses - baselines.gaussian_losses
  return {
    'flow': float(np.mean(losses)),
    'gaussian': float(np.mean(baselines.gaussian_losses)),
    'mixture': baselines.mixture,
    'components': baselines.components,
    'error of the difference to the gaussian': float(np.std(difference) / len(test) ** 0.5),
    'start': estimator.start_,
    'gain of the flow over its start': estimator.gain_,
    'seconds': round(seconds, 1),
  }


def main(argv: list[str]) -> None:
  """Measures all tables; exits with 1 if one is worse than a Gaussian by more than its error."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  results: list[dict[str, Any]] = []
  for name, x in tables().items():
    if FLAGS.only and name not in FLAGS.only:
      continue
    splits = [measured(x, seed) for seed in range(FLAGS.splits)]
    flow, gaussian, mixture, error, seconds = (
      float(np.mean([split[key] for split in splits]))
      for key in (
        'flow',
        'gaussian',
        'mixture',
        'error of the difference to the gaussian',
        'seconds',
      )
    )
    results.append({'table': name, 'shape': list(x.shape), 'splits': splits})
    print(
      f'{name} {list(x.shape)}: flow {flow:.3f}, Gaussian {gaussian:.3f}, mixture {mixture:.3f} '
      f'nats; {splits[0]["start"]}; {seconds:.0f} s',
      flush=True,
    )
    results[-1]['worse than a gaussian'] = flow > gaussian + error
  report.write(FLAGS.output, results)
  worse = [row['table'] for row in results if row['worse than a gaussian']]
  if worse:
    sys.exit(f'densities: worse than a Gaussian: {worse}.')


if __name__ == '__main__':
  app.run(main)
