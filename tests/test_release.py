"""Files of a release agree: one version everywhere, and the package holds what it needs."""

import ast
import pathlib
import re
import runpy

import setuptools

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


def test_links_of_the_description_lead_somewhere_or_are_text(monkeypatch):
  """No link of the README is one to a file beside it where there is none, as on an index."""
  monkeypatch.setattr(setuptools, 'setup', lambda **arguments: None)
  described = runpy.run_path(str(ROOT / 'setup.py'))['described']
  readme = '![Paths](a/b.png) of [a page](docs/c.md#d), [a paper](https://e.org/f) and [above](#g).'
  kept = '[a paper](https://e.org/f) and [above](#g).'
  assert described(readme, '', '1.0') == f' of a page, {kept}'
  assert described(readme, 'https://h.org/i', '1.0') == (
    '![Paths](https://h.org/i/raw/v1.0/a/b.png) of '
    f'[a page](https://h.org/i/blob/v1.0/docs/c.md#d), {kept}'
  )
  whole = described((ROOT / 'README.md').read_text(), '', '1.0')
  assert not re.search(r'\]\((?!https?:|#)', whole)
