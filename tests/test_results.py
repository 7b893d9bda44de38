"""Pages of results are what their sources make, and the first page of the project says the same."""

import json
import re

import pytest

from tests.integration.apps import ROOT

with pytest.MonkeyPatch.context() as patch:
  patch.syspath_prepend(ROOT / 'benchmarks')
  import records

SECTIONS = re.findall(r'^## (.*?)\n(.*?)(?=^## |\Z)', records.page('results.md'), re.M | re.S)


@pytest.mark.parametrize('source', records.PAGES)
def test_pages_are_those_of_their_sources(source):
  written = records.PAGES[source].read_text()
  assert written == records.page(source), 'Write it: python benchmarks/records.py'


def typed(source):
  """Decimal numbers of a source, outside of placeholders, code, links and versions."""
  read = r'\{\{.*?\}\}|`[^`]*`|\]\([^)]*\)|(Python|TensorFlow)\s[\d.]+'
  return re.findall(r'\d+\.\d+\S*|\b\d+e[+-]?\d+\b', re.sub(read, '', source))


@pytest.mark.parametrize('source', records.PAGES)
def test_no_decimal_figure_is_typed_by_hand(source):
  assert typed((records.SOURCES / source).read_text()) == []


def test_figures_that_are_typed_are_found():
  assert typed('| KL | {{a:b|.1f}} +- 0.1 | 3e-5 |, Python\n3.11, `--rate=0.1`') == ['0.1', '3e-5']


@pytest.mark.parametrize('title, text', SECTIONS, ids=[title for title, _ in SECTIONS])
def test_sections_say_where_their_figures_come_from(title, text):
  for provenance in (r'`(python|ma-keras) ', r'\bseeds?\b', r'\bcommits?\s', r'Intel|AMD|NVIDIA'):
    assert re.search(provenance, text), f'{title}: {provenance}'


def test_every_run_has_its_row():
  runs = {path.parent.name for path in records.RESULTS.glob('*/summary.json')}
  assert runs == set(re.findall(r'\[(\w+)\.flags\]', records.page('benchmarks.md')))


def summary(run):
  return json.loads((records.RESULTS / run / 'summary.json').read_text())


def test_the_first_page_says_what_the_best_runs_measured():
  text = (ROOT / 'README.md').read_text()
  estimates = json.loads((records.RESULTS / 'benchmarks/ising_estimates_spins.json').read_text())
  ising, mnist = estimates['results'][0], summary('mnist_best')
  assert f'free energy is {ising["total_kl"]:.3f}\nnats above' in text
  assert f'{100 * ising["effective_sample_size"]:.0f} % of the samples' in text
  assert f'{mnist["nll"]:.1f} +- {mnist["point_error"]:.1f} nats' in text
  share = 100 * summary('phi4_l32')['effective_sample_size']
  assert f'{share:.1f} % of 10,000 samples' in text
  assert f'({mnist["bits_per_dimension"]:.3f} bits per dimension)' in text
