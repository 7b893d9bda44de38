"""docs/results/benchmarks.md is what its script makes of the runs' own summaries."""

import runpy

from tests.integration.apps import ROOT

SCRIPT = runpy.run_path(str(ROOT / 'benchmarks' / 'records.py'))


def test_the_page_says_what_the_summaries_do():
  assert SCRIPT['PAGE'].read_text() == SCRIPT['page'](), 'Write it: python benchmarks/records.py'


def test_values_carry_their_errors():
  result = {
    'effective_sample_size': 0.5,
    'num_samples': 2000,
    'num_sites': 100,
    'total_kl': 1.234,
    'statistical_error': 2e-4,
    'integration_error': 1e-5,
    'exact_per_site': -2.0,
  }
  assert SCRIPT['sampled'](result) == ('50 % of 2,000', '1.23 +- 0.02 +- 0.001')
  del result['exact_per_site']
  assert SCRIPT['sampled'](result) == ('50 % of 2,000', '')
