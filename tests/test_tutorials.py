"""Tutorials, cheaply: they parse, say what they show, and use public names.

`make tutorials` runs them.
"""

import ast
import importlib
import json
import re

import numpy as np
import pytest

import ma_keras
from website import tutorials

WATCH = tutorials.ROOT / 'docs' / 'watch' / 'flow.html'
TEXTS = {name: (tutorials.SOURCES / f'{name}.py').read_text() for name in tutorials.names()}
LINK = re.compile(r'\]\(([\w./-]+)(?:#[\w-]+)?\)')


def code(name):
  return '\n'.join(content for kind, content in tutorials.cells(TEXTS[name]) if kind == 'python')


def check_public(path):
  """Raises AssertionError unless every part of ma_keras.a.b is listed by the one before it."""
  thing = ma_keras
  for part in path.split('.')[1:]:
    listed = getattr(thing, '__all__', [part])
    is_package = (tutorials.ROOT / thing.__name__.replace('.', '/') / part).is_dir()
    assert part in listed or (is_package and not part.startswith('_')), path
    thing = getattr(thing, part, None) or importlib.import_module(f'{thing.__name__}.{part}')


def test_tutorials_are_listed():
  index = (tutorials.SOURCES / 'index.md').read_text()
  assert set(re.findall(r'\]\((\w+)\.py\)', index)) == set(TEXTS)


@pytest.mark.parametrize('name', TEXTS)
def test_a_tutorial_tells_before_it_shows(name):
  """A title first, a way on last, prose between pieces of code, and a picture at least."""
  cells = tutorials.cells(TEXTS[name])
  assert cells[0][1].startswith('# ') and cells[-1][1].startswith('**Where to go on.**')
  kinds = ''.join(kind[0] for kind, _ in cells)
  assert 'ppp' not in kinds and kinds.count('m') > 4
  assert re.search(r'plt\.show\(\)|^plotting\.|^Image\(', code(name), re.MULTILINE)
  page = tutorials.without_outputs(TEXTS[name])
  assert len(re.findall('^```', page, re.MULTILINE)) == 2 * kinds.count('p')


@pytest.mark.parametrize('name', TEXTS)
def test_a_tutorial_uses_public_names(name):
  tree = ast.parse(code(name))
  imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
  ours = [node for node in imports if node.module.split('.')[0] == 'ma_keras']
  for node in ours:
    for alias in node.names:
      check_public(f'{node.module}.{alias.name}')
  packages = {alias.name for node in ours for alias in node.names}
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      if node.value.id in packages | {'ma_keras'}:
        check_public(f'ma_keras.{ast.unparse(node)}'.replace('ma_keras.ma_keras', 'ma_keras'))
      assert node.value.id == 'self' or not node.attr.startswith('_'), ast.unparse(node)


@pytest.mark.parametrize('name', [*TEXTS, 'index'])
def test_its_links_are_pages(name):
  text = TEXTS.get(name) or (tutorials.SOURCES / 'index.md').read_text()
  for link in LINK.findall(text):
    assert (tutorials.SOURCES / link).exists(), link


def test_the_page_of_the_browser_needs_nothing_else():
  page = WATCH.read_text(encoding='utf-8')
  assert len(page) < 500_000 and not re.search(r'https?://|src=|href=|import ', page)
  flows = json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.DOTALL)[1])
  assert len(flows['flows']) == 3
  for flow in flows['flows']:
    kernel, amplitude = np.array(flow['kernel']), np.array(flow['amplitude'])
    assert kernel.shape == (2, len(flow['bias'])) and amplitude.shape[1:] == kernel.shape[1:]
    assert np.shape(flow['check']['x']) == np.shape(flow['check']['z']) == (12, 2)
