"""The reference has every public name, with a docstring and an example that fits the sources."""

import ast
import importlib
import inspect
import types

import pytest

from website import docstrings, examples, names, reference

PUBLIC = names.public()


def test_names_read_from_the_sources_are_those_that_users_import():
  for home, name in PUBLIC.items():
    module, _, word = home.rpartition('.')
    for path in (name.path, *name.others):
      assert imported(path) is getattr(importlib.import_module(module), word), path
  for module in names.modules():
    public = importlib.import_module(module)
    assert imported(names.public_module(module)) is public
    listed = {name for name in getattr(public, '__all__', ()) if not name.startswith('__')}
    assert listed <= set(names.names_in(module))
    modules = {name for name in listed if isinstance(getattr(public, name), types.ModuleType)}
    assert listed - modules == {name for name in listed if names.attribute(module, name) in PUBLIC}


def imported(path):
  """The object at a dotted path; modules are imported as far as there are some."""
  module, _, name = path.rpartition('.')
  if not module:
    return importlib.import_module(path)
  try:
    return getattr(imported(module), name)
  except AttributeError:
    return importlib.import_module(path)


def test_every_public_module_has_a_page():
  assert set(reference.page_of_module()) == set(map(names.public_module, names.modules()))


def test_every_public_name_says_what_it_is():
  assert [name.path for name in PUBLIC.values() if not name.summary] == []


def test_every_public_name_has_an_example():
  assert examples.without_example() == []


def test_every_example_of_a_page_has_a_heading_to_lead_to():
  blocks = [block for page in examples.pages().values() for block in page]
  assert [block.page for block in blocks if not block.heading] == []


DOCSTRINGS = {home: examples.in_docstring(home) for home in PUBLIC if examples.in_docstring(home)}


@pytest.mark.parametrize('home', DOCSTRINGS)
def test_examples_in_docstrings_call_what_there_is(home):
  """They are not executed: names must exist, and arguments fit signatures."""
  for block in DOCSTRINGS[home]:
    for node in ast.walk(ast.parse(block.code)):
      path = ast.unparse(node.func) if isinstance(node, ast.Call) else ''
      if path.startswith('ma_keras.'):
        starred = any(isinstance(argument, ast.Starred) for argument in node.args)
        words = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        signature = inspect.signature(imported(path))
        signature.bind_partial(*([] if starred else node.args), **words)


def test_equations_of_docstrings_are_code_and_operators_stay():
  text = 'Says a * b < c and `x * y`.\n\n  u = v * w,\n  v = 1.\n\nArgs:\n  x: Of a * b.\n'
  assert docstrings.as_markdown(text) == (
    'Says a \\* b &lt; c and `x * y`.\n\n    u = v * w,\n    v = 1.\n\nArgs:\n  x: Of a \\* b.\n'
  )
