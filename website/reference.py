"""Pages of the API: a page names modules, and gets an entry for every public name of them.

`<!-- entries: ma_keras.targets ma_keras.targets.kaufman -->` in a page of docs/reference/ stands
for the docstrings of these modules, a table of their names, an entry for each, and links to the
code blocks that use it.
"""

from __future__ import annotations

import functools
import posixpath
import re

from website import docstrings, examples, links, names

MARK = re.compile(r'^<!-- entries: (.+?) -->$', re.MULTILINE)
FOLDER = 'reference'
# A link, or code that is none.
MENTION = re.compile(r'\[(?:[^\[\]]|\[[^\]]*\])*\]\([^)]*\)|`(?P<code>[^`\n]+)`')
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
  table = ['| name | what |', '|---|---|', *map(_row, entries)]
  own = [_entry(name, page) for name in entries if name.path == f'{path}.{_last(name.path)}']
  return '\n\n'.join([f'## `{path}`', names.docstring(home), '\n'.join(table), *own])


def homes(module: str) -> list[str]:
  """Where the public names of a module are defined, modules left out."""
  paths = [names.attribute(module, name) for name in names.names_in(module)]
  return [path for path in paths if path in names.public()]


def _last(path: str) -> str:
  return path.rpartition('.')[2]


def _row(name: names.Name) -> str:
  summary = docstrings.escaped(name.summary).replace('|', r'\|')
  return f'| [`{_last(name.path)}`][{name.path}] | {summary} |'


def _entry(name: names.Name, page: str) -> str:
  # A constant has a comment, which nothing else would show.
  comment = name.summary if name.kind == 'constant' else ''
  blocks = [f'::: {name.path}', comment, used_in(name, page)]
  return '\n\n'.join(block for block in blocks if block)


@functools.cache
def entries() -> dict[str, str]:
  """Entry of what a page may call a public name: a dotted path, or a class name that is unique."""
  entry_of: dict[str, str] = {}
  last: dict[str, set[str]] = {}
  for name in names.public().values():
    for path in (name.path, *name.others):
      entry_of[path] = name.path
      entry_of[path.removeprefix(f'{names.PACKAGE}.')] = name.path
    last.setdefault(_last(name.path), set()).add(name.path)
  unique = {word: min(paths) for word, paths in last.items() if len(paths) == 1}
  classes = {word: path for word, path in unique.items() if word[0].isupper()}
  return {path: entry for path, entry in entry_of.items() if '.' in path} | classes


def with_references(markdown: str) -> str:
  """Markdown in which the first mention of every public name, in code, leads to its entry."""
  known = dict(entries())
  lines, fenced = [], False
  for line in markdown.split('\n'):
    fenced ^= line.lstrip().startswith('```')
    if not fenced and not line.startswith(('#', '    ')):
      line = MENTION.sub(lambda match: _mention(match, known), line)
    lines.append(line)
  return '\n'.join(lines)


def _mention(match: re.Match[str], known: dict[str, str]) -> str:
  """A link around code that begins with a name; links themselves, and other code, as they are."""
  path = re.match(r'[\w.]*', match['code'] or '')
  entry = known.pop(path[0], None) if path else None
  return f'[`{match["code"]}`][{entry}]' if entry else match[0]


def used_in(name: names.Name, page: str) -> str:
  """Links to the code blocks of other pages, and of this one, that use a name."""
  targets: dict[str, str] = {}
  for block in examples.uses().get(name.home, []):
    there = links.page_of(block.page)
    if there is None:
      continue
    relative = posixpath.relpath(there, posixpath.dirname(page) or '.')
    # A notebook is one example.
    anchor = '' if block.page.endswith('.py') else f'#{slug(block.heading)}'
    address = anchor if there == page else f'{relative}{anchor}'
    # The reference has a heading "Examples" on every page.
    elsewhere = there != page and block.page.startswith(f'docs/{FOLDER}/')
    words = f'{posixpath.basename(there).removesuffix(".md")}: ' if elsewhere else ''
    targets.setdefault(f'{words}{plain(block.heading)}', address)
  if not targets:
    return ''
  written = [f'[{words}]({address})' for words, address in targets.items()]
  return f'Used in: {", ".join(written[:USES])}.\n{{ .used-in }}'


def plain(heading: str) -> str:
  """A heading without links."""
  return re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)


def slug(heading: str) -> str:
  """The anchor that Python-Markdown gives a heading."""
  text = re.sub(r'[^\w\s-]', '', plain(heading).replace('`', '')).strip().lower()
  return re.sub(r'[-\s]+', '-', text)
