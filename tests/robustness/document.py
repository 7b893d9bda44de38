"""docs/robustness.md: the prose of template.md around tables of rows."""

from __future__ import annotations

import json
import pathlib
import re
import string
from collections.abc import Iterable
from typing import Any

from ma_keras.apps.exit_code import ExitCode
from tests.robustness import (
  field_cases,
  test_apps,
  test_data_files,
  test_library,
  test_model_files,
  test_stopped_training,
  test_tables,
)
from tests.robustness.row import Row

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'robustness.md'
TEMPLATE = pathlib.Path(__file__).with_name('template.md')
STIFF_FLOWS = ROOT / 'docs' / 'results' / 'benchmarks' / 'stiff_flows.json'
SECTIONS = {
  'library': test_library.ROWS,
  'model_files': test_model_files.ROWS,
  'data_files': test_data_files.ROWS,
  'tables': test_tables.ROWS,
  'apps': test_apps.ROWS,
  'stopped_training': test_stopped_training.ROWS,
}


def page() -> str:
  """The whole of docs/robustness.md."""
  tables = {name: rows_table(rows) for name, rows in SECTIONS.items()}
  template = string.Template(TEMPLATE.read_text())
  measured = json.loads(STIFF_FLOWS.read_text())
  return template.substitute(tables, **certificates(measured), field_cases=field_cases.table())


def rows_table(rows: Iterable[Row]) -> str:
  """A table of what is done, what it gets, and the message."""
  lines = [(row.what, gets(row), escaped(row.example)) for row in rows]
  return markdown(('what', 'gets', 'message'), lines)


def gets(row: Row) -> str:
  """An exception by its name, an exit code by its number."""
  if row.gets is None:
    return 'no error'
  return f'exit code {row.gets:d}' if isinstance(row.gets, ExitCode) else row.gets.__name__


def certificates(measured: dict[str, Any]) -> dict[str, str]:
  """Commit, seed and the table of how often a wrong log density is certified."""
  rows = [verdicts(kind, result) for kind, result in measured['results'].items()]
  header = (
    *('flows', 'wrong by more than 0.1 nats', 'of these pass, by one halving', 'by the doubt'),
    *('right ones refused by the doubt', 'of those right to 0.05 nats'),
  )
  return {
    'commit': measured['commit'],
    'seed': str(measured['flags']['seed']),
    'certificates': markdown(header, rows),
  }


def verdicts(kind: str, result: dict[str, Any]) -> tuple[str, ...]:
  """One kind of flows: a row of that table."""
  halving, doubt = result['one halving'], result['doubt']
  number = halving['wrong'] + halving['right']
  return (
    f'{result["flows"]} {kind}',
    f'{halving["wrong"]:,} of {number:,}',
    passing(halving),
    passing(doubt),
    f'{100 * doubt["share of right ones refused"]:.1f} %',
    f'{100 * doubt["share of those right to half the tolerance refused"]:.1f} %',
  )


def passing(summary: dict[str, float]) -> str:
  """How many wrong log densities pass, and by how much the worst is off."""
  count = summary['wrong that pass']
  if not count:
    return '0'
  share, worst = summary['wrong'] / count, summary['largest error that passes']
  return f'{count:,}, 1 in {share:,.0f}, the worst off by {worst:.{1 if worst < 100 else 0}f}'


def markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
  """A table of GitHub's Markdown."""
  lines = [header, ('---',) * len(header), *rows]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def escaped(text: str) -> str:
  """Text that shows as it is within a table."""
  return re.sub(r'[|<*]', r'\\\g<0>', text)
