"""The best runs in one table: docs/results/benchmarks.md, out of their summaries.

  python benchmarks/records.py

docs/results/records.json says of every run what its problem is, the commit, machine and time, and
the best published figure with its source; flagfile, seed and values are read in its folder, from
`flags.txt` and `summary.json`. A test compares the page with what this makes.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'docs' / 'results'
PAGE = RESULTS / 'benchmarks.md'

HEAD = """# The best runs

Written by `python benchmarks/records.py` out of [records.json](records.json) and the
`summary.json` of every run; [Results](README.md) tells more of each. All ran without a GPU. Errors
are one standard error of the samples, or of the test points, and then what halving the steps
changes. Published figures are of GPUs unless they are the paper's.
"""
SAMPLERS = """
## Samplers of an energy

ESS is the effective sample size of reweighted samples, none of them trimmed; KL is that of the flow
from the target in nats, for which ln Z has to be known exactly.

"""
DENSITIES = """
## Densities of images

Test likelihood, uniform dequantisation.

"""


def page() -> str:
  """The whole page."""
  rows = [(row, summary(row['run'])) for row in json.loads((RESULTS / 'records.json').read_text())]
  samplers = [line(row, result, sampled(result)) for row, result in rows if 'nll' not in result]
  densities = [line(row, result, likelihood(result)) for row, result in rows if 'nll' in result]
  parts = [HEAD, SAMPLERS, header('ESS', 'KL'), *samplers]
  parts += [DENSITIES, header('nats in logit space', 'bits per dimension'), *densities]
  return ''.join(parts)


def header(*values: str) -> str:
  """Names of the columns of a table."""
  names = ['problem', 'flagfile', *values, 'seed', 'time', 'machine', 'commit', 'published']
  return f'| {" | ".join(names)} |\n{"|---" * len(names)}|\n'


def summary(run: str) -> dict[str, Any]:
  """Measurements of a run, as it wrote them."""
  values: dict[str, Any] = json.loads((RESULTS / run / 'summary.json').read_text())
  return values


def line(row: dict[str, str], result: dict[str, Any], values: tuple[str, str]) -> str:
  """A row of a table."""
  name = f'[{row["run"]}.flags](../../apps/flagfiles/{row["run"]}.flags)'
  cells = [row['problem'], name, *values, str(result['seed']), row['time'], row['machine']]
  return f'| {" | ".join([*cells, row["commit"], row["published"]])} |\n'


def sampled(result: dict[str, Any]) -> tuple[str, str]:
  """Effective sample size, and KL where ln Z is exact."""
  ess = f'{100 * result["effective_sample_size"]:.3g} % of {result["num_samples"]:,}'
  if 'exact_per_site' not in result:
    return ess, ''
  sites = result['num_sites']
  errors = [sites * result[name] for name in ('statistical_error', 'integration_error')]
  return ess, f'{result["total_kl"]:.3g} +- {errors[0]:.1g} +- {errors[1]:.1g}'


def likelihood(result: dict[str, Any]) -> tuple[str, str]:
  """Test likelihood in nats and bits."""
  errors = ' +- '.join(f'{result[name]:.1g}' for name in ('point_error', 'integration_error'))
  return f'{result["nll"]:.2f} +- {errors}', f'{result["bits_per_dimension"]:.4f}'


if __name__ == '__main__':
  PAGE.write_text(page())
