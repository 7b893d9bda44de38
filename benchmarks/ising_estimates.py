"""What a trained flow says of the critical Ising model, over independent seeds of the estimate.

  python benchmarks/ising_estimates.py --model=runs/ising_l16_best/model.npz --output=out.json

One line per seed: KL, effective sample size, the reweighted -ln Z/N less the exact one, energy and
specific heat; each with its statistical and its integration error.
"""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
import report
from absl import app, flags

import ma_keras
from ma_keras import targets, training

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'model.npz of a run of apps/ising_main.py.', required=True)
flags.DEFINE_integer('samples', 40000, 'Of every estimate.', lower_bound=100)
flags.DEFINE_integer('batch_size', 1000, 'Samples flowed at once.', lower_bound=1)
flags.DEFINE_integer('seeds', 5, 'Estimates.', lower_bound=1)
flags.DEFINE_integer('refine', 2, 'Steps per step of training.', lower_bound=1)
flags.DEFINE_integer(
  'halved', None, 'Of them flowed in halved steps, too; default all.', lower_bound=2
)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  bijector = ma_keras.load(FLAGS.model).bijector.refined(FLAGS.refine)
  side = math.isqrt(bijector.potential.event_size)
  target = targets.Ising(side)
  exact = target.exact_free_energy_per_site()
  known = targets.thermodynamics.exact(side)
  results = []
  for seed in range(1, FLAGS.seeds + 1):
    start = time.perf_counter()
    size = FLAGS.batch_size
    draws = training.draw(bijector, target, FLAGS.samples, size, seed, True, FLAGS.halved)
    found = training.summarise(draws, exact)
    energy, heat, *_ = training.measure_observables(draws, target)
    off = found.reweighted_per_site - exact
    print(
      f'seed {seed}: KL {found.total_kl:.4f} +- {found.statistical_error * side**2:.1g} +- '
      f'{found.integration_error * side**2:.1g}, ESS {100 * found.effective_sample_size:.2f} %, '
      f'-ln Z/N off by {off:.1e} +- {found.reweighted_error:.1e} +- '
      f'{found.reweighted_integration_error:.1e}; {time.perf_counter() - start:.0f} s',
      flush=True,
    )
    print(f'  {energy}; exact {known.energy:.6f}\n  {heat}; exact {known.specific_heat:.6f}')
    observables = {each.name: dataclasses.asdict(each) for each in (energy, heat)}
    results.append({'seed': seed, **dataclasses.asdict(found), 'off': off, **observables})
    report.write(FLAGS.output, results)
  offs = np.array([each['off'] for each in results])
  print(f'mean of all: off by {offs.mean():.1e} +- {offs.std() / math.sqrt(len(offs)):.1e}')


if __name__ == '__main__':
  app.run(main)
