"""Every mutant meets its tests."""

from __future__ import annotations

import json
import pathlib

from cosmic_ray import plugins
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

from mutation import forks, report, selection

UNCHANGED_LIMIT = 1800.0  # Seconds for a test file of the unchanged tree.


class Baseline:
  """Seconds that test files take in the unchanged tree, in which all of them must pass."""

  def __init__(self, folder: pathlib.Path) -> None:
    """Reads what is known already."""
    self._folder = folder
    self._file = folder / 'baseline.json'
    self._seconds = json.loads(self._file.read_text()) if self._file.exists() else {}

  def seconds(self, tests: list[str]) -> float:
    """Sum over these files; raises RuntimeError if one fails without any mutant."""
    for test in tests:
      if test not in self._seconds:
        self._seconds[test] = self._measured(test)
        self._file.write_text(json.dumps(self._seconds))
    return sum(self._seconds[test] for test in tests)

  def _measured(self, test: str) -> float:
    tree, log = self._folder / 'tree', self._folder / 'log'
    outcome = forks.run(tree, [test], UNCHANGED_LIMIT, log)
    if not outcome.passed:
      raise RuntimeError(f'{test} fails before anything is changed: {outcome.output}')
    return outcome.seconds


def execute(folder: pathlib.Path, session: WorkDB, again: bool = False) -> None:
  """Tries every mutant that has no result yet, or every survivor again; keeps results at once."""
  baseline = Baseline(folder)
  items = survivors(session) if again else list(session.pending_work_items)
  for item in sorted(items, key=lambda item: str(item.mutations[0].module_path)):
    result = attempt(folder, item.mutations[0], baseline)
    session.set_result(item.job_id, result)
    print(report.line(item.mutations[0], result), flush=True)


def attempt(folder: pathlib.Path, mutation: MutationSpec, baseline: Baseline) -> WorkResult:
  """The result of one mutant, which has four times as long as the unchanged module takes."""
  tests = selection.tests(folder / 'tree', mutation.module_path)
  limit = 30.0 + 4.0 * baseline.seconds(tests)
  operator = plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
  with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
    outcome = forks.run(folder / 'tree', tests, limit, folder / 'log')
  return WorkResult(
    WorkerOutcome.NORMAL,
    'timeout' if outcome.timed_out else outcome.output,
    TestOutcome.SURVIVED if outcome.passed else TestOutcome.KILLED,
    report.changed_lines(before, after),
  )


def survivors(session: WorkDB) -> list[WorkItem]:
  """Mutants that all their tests let through."""
  results = session.completed_work_items
  return [item for item, result in results if result.test_outcome == TestOutcome.SURVIVED]
