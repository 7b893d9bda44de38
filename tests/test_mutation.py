"""`make mutate`: its settings name tests that exist, and a mutant survives weak tests alone."""

import os
import pathlib

import pytest

from tests.integration import apps

pytest.importorskip('cosmic_ray')  # The extra `mutate`.
from mutation import selection

MODULE = pathlib.Path('ma_keras/integrators/larger.py')
SOURCE = 'def larger(a, b):\n  return a > b\n'
WEAK = 'def test_larger():\n  assert larger(2, 1)\n'
STRONG = WEAK + '  assert not larger(1, 1)\n'


def test_every_module_meets_tests_that_exist():
  for module in selection.modules(apps.ROOT, selection.parts()):
    assert selection.part_of(module) in selection.parts()
    if module.name != '__init__.py':
      assert selection.tests(apps.ROOT, module), module
  for name in selection.named_tests():
    file, _, function = name.partition('::')
    assert (apps.ROOT / file).exists(), name
    assert not function or f'def {function}(' in (apps.ROOT / file).read_text(), name


def write(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


def check_trial(folder, test, expected):
  """In a process in which TensorFlow has run nothing, which alone may be forked."""
  from mutation import report, trial

  tree = folder / 'tree'
  write(tree / MODULE, SOURCE)
  imports = f"import runpy\nlarger = runpy.run_path('{MODULE}')['larger']\n"
  write(tree / 'tests/integrators/test_larger.py', imports + test)
  os.chdir(tree)
  baseline = trial.Baseline(folder)
  mutants = selection.sample([MODULE], 0, 0)
  results = [trial.attempt(folder, item.mutations[0], baseline) for item in mutants]
  assert {result.diff.split('`')[3]: report.verdict(result) for result in results} == expected
  assert (tree / MODULE).read_text() == SOURCE


@pytest.mark.slow
@pytest.mark.parametrize('test, verdict', [(WEAK, 'survived'), (STRONG, 'killed')])
def test_a_mutant_survives_weak_tests_alone(tmp_path, test, verdict):
  expected = {'return a >= b': verdict, 'return a <= b': 'killed'}
  apps.passes(check_trial, tmp_path, test, expected)
