"""Which modules are mutated, which mutants are tried, and which tests they meet."""

from __future__ import annotations

import argparse
import fnmatch
import pathlib
import random
from collections.abc import Iterable

import toml
from cosmic_ray.commands.init import init
from cosmic_ray.tools.filters.operators_filter import OperatorsFilter
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

SETTINGS = pathlib.Path(__file__).with_name('settings.toml')
Mutants = list[WorkItem]


def parts() -> list[str]:
  """Names of all parts."""
  return list(toml.load(SETTINGS)['parts'])


def modules(tree: pathlib.Path, names: Iterable[str]) -> list[pathlib.Path]:
  """The modules of these parts, or of these paths, relative to the tree."""
  table = toml.load(SETTINGS)['parts']
  patterns = [pattern for name in names for pattern in table.get(name, [name])]
  files = {file for pattern in patterns for file in tree.glob(pattern)}
  return sorted(file.relative_to(tree) for file in files)


def part_of(module: pathlib.Path) -> str:
  """Name of the part that a module belongs to."""
  table = toml.load(SETTINGS)['parts'].items()
  return next(name for name, patterns in table if any(map(module.match, patterns)))


def sample(paths: Iterable[pathlib.Path], size: int, seed: int) -> Mutants:
  """So many of all mutants of the modules, each as likely as any other; all of them for size 0.

  Args:
    paths: Modules, relative to the working directory.
    size: How many mutants; 0 for all.
    seed: Equal seeds choose equal mutants of equal modules.

  Returns:
    The mutants, in order of their modules.
  """
  with use_db(':memory:') as everything:  # A file is synchronised for every mutant left out.
    init(paths, everything, {})
    OperatorsFilter().filter(everything, argparse.Namespace(config=str(SETTINGS)))
    mutants = sorted(everything.pending_work_items, key=lambda item: _place(item.mutations[0]))
  numbers = range(len(mutants))
  chosen = random.Random(seed).sample(numbers, min(size or len(mutants), len(mutants)))
  return [mutants[number] for number in sorted(chosen)]


def tests(tree: pathlib.Path, module: pathlib.Path) -> list[str]:
  """Test files, or functions of them, that a mutant must get past, by the tree, in order.

  The mirror, tests/a/test_b.py of ma_keras/a/b.py, comes first, or those of its functions that the
  settings name.
  """
  mirror = tree / 'tests' / module.relative_to('ma_keras').with_name(f'test_{module.name}')
  table = toml.load(SETTINGS)['tests'].items()
  named = [name for glob, names in table if fnmatch.fnmatch(str(module), glob) for name in names]
  paths: list[pathlib.Path] = []
  for path in (mirror, *(tree / name for name in named)):
    paths += sorted(path.glob('test_*.py')) if path.is_dir() else [path]
  names = [str(path.relative_to(tree)) for path in paths]
  if any(name.startswith(f'{names[0]}::') for name in names):
    del names[0]
  return list(dict.fromkeys(name for name in names if (tree / file_of(name)).exists()))


def file_of(test: str) -> str:
  """File of a test: tests/flow/test_solution.py of tests/flow/test_solution.py::test_time."""
  return test.partition('::')[0]


def named_tests() -> list[str]:
  """All tests that the settings name."""
  return [name for names in toml.load(SETTINGS)['tests'].values() for name in names]


def _place(mutation: MutationSpec) -> tuple[str, tuple[int, int], str, int]:
  return str(mutation.module_path), mutation.start_pos, mutation.operator_name, mutation.occurrence
