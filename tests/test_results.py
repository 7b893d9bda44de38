"""Figures in prose are those of the summaries of the runs."""

import json
import re

import pytest

from tests.integration.apps import ROOT

RESULTS = ROOT / 'docs' / 'results'
PAGE = (RESULTS / 'README.md').read_text()


def summary(run):
  return json.loads((RESULTS / run / 'summary.json').read_text())


def mention(run):
  """Text of the page on a run: a row of a table if there is one, else the section about it."""
  (row,) = re.findall(rf'^\| `{run}\.flags` \|.*$', PAGE, re.MULTILINE) or ['']
  sections = [text for text in re.split(r'^## ', PAGE, flags=re.M) if f'({run})' in text]
  return row or sections[0]


ISING = ['ising_l8', 'ising_l16_paper', 'ising_l16_quick', 'ising_l8_lattice', 'ising_l16_best']
ISING += ['ising_l32_lattice', 'ising_l64_lattice']


def rounds_to(value, printed):
  """Tells if a number is the value in as many decimals."""
  return f'{value:.{len(printed.partition(".")[2])}f}' == printed


@pytest.mark.parametrize('run', ISING)
def test_free_energies_are_those_of_the_runs(run):
  measured, text = summary(run), mention(run)
  value, error = re.search(r'(-\d\.\d{6}) \+- (\S+)', text).groups()
  assert value == f'{measured["free_energy_per_site"]:.6f}'
  assert float(error) == float(f'{measured["statistical_error"]:.1g}')
  in_a_row = text.startswith('|')
  divergence = text.split('|')[5] if in_a_row else re.search(r'KL (.+?) nats', text)[1]
  assert rounds_to(measured['total_kl'], divergence.split()[0])
  shares = re.findall(r'([\d.]+) % of [\d,]+', text)
  assert shares and rounds_to(100 * measured['effective_sample_size'], shares[0])


@pytest.mark.parametrize('run', ['mnist_best', 'mnist_paper_fast', 'mnist_quick'])
def test_likelihoods_are_those_of_the_runs(run):
  measured, text = summary(run), mention(run).replace('**', '')
  assert f'{measured["nll"]:.2f} +- {measured["point_error"]:.2g} (images)' in text
  assert f'{measured["bits_per_dimension"]:.4f}' in text


def test_the_first_page_says_what_the_best_runs_measured():
  text = (ROOT / 'README.md').read_text()
  ising, mnist = summary('ising_l16_best'), summary('mnist_best')
  assert f'free energy is {ising["total_kl"]:.3f}\nnats above' in text
  assert f'{100 * ising["effective_sample_size"]:.0f} % of the samples' in text
  assert f'{mnist["nll"]:.1f} +- {mnist["point_error"]:.1f} nats' in text
  assert f'({mnist["bits_per_dimension"]:.3f} bits per dimension)' in text
