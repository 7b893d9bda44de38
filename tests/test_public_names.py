"""`import ma_keras` imports nothing else, and every public name is there when it is asked for."""

import ast
import inspect
import subprocess
import sys

import pytest

import ma_keras


def test_importing_the_package_imports_no_tensorflow():
  code = 'import sys, ma_keras; sys.exit("tensorflow" in sys.modules or not ma_keras.__version__)'
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0


@pytest.mark.parametrize('name', ma_keras.__all__)
def test_every_public_name_is_there_and_is_listed(name):
  assert getattr(ma_keras, name) is not None and name in dir(ma_keras)


def test_type_checkers_see_the_same_names_as_users():
  tree = ast.parse(inspect.getsource(ma_keras))
  block = next(node for node in tree.body if isinstance(node, ast.If))
  for node in block.body:
    for alias in node.names:
      value = getattr(ma_keras, alias.name)
      if node.module == 'ma_keras':
        assert value.__name__ == f'ma_keras.{alias.name}'
      else:
        assert value is getattr(sys.modules[node.module], alias.name)
  names = {alias.name for node in block.body for alias in node.names}
  assert names | {'__version__'} == set(ma_keras.__all__)


def test_every_name_of_a_star_import_is_there():
  names: dict = {}
  exec('from ma_keras import *', names)
  assert set(ma_keras.__all__) <= set(names)


def test_a_name_that_is_not_there_is_an_attribute_error():
  assert not hasattr(ma_keras, 'flight')
  with pytest.raises(ImportError, match='flight'):
    exec('from ma_keras import flight')
