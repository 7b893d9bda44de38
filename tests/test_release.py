"""Files of a release agree: one version everywhere, and the package holds what it needs."""

import ast
import pathlib
import re

import ma_keras

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_the_version_is_the_same_everywhere():
  (cited,) = re.findall(r'^version: (\S+)$', (ROOT / 'CITATION.cff').read_text(), re.MULTILINE)
  newest = re.search(r'^## \[(\S+)\]', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)[1]
  assert cited == newest == ma_keras.__version__


def test_data_files_of_packages_are_packed():
  """Every file in a package that is no module has a pattern of this package in setup.py."""
  patterns = re.search(r'package_data=(\{.*?\})', (ROOT / 'setup.py').read_text(), re.DOTALL)[1]
  patterns = ast.literal_eval(patterns)
  for path in (ROOT / 'ma_keras').rglob('*'):
    if path.is_file() and '__pycache__' not in path.parts and path.suffix != '.py':
      package = '.'.join(path.relative_to(ROOT).parent.parts)
      assert any(path.match(pattern) for pattern in patterns.get(package, ())), path
