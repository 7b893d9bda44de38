"""Pages of the API: a page names modules, and gets an entry for every public name of them.

`<!-- entries: ma_keras.targets ma_keras.targets.kaufman -->` in a page of docs/reference/ stands
for the docstrings of these modules, a table of their names, an entry for each, and links to the
code blocks that use it.
"""

from __future__ import annotations

import functools
import posixpath
import re

from website import examples, links, names

MARK = re.compile(r'^<!-- entries: (.+?) -->$', re.MULTILINE)
FOLDER = 'reference'
USES = 4  # Links of an entry at most.


def modules_of(markdown: str) -> list[str]:
  """Public paths of the modules that a page has the entries of."""
  return [module for match in MARK.finditer(markdown) for module in match[1].split()]


@functools.cache
def page_of_module() -> dict[str, str]:
  """Pages, relative to docs/, by the public path of the module."""
  docs = names.ROOT / 'docs'
  return {
    module: path.relative_to(docs).as_posix()
    for path in sorted((docs / FOLDER).glob('*.md'))
    for module in modules_of(path.read_text(encoding='utf-8'))
  }


def with_entries(markdown: str, page: str) -> str:
  """Markdown of a page with entries in place of its mark."""
  return MARK.sub(lambda match: '\n\n'.join(_module(m, page) for m in match[1].split()), markdown)


def _module(path: str, page: str) -> str:
  home = names.home(path)
  entries = [names.public()[where] for where in homes(home)]
  table = ['| name | what |', '|---|---|', *(_row(name, path, page) for name in entries)]
  own = [_entry(name, page) for name in entries if name.path == f'{path}.{_last(name.path)}']
  return '\n\n'.join([f'## `{path}`', names.docstring(home), '\n'.join(table), *own])


def homes(module: str) -> list[str]:
  """Where the public names of a module are defined, modules left out."""
  paths = [names.attribute(module, name) for name in names.names_in(module)]
  return [path for path in paths if path in names.public()]


def _last(path: str) -> str:
  return path.rpartition('.')[2]


def _row(name: names.Name, module: str, page: str) -> str:
  summary = re.sub(r'([|*<])', r'\\\1', name.summary)
  return f'| [`{_last(name.path)}`][{name.path}] | {summary} |'


def _entry(name: names.Name, page: str) -> str:
  # A constant has a comment, which nothing else would show.
  comment = name.summary if name.kind == 'constant' else ''
  blocks = [f'::: {name.path}', comment, used_in(name, page)]
  return '\n\n'.join(block for block in blocks if block)


def used_in(name: names.Name, page: str) -> str:
  """Links to the code blocks of other pages, and of this one, that use a name."""
  targets: dict[str, str] = {}
  for block in examples.uses().get(name.home, []):
    there = links.page_of(block.page)
    if there is None:
      continue
    relative = posixpath.relpath(there, posixpath.dirname(page) or '.')
    address = f'#{slug(block.heading)}' if there == page else f'{relative}#{slug(block.heading)}'
    targets.setdefault(address, plain(block.heading))
  if not targets:
    return ''
  written = [f'[{heading}]({address})' for address, heading in targets.items()]
  return f'Used in: {", ".join(written[:USES])}.\n{{ .used-in }}'


def plain(heading: str) -> str:
  """A heading without links."""
  return re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)


def slug(heading: str) -> str:
  """The anchor that Python-Markdown gives a heading."""
  text = re.sub(r'[^\w\s-]', '', plain(heading).replace('`', '')).strip().lower()
  return re.sub(r'[-\s]+', '-', text)
