"""Public names of ma_keras, read from its sources: nothing of the package is imported.

A module is public if it is a package with an `__all__`, if an `__all__` lists it, or if it is in
`ALSO`. Its names are those of its `__all__`, or else all that it defines without an underscore.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = 'ma_keras'
ALSO = (f'{PACKAGE}.pretrained',)  # Public without an `__all__`.
Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


@dataclasses.dataclass(frozen=True)
class Name:
  """A public name.

  Attributes:
    path: Shortest dotted path under which users import it.
    home: Dotted path at which it is defined.
    kind: 'class', 'function', 'constant' or 'module'.
    summary: First sentence of its docstring; empty if it has none.
    others: Further public paths of the same object.
  """

  path: str
  home: str
  kind: str
  summary: str
  others: tuple[str, ...] = ()


@functools.cache
def file_of(module: str) -> pathlib.Path | None:
  """Source of a module, or None if there is no module of this dotted path."""
  path = ROOT.joinpath(*module.split('.'))
  for candidate in (path / '__init__.py', path.with_suffix('.py')):
    if candidate.is_file():
      return candidate
  return None


@functools.cache
def tree(module: str) -> ast.Module:
  """Syntax tree of a module that exists."""
  path = file_of(module)
  if path is None:
    raise ValueError(f'There is no module {module}.')
  return ast.parse(path.read_text(encoding='utf-8'))


def statements(module: str) -> list[ast.stmt]:
  """Statements at the top of a module, those under `if TYPE_CHECKING` included."""
  statements: list[ast.stmt] = []
  for node in tree(module).body:
    statements += node.body if isinstance(node, ast.If) else [node]
  return statements


@functools.cache
def imported(module: str) -> dict[str, tuple[str, str]]:
  """Imports at the top of a module: (module, name in it) by the name that it gives them.

  The name in it is empty for modules that are imported whole, `import numpy as np`.
  """
  package = module if is_package(module) else module.rpartition('.')[0]
  names: dict[str, tuple[str, str]] = {}
  for node in statements(module):
    if isinstance(node, ast.ImportFrom):
      above = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
      source = '.'.join([*above, *([node.module] if node.module else [])])
      names |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    elif isinstance(node, ast.Import):
      names |= {alias.asname: (alias.name, '') for alias in node.names if alias.asname}
  return names


@functools.cache
def defined(module: str) -> dict[str, Definition]:
  """Classes, functions and constants that a module defines at its top."""
  names: dict[str, Definition] = {}
  for node in statements(module):
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
      names[node.name] = node
    elif isinstance(node, ast.Assign):
      names |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
      names[node.target.id] = node
  return names


def is_package(module: str) -> bool:
  """Tells if a module is a folder."""
  path = file_of(module)
  return path is not None and path.name == '__init__.py'


def listed(module: str) -> list[str] | None:
  """The `__all__` of a module, if it has one."""
  node = defined(module).get('__all__')
  return list(ast.literal_eval(node.value)) if isinstance(node, ast.Assign) else None


@functools.cache
def attribute(module: str, name: str) -> str:
  """Dotted path at which what a module calls by a name is defined, imports followed.

  A function hides the module of its own name, as it does in Python. What is none of ma_keras's is
  where its path says.
  """
  if file_of(module) is None:
    return f'{module}.{name}'
  source, original = imported(module).get(name, (module, name))
  if not original:
    return source
  if file_of(source) and (source, original) != (module, name):
    return attribute(source, original)
  return f'{source}.{original}'


def home(path: str) -> str:
  """Dotted path at which what users call by a dotted path is defined."""
  where, *names = path.split('.')
  for name in names:
    where = attribute(where, name)
  return where


def definition(path: str) -> ast.Module | Definition | None:
  """Syntax tree of what is defined at a dotted path, or None."""
  if file_of(path):
    return tree(path)
  module, _, name = path.rpartition('.')
  return defined(module).get(name) if file_of(module) else None


def docstring(path: str) -> str:
  """Docstring of what is defined at a dotted path, the comment beside a constant included."""
  node = definition(path)
  if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
    return ast.get_docstring(node) or ''
  return '' if node is None else _comment(path, node)


def _comment(path: str, node: ast.stmt) -> str:
  """Comment behind a constant, or in the lines before it."""
  file = file_of(path.rpartition('.')[0])
  assert file is not None and node.end_lineno is not None
  lines = file.read_text(encoding='utf-8').splitlines()
  behind = lines[node.end_lineno - 1].partition('  # ')[2]
  if behind:
    return behind
  above: list[str] = []
  for line in reversed(lines[: node.lineno - 1]):
    if not line.startswith('# '):
      break
    above.insert(0, line[2:])
  return ' '.join(above)


def _kind(path: str) -> str:
  kinds = {'Module': 'module', 'ClassDef': 'class', 'FunctionDef': 'function'}
  return kinds.get(type(definition(path)).__name__, 'constant')


def _summary(path: str) -> str:
  return docstring(path).partition('\n\n')[0].replace('\n', ' ')


def modules() -> list[str]:
  """Public modules, by the dotted paths at which they are."""
  folder = ROOT / PACKAGE
  packages = ['.'.join(p.parent.relative_to(ROOT).parts) for p in folder.rglob('__init__.py')]
  public = {package for package in packages if listed(package) is not None} | {*ALSO}
  for package in sorted(public):
    paths = [attribute(package, name) for name in listed(package) or ()]
    public |= {path for path in paths if file_of(path)}
  return sorted(public)


def names_in(module: str) -> list[str]:
  """Public names of a module: its `__all__`, or what it defines without an underscore."""
  names = listed(module)
  if names is None:
    names = [
      name
      for name, node in defined(module).items()
      if not name.startswith('_') and isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
  return [name for name in names if not name.startswith('__')]


@functools.cache
def public() -> dict[str, Name]:
  """Every public name but modules, by the dotted path at which it is defined."""
  paths: dict[str, list[str]] = {}
  for module in modules():
    for name in names_in(module):
      where = attribute(module, name)
      if not file_of(where):
        paths.setdefault(where, []).append(f'{public_module(module)}.{name}')
  return {
    where: Name(
      path=min(given, key=lambda path: (path.count('.'), path)),
      home=where,
      kind=_kind(where),
      summary=_summary(where),
      others=tuple(sorted(given, key=lambda path: (path.count('.'), path))[1:]),
    )
    for where, given in sorted(paths.items())
  }


@functools.cache
def public_module(module: str) -> str:
  """Shortest dotted path under which users import a module."""
  paths = [module]
  for package in modules():
    for name in listed(package) or ():
      if attribute(package, name) == module:
        paths.append(f'{package}.{name}')
  return min(paths, key=lambda path: (path.count('.'), path))
