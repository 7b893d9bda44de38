"""Pages of docs/results, out of their sources and the JSON files beside them.

  python benchmarks/records.py

benchmarks/pages/results.md makes docs/results/README.md, benchmarks/pages/benchmarks.md the table
of the best runs, benchmarks/pages/mutation.md what became of mutants. `template` says how a source
names its figures; a test compares the pages with what this makes.

A new run has flags, metrics and `summary.json` in docs/results/RUN, and in records.json what they
do not say: problem, commit, machine, time, best published figure. Its name goes into a row of
pages/benchmarks.md, its section into pages/results.md. A new benchmark has what it wrote to
`--output` in docs/results/benchmarks, and a section. A section names command, seed, commit and
machine; figures of others are in published.json, by their source.
"""

from __future__ import annotations

import pathlib

import places
import template

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'docs' / 'results'
SOURCES = pathlib.Path(__file__).with_name('pages')
# Source -> page.
PAGES = {
  'results.md': RESULTS / 'README.md',
  'benchmarks.md': RESULTS / 'benchmarks.md',
  'mutation.md': RESULTS / 'mutation.md',
}


def page(source: str) -> str:
  """The page of a source, by the name of the latter."""
  try:
    return template.page((SOURCES / source).read_text(), places.Files(RESULTS))
  except ValueError as error:
    raise ValueError(f'benchmarks/pages/{source}: {error}') from error


if __name__ == '__main__':
  for name, path in PAGES.items():
    path.write_text(page(name))
