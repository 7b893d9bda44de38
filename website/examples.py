"""Code blocks of README.md, docs/ and docstrings by the public names that they use.

A block uses a name that it imports, calls or inherits from, and the class of what a call of a
public name returns, by its annotation: `flow.certificate(x)` is an example of `Certificate`.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import re
import textwrap

from website import names

PAGES = ('README.md', 'CONTRIBUTING.md')
FENCE = re.compile(r'^( *)```python[^\n]*\n(.*?)^ *```$', re.DOTALL | re.MULTILINE)
TITLE = re.compile(r'^# # +(.+?) *$', re.MULTILINE)  # Of a notebook in the form of a script.
HEADING = re.compile(r'^#+ +(.+?) *$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
  """A code block.

  Attributes:
    page: Path of the page within the repository; of a docstring, the path of its name.
    heading: Heading that the block stands under.
    code: Python.
    runs: Whether tests execute it, as they do those of pages.
  """

  page: str
  heading: str
  code: str
  runs: bool


def blocks_of(text: str, page: str, runs: bool) -> list[Block]:
  """Python blocks of Markdown, in order."""
  bare = re.sub(r'^ *```.*?^ *```$', lambda match: '~' * len(match[0]), text, flags=re.S | re.M)
  headings = [(match.start(), match[1]) for match in HEADING.finditer(bare)]
  blocks = []
  for match in FENCE.finditer(text):
    above = [title for start, title in headings if start < match.start()]
    code = textwrap.dedent(match[2])
    blocks.append(Block(page, above[-1] if above else '', code, runs))
  return blocks


@functools.cache
def pages() -> dict[str, list[Block]]:
  """The blocks of every page, and of tutorials, by path within the repository."""
  docs = names.ROOT / 'docs'
  paths = [names.ROOT / page for page in PAGES]
  for pattern in ('*.md', 'tutorials/*.md', 'reference/*.md'):
    paths += sorted(docs.glob(pattern))
  by_page = {}
  for path in paths:
    page = path.relative_to(names.ROOT).as_posix()
    by_page[page] = blocks_of(path.read_text(encoding='utf-8'), page, runs=True)
  for path in sorted(docs.glob('tutorials/*.py')):
    page = path.relative_to(names.ROOT).as_posix()
    code = path.read_text(encoding='utf-8')
    title = TITLE.search(code)
    by_page[page] = [Block(page, title[1] if title else path.stem, code, runs=True)]
  return by_page


@functools.cache
def in_docstring(home: str) -> list[Block]:
  """Blocks in the docstrings of a public name and of its methods."""
  node = names.definition(home)
  texts = [names.docstring(home)]
  if isinstance(node, ast.ClassDef):
    methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
    texts += [ast.get_docstring(method) or '' for method in methods]
  return [block for text in texts for block in blocks_of(text, home, runs=False)]


class Uses(ast.NodeVisitor):
  """Public names that code uses, one block of a page after the other.

  Attributes:
    used: Dotted paths of definitions, since the last `reset`.
  """

  def __init__(self) -> None:
    self.used: set[str] = set()
    self._imports: dict[str, str] = {'ma_keras': 'ma_keras'}
    self._types: dict[str, str] = {}  # Variable -> class.

  def reset(self) -> None:
    """Forgets what was used, and remembers imports and variables."""
    self.used = set()

  def visit_Import(self, node: ast.Import) -> None:
    """import a.b, import a.b as c."""
    for alias in node.names:
      self._imports[alias.asname or alias.name.partition('.')[0]] = (
        alias.name if alias.asname else alias.name.partition('.')[0]
      )

  def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
    """from a import b: a use of b."""
    for alias in node.names:
      self._imports[alias.asname or alias.name] = f'{node.module}.{alias.name}'
      self._use(names.home(f'{node.module}.{alias.name}'))

  def visit_Assign(self, node: ast.Assign) -> None:
    """Variables get the classes of their values."""
    self.generic_visit(node)
    for target in node.targets:
      self._assign(target, node.value)

  def _assign(self, target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
      for pair in zip(target.elts, value.elts):
        self._assign(*pair)
    elif isinstance(target, ast.Name):
      self._types[target.id] = self._type(value)

  def visit_Call(self, node: ast.Call) -> None:
    """A use of what is called, and of the classes that it returns."""
    self.generic_visit(node)
    for kind in self._returned(node):
      self._use(kind)

  def visit_Attribute(self, node: ast.Attribute) -> None:
    """a.b."""
    self.generic_visit(node)
    self._use(self._path(node))

  def visit_Name(self, node: ast.Name) -> None:
    """A use of a name that was imported."""
    self._use(self._path(node))

  def _use(self, home: str) -> None:
    if home in names.public():
      self.used |= {home, *bases(home)}

  def _path(self, node: ast.expr) -> str:
    """Dotted path at which what an expression names is defined; empty if it is none of ours."""
    if isinstance(node, ast.Name):
      return names.home(self._imports[node.id]) if node.id in self._imports else ''
    if isinstance(node, ast.Attribute):
      path = self._path(node.value)
      return names.attribute(path, node.attr) if path and names.file_of(path) else ''
    return ''

  def _type(self, node: ast.expr) -> str:
    """Dotted path of the class of an expression's value; empty if it is not known."""
    if isinstance(node, ast.Name):
      return self._types.get(node.id, '')
    classes = self._returned(node) if isinstance(node, ast.Call) else []
    return classes[0] if len(classes) == 1 else ''

  def _returned(self, node: ast.Call) -> list[str]:
    """Dotted paths of the classes that a call returns, alone or in a list or tuple."""
    path = self._path(node.func)
    definition = names.definition(path) if path else None
    if isinstance(definition, ast.ClassDef):
      return [path]
    if isinstance(definition, ast.FunctionDef):
      return annotated(path.rpartition('.')[0], definition.returns, path)
    if isinstance(node.func, ast.Attribute):
      owner = self._type(node.func.value) or self._path(node.func.value)
      for kind in [owner, *bases(owner)] if owner else []:
        method = methods(kind).get(node.func.attr)
        if method is not None:
          return annotated(kind.rpartition('.')[0], method.returns, owner)
    return []


