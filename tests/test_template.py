"""Placeholders of pages: the values at their places, and errors that name what is wrong."""

import json
import math

import pytest

from tests.integration.apps import ROOT

with pytest.MonkeyPatch.context() as patch:
  patch.syspath_prepend(ROOT / 'benchmarks')
  import places
  import template

VALUES = {
  'commit': 'abc1234',
  'sites': 256,
  'error': 3e-5,
  'seeds': {'one': {'kl': 1.5}, 'two': {'kl': -2.5}},
  'seen': [{'name': 'energy', 'value': -1.4531}, {'name': 'heat, per site', 'value': 2.0}],
  'nats': [1021.86, 985.55],
}


@pytest.fixture
def files(tmp_path):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / 'summary.json').write_text(json.dumps(VALUES))
  (tmp_path / 'run' / 'metrics.csv').write_text('epoch,nll\n0,3.25\n1,NA\n')
  return places.Files(tmp_path)


@pytest.mark.parametrize(
  'place, expected',
  [
    ('commit', 'abc1234'),
    ('sites', '256'),
    ('error|.0e', '3e-5'),
    ('error|times sites|.2g', '0.0077'),
    ('sites|over run/summary:seeds/one/kl|.1f', '170.7'),
    ('seeds/one/kl|less run/summary:seeds/two/kl|.0f', '4'),
    ('seeds/one/kl|percent|.0f', '150'),
    ('error|milli|.2f', '0.03'),
    ('seeds/*/kl|.1f', '1.5, -2.5'),
    ('seeds/*/kl|count', '2'),
    ('seeds/*/kl|sum|.1f', '-1.0'),
    ('seeds/*/kl|least|.1f', '-2.5'),
    ('seeds/*/kl|greatest|.1f', '1.5'),
    ('seeds/*/kl|largest|.1f', '2.5'),
    ('seeds/*/kl|mean|.1f', '-0.5'),
    ('seeds/*/kl|error|.1f', '2.0'),  # Half the difference of two.
    ('seeds/*/kl|joint error|.6f', f'{math.sqrt(1.5**2 + 2.5**2) / 2:.6f}'),
    ('seen/energy/value|.3f', '-1.453'),
    ('seen/heat, per site/value|.0f', '2'),
    ('nats/1|.1f', '985.5'),
    ('nats|.1f', '1021.9, 985.5'),
  ],
)
def test_figures(place, expected, files):
  assert template.page(f'Is {{{{run/summary:{place}}}}}.', files) == f'Is {expected}.'


def test_tables_of_metrics_are_read_by_column(files):
  source = '{{run/metrics.csv:nll/0|.2f}}; {{run/metrics.csv:nll|.0f}}'
  assert template.page(source, files) == '3.25; 3, nan'


@pytest.mark.parametrize(
  'row, expected',
  [
    ('{{for ROW in run/summary:seeds/*}}{{ROW/kl|.1f}} of ROWS', '1.5 of ROWS\n-2.5 of ROWS'),
    ('{{for R in run/summary:seen/*}}{{R/name}} {{R/value|.0f}}', 'energy -1\nheat, per site 2'),
    ('{{for N in run/summary:nats/*}}{{N|.0f}}', '1022\n986'),
    ('{{for RUN in run, other}}`RUN.flags`', '`run.flags`\n`other.flags`'),
    ('{{for ONE in run/summary:seeds/one}}{{ONE/kl|.1f}}', '1.5'),
  ],
)
def test_a_line_is_repeated_for_every_item(row, expected, files):
  assert template.page(f'before\n{row}\nafter', files) == f'before\n{expected}\nafter'


@pytest.mark.parametrize(
  'line, message',
  [
    ('{{run/nothing:kl|.1f}}', r'nothing\.json'),
    ('{{run/summary:seeds/three/kl|.1f}}', r'seeds/three/kl\|\.1f: "three" of .* one, two'),
    ('{{run/summary:sites/kl}}', r'"kl" of run/summary:sites/kl is none of no keys'),
    ('{{run/summary:seen/2/value|.1f}}', r'"2" of .* energy, heat'),
    ('{{kl|.1f}}', r'"kl" names no file: write FILE:KEYS'),
    ('{{run/summary:error}}', r'run/summary:error: 3e-05 needs a format'),
    ('{{run/summary:seeds/*/kl}}', r'needs a format'),
    ('{{run/summary:error|percents|.1f}}', r'run/summary:error\|percents\|\.1f: .*format'),
    ('{{run/summary:error|mean|.1f}}', r'error\|mean\|\.1f'),
    ('{{run/summary:commit|percent|.1f}}', r'commit\|percent\|\.1f'),
    ('{{run/summary:commit|times sites|.1f}}', r'commit\|times sites'),
    ('{{run/summary:error|times site|.1f}}', r'"site" of run/summary:site'),
    ('{{run/summary:sites', r'braces that are no placeholder'),
    ('run/summary:sites}}', r'braces that are no placeholder'),
    ('| {{for ROW in run/summary:seeds/*}} |', r'for ROW in run/summary'),
    ('{{for ROW in run/summary:three/*}} |', r'"three"'),
  ],
)
def test_what_has_no_value_is_named_with_its_line(line, message, files):
  with pytest.raises(ValueError, match=rf'^Line 2: .*{message}'):
    template.page(f'first\n{line}', files)
