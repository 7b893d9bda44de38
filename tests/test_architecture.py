"""Imports point one way: what a package may know of the rest of the project."""

import ast
import dataclasses
import pathlib
import traceback

import pytest
import tensorflow as tf

import ma_keras

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'ma_keras'
# Package -> the parts of ma_keras it may import.
ALLOWED = {
  'particles': {'arguments', 'particles'},
  'potentials': {'arguments', 'particles', 'potentials', 'seeds'},
  'integrators': {'arguments', 'integrators'},
  'symmetry': {'arguments', 'potentials', 'seeds', 'symmetry'},
  'flow': {'arguments', 'flow', 'integrators', 'potentials', 'seeds'},
  'bases': {'arguments', 'bases', 'pickling', 'seeds'},
  'layers': {'layers'},
  'files': {'files'},
  'information': {'arguments', 'information'},
  'data': {'arguments', 'data', 'files'},
  'plotting': {'files', 'plotting'},
}
# All that is no package.
TOP_LEVEL = {
  *('__init__', 'arguments', 'bijector', 'estimator', 'objectives', 'pickling', 'seeds', 'version'),
}
# Package -> the parts of ma_keras it must not know.
FLOWS = {'flow', 'bijector', 'distributions', 'training'}
FORBIDDEN = {'targets': FLOWS, 'samplers': FLOWS}


def imports(source, package='ma_keras'):
  """Full names of the modules and objects that a source imports, at the top or inside functions.

  Args:
    source: Python source.
    package: Dotted name of the package that the module is in, for relative imports.
  """
  names = set()
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      above = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
      module = '.'.join([*above, *([node.module] if node.module else [])])
      names |= {f'{module}.{alias.name}' for alias in node.names}
  return names


def parts(names):
  """'ma_keras.potentials.base.Potential' -> 'potentials'; '' is ma_keras itself."""
  ours = [name.split('.') for name in names if name.split('.')[0] == 'ma_keras']
  return {name[1] if len(name) > 1 else '' for name in ours}


def sources(folder):
  files = sorted(folder.rglob('*.py'))
  assert files, f'{folder} holds no sources.'
  return {
    path.relative_to(ROOT): imports(path.read_text(), '.'.join(path.relative_to(ROOT).parts[:-1]))
    for path in files
  }


@pytest.mark.parametrize(
  'source, expected',
  [
    ('import ma_keras', {''}),
    ('import ma_keras.flow as f', {'flow'}),
    ('from ma_keras import flow, seeds', {'flow', 'seeds'}),
    ('from ma_keras.flow import Horizon', {'flow'}),
    ('def f():\n  from ma_keras.flow import Horizon', {'flow'}),
    ('from .base import Potential', {'potentials'}),
    ('from . import base', {'potentials'}),
    ('from .. import flow', {'flow'}),
    ('from ..flow import solve', {'flow'}),
    ('import tensorflow as tf\nfrom absl import flags', set()),
  ],
)
def test_every_form_of_import_is_seen(source, expected):
  assert parts(imports(source, 'ma_keras.potentials')) == expected


@pytest.mark.parametrize('package', ALLOWED)
def test_the_core_knows_only_what_it_may(package):
  for path, names in sources(PACKAGE / package).items():
    assert parts(names) <= ALLOWED[package], path


@pytest.mark.parametrize('package', FORBIDDEN)
def test_callables_come_in_and_flows_stay_out(package):
  for path, names in sources(PACKAGE / package).items():
    assert not parts(names) & (FORBIDDEN[package] | {''}), path


def test_no_package_knows_another_that_knows_it():
  """However many lie between them."""
  known = {}
  for path, names in sources(PACKAGE).items():
    part = path.with_suffix('').parts[1]
    known.setdefault(part, set()).update(parts(names) - {part, ''})
  del known['__init__']  # Imports nothing before it is asked for.
  for part in known:
    reached = set()
    while (more := {after for one in reached | {part} for after in known.get(one, ())}) - reached:
      reached |= more
    assert part not in reached, part


def test_the_top_level_holds_packages_and_few_modules():
  assert {path.stem for path in PACKAGE.glob('*.py')} == TOP_LEVEL


def test_docstrings_open_with_a_subject_or_a_verb():
  """Not with a word that leaves the reader asking what of."""
  for path in sorted(PACKAGE.rglob('*.py')):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        first = (ast.get_docstring(node) or '-').split()[0]
        name = getattr(node, 'name', 'module')
        assert first not in ('Of', 'Those', 'That', 'What', 'Whether', 'Where'), (path, name)


def test_the_library_knows_no_apps():
  for path, names in sources(PACKAGE).items():
    assert not {name for name in names if name.split('.')[0] in ('apps', 'tests')}, path
    assert path.is_relative_to('ma_keras/apps') or 'apps' not in parts(names), path


def test_the_command_line_is_read_in_one_place():
  """Apps take configurations; flags are read where they are made."""
  users = {path for path, names in sources(PACKAGE).items() if _reads_flags(names)}
  apps = pathlib.Path('ma_keras/apps')
  makers = {apps / 'command.py', apps / 'command_line.py'}
  configuration = {apps / 'configuration' / f'{name}.py' for name in ('option', 'command_flags')}
  assert users == makers | configuration


def test_configurations_know_nothing_but_each_other():
  for path, names in sources(PACKAGE / 'apps' / 'configuration').items():
    ours = {name for name in names if name.split('.')[0] == 'ma_keras'}
    assert all(name.startswith('ma_keras.apps.configuration') for name in ours), path


def _reads_flags(names):
  return any(name == 'absl' or name.startswith(('absl.flags', 'absl.app')) for name in names)


def test_no_two_tests_draw_from_one_generator():
  """The data of the second would depend on which tests ran before: `rng` of conftest.py."""
  generators = {'default_rng', 'RandomState', 'Random', 'Generator', 'from_seed'}
  for path in sorted((ROOT / 'tests').rglob('*.py')):
    values = [getattr(node, 'value', None) for node in ast.parse(path.read_text()).body]
    calls = [ast.unparse(value.func) for value in values if isinstance(value, ast.Call)]
    assert not [call for call in calls if call.split('.')[-1] in generators], path


def test_ten_files_lie_between_bijector_and_equation(monkeypatch):
  """Those on the stack where act' is evaluated, that of act', and that of kernel and amplitudes."""
  potential = ma_keras.potentials.OneHiddenLayer(4, 6, seed=0)
  slope, stacks = potential._activation.slope, []

  def witnessed(z):
    stacks.append([frame.filename for frame in traceback.extract_stack()])
    return slope(z)

  monkeypatch.setattr(
    potential, '_activation', dataclasses.replace(potential._activation, slope=witnessed)
  )
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.1)
  ma_keras.standard_normal_flow(bijector).log_prob(tf.zeros([2, 4]))
  files = [pathlib.Path(path) for path in stacks[0]]
  within = files[files.index(PACKAGE / 'bijector.py') :]
  passed = {path for path in within if path.is_relative_to(PACKAGE)}
  passed |= {PACKAGE / 'potentials' / f'{name}.py' for name in ('activations', 'one_hidden_layer')}
  assert len(passed) == 10, sorted(passed)
