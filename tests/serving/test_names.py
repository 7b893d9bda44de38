"""What the package needs, and what it says where that is missing."""

import ast
import pathlib
import sys

import pytest

from ma_keras import serving

EXTRA = {'anyio', 'orjson', 'prometheus_client', 'starlette', 'uvicorn'}


def test_it_imports_its_extra_tensorflow_and_nothing_of_ma_keras():
  known = {*sys.stdlib_module_names, *EXTRA, 'numpy', 'tensorflow'}
  for file in pathlib.Path(serving.__file__).parent.glob('*.py'):
    for node in ast.walk(ast.parse(file.read_text())):
      names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
      if isinstance(node, ast.ImportFrom) and not node.level:
        names = [node.module]
      assert {name.split('.')[0] for name in names} <= known, file


@pytest.mark.parametrize('package', ['starlette.applications', 'orjson'])
def test_without_the_extra_one_line_names_it(monkeypatch, package):
  for name in [name for name in sys.modules if name.startswith('ma_keras.serving.')]:
    monkeypatch.delitem(sys.modules, name)
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(ModuleNotFoundError) as missing:
    serving.__getattr__('application')
  text = str(missing.value)
  assert f"needs {package.split('.')[0]}: pip install -e '.[serve]'" in text
  assert "pip install 'ma_keras[serve]'" in text and '\n' not in text


def test_every_public_name_is_there_and_no_other():
  assert {name for name in serving.__all__ if getattr(serving, name)} == set(serving.__all__)
  with pytest.raises(AttributeError, match="has no attribute 'cats'"):
    serving.cats  # noqa: B018
