"""Case 29: what a user installs and runs is behaviour alone; linters have pins of their own."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETUP = (ROOT / 'setup.py').read_text()
BOUNDS = dict(re.findall(r"'([\w-]+)>=([\d.]+)", SETUP))
LINTERS = ('ruff', 'mypy')


def pins(name):
  """(package, version) of the lines of a file; only `==` pins."""
  lines = re.sub(r'#.*', '', (ROOT / name).read_text()).split('\n')
  matches = [re.fullmatch(r'([\w-]+)==([\d.]+)(;.*)?', line.strip()) for line in lines if line]
  assert all(matches), lines
  return [(match[1], match[2]) for match in matches]


def test_linters_are_pinned_apart_from_what_is_installed():
  assert not any(f"'{name}" in SETUP for name in LINTERS)
  assert {*LINTERS, 'numpy'} <= {name for name, _ in pins('requirements-check.txt')}


def test_no_test_runs_a_linter():
  (command,) = re.findall(r'^test:\n((?:\t.*\n)+)', (ROOT / 'Makefile').read_text(), re.MULTILINE)
  assert command.strip() == '$(PYTHON) -m pytest'
  for path in (ROOT / 'tests').rglob('*.py'):
    calls = rf'(?:import|run|call|\[)\W*(?:{"|".join(LINTERS)})\b'
    assert path == pathlib.Path(__file__) or not re.search(calls, path.read_text()), path


def test_every_lower_bound_is_one_that_is_tested():
  lowest = pins('requirements-lowest.txt')
  assert len(BOUNDS) > 20
  for name, bound in BOUNDS.items():
    if name not in ('cosmic-ray', 'toml'):  # Of `make mutate`, which no user runs.
      assert any(pin == name and version.startswith(bound) for pin, version in lowest), name
