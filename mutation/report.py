"""What became of the mutants, as Markdown."""

from __future__ import annotations

import collections
import difflib
from typing import Any

from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from mutation import selection

HEAD = '| part | mutants | killed | timed out | survived | not run |\n|---|---|---|---|---|---|'


def verdict(result: WorkResult | None) -> str:
  """One of the columns."""
  if result is None or result.worker_outcome == WorkerOutcome.SKIPPED:
    return 'not run'
  if result.test_outcome == TestOutcome.SURVIVED:
    return 'survived'
  return 'timed out' if result.output == 'timeout' else 'killed'


def markdown(session: WorkDB, about: dict[str, Any]) -> str:
  """Counts by part, and every survivor."""
  results = {item.job_id: result for item, result in session.completed_work_items}
  counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
  survivors = []
  for item in session.work_items:
    mutation, result = item.mutations[0], results.get(item.job_id)
    counts[selection.part_of(mutation.module_path)][verdict(result)] += 1
    if result is not None and verdict(result) == 'survived':
      survivors.append(line(mutation, result))
  rows = [row(part, counts[part]) for part in sorted(counts)]
  total = row('all', sum(counts.values(), collections.Counter()))
  head = f'Commit {about["commit"]}, seed {about["seed"]}, {about["modules"]} modules.'
  return '\n'.join([head, '', HEAD, *rows, total, '', *sorted(survivors), ''])


def row(part: str, counts: collections.Counter[str]) -> str:
  """A line of the table."""
  columns = [counts[name] for name in ('killed', 'timed out', 'survived', 'not run')]
  return f'| {part} | {counts.total()} | ' + ' | '.join(map(str, columns)) + ' |'


def line(mutation: MutationSpec, result: WorkResult) -> str:
  """A mutant with what became of it."""
  place = f'{mutation.module_path}:{mutation.start_pos[0]}'
  return f'- {verdict(result)}: `{place}` {result.diff}'


def changed_lines(before: str, after: str) -> str:
  """The lines that differ, before -> after."""
  lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
  changed: dict[str, list[str]] = {'-': [], '+': []}
  for text in list(lines)[3:]:  # After the names and the place.
    changed[text[0]].append(text[1:].strip())
  return ' -> '.join(f'`{" ".join(changed[sign])}`' for sign in '-+')