@functools.cache
def methods(home: str) -> dict[str, ast.FunctionDef]:
  """Methods that a class itself defines."""
  node = names.definition(home)
  body = node.body if isinstance(node, ast.ClassDef) else []
  return {part.name: part for part in body if isinstance(part, ast.FunctionDef)}


def annotated(module: str, node: ast.expr | None, owner: str) -> list[str]:
  """Dotted paths of what an annotation of a module names, `Self` of a class included."""
  if isinstance(node, ast.Constant) and isinstance(node.value, str):
    return annotated(module, ast.parse(node.value, mode='eval').body, owner)
  if isinstance(node, ast.Name):
    return [owner if node.id == 'Self' else names.attribute(module, node.id)]
  if isinstance(node, ast.Attribute):
    return [names.attribute(path, node.attr) for path in annotated(module, node.value, owner)]
  if isinstance(node, ast.Subscript | ast.BinOp | ast.Tuple):
    parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
    paths = [path for part in parts for path in annotated(module, part, owner)]
    return [path for path in paths if path.startswith(f'{names.PACKAGE}.')]
  return []


@functools.cache
def bases(home: str) -> tuple[str, ...]:
  """Classes of ma_keras that a class inherits from, nearest first."""
  node = names.definition(home)
  if not isinstance(node, ast.ClassDef):
    return ()
  module = home.rpartition('.')[0]
  direct = [path for base in node.bases for path in annotated(module, base, home)]
  direct = [base for base in direct if base.startswith(f'{names.PACKAGE}.')]
  return tuple(itertools.chain(direct, *(bases(base) for base in direct)))


@functools.cache
def uses() -> dict[str, list[Block]]:
  """Blocks of pages that use a public name, by the path at which it is defined."""
  by_name: dict[str, list[Block]] = {}
  for blocks in pages().values():
    visitor = Uses()
    for block in blocks:
      visitor.reset()
      visitor.visit(ast.parse(block.code))
      for home in visitor.used:
        by_name.setdefault(home, []).append(block)
  return by_name


def without_example() -> list[str]:
  """Public names that no block uses."""
  return [
    name.path
    for home, name in names.public().items()
    if home not in uses() and not in_docstring(home)
  ]
