"""Links between files of the repository as links between pages of the site.

Pages are written for readers of the repository, whose links are paths of files. On the site some of
these files are pages of another address, a folder of results is a page of its own, and sources are
not there: their links lead to the repository, if its address is known, and else are plain text.
"""

from __future__ import annotations

import os
import pathlib
import posixpath
import re

from website import names

# Pages that lie outside docs/: file -> page.
PAGES = {
  'README.md': 'index.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
}
CARDS = 'ma_keras/pretrained'
LINK = re.compile(r'(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)')
# Blocks, and code in a line between as many backticks as it begins with.
CODE = re.compile(
  r'^(?P<fence>```|~~~).*?^(?P=fence)$|(?<!`)(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)',
  re.DOTALL | re.MULTILINE,
)


def page_of(path: str) -> str | None:
  """Page, relative to docs/, of a file of the repository; None if it has none."""
  if path in PAGES:
    return PAGES[path]
  if path.startswith(f'{CARDS}/') and path.endswith('.md'):
    return f'pretrained/{posixpath.basename(path)}'
  if path == CARDS:
    return 'pretrained/index.md'
  if not path.startswith('docs/'):
    return None
  inside = path.removeprefix('docs/')
  if inside.startswith('tutorials/') and inside.endswith('.py'):
    return f'{inside.removesuffix(".py")}.md'  # A notebook.
  if not (names.ROOT / path).is_dir():
    return inside
  if (names.ROOT / path / 'README.md').is_file():
    return f'{inside}/README.md'
  # benchmarks.md has the address benchmarks/, which the folder benchmarks/ would have as well.
  taken = (names.ROOT / f'{path}.md').is_file()
  return f'{inside}/{"files" if taken else "index"}.md'


def source_of(page: str) -> str:
  """File of the repository that a page, relative to docs/, is written in."""
  sources = {page: path for path, page in PAGES.items()}
  if page in sources:
    return sources[page]
  if page.startswith('pretrained/'):
    return f'{CARDS}/{posixpath.basename(page)}'
  return f'docs/{page}'


def rewritten(markdown: str, page: str) -> str:
  """Markdown of a page, with links that lead where they lead in the repository.

  Raises:
    ValueError: A link leads to no file.
  """
  code = [match.span() for match in CODE.finditer(markdown)]

  def link(match: re.Match[str]) -> str:
    # Links around code, [`code`](path), begin before it.
    within = any(begin < match.start() < end for begin, end in code)
    return match[0] if within else _link(match, page)

  return LINK.sub(link, markdown)


def _link(match: re.Match[str], page: str) -> str:
  image, words, target = match.groups()
  if re.match(r'[a-z]+:|#', target):
    return match[0]
  file, hash_, anchor = target.partition('#')
  folder = posixpath.dirname(source_of(page))
  path = posixpath.normpath(posixpath.join(folder, file))
  if not (names.ROOT / path).exists():
    raise ValueError(f'{source_of(page)}: the link to {target} leads to no file.')
  there = page_of(path)
  if there is None:
    address = repository()
    return f'[{words}]({address}/{path})' if address else words
  relative = posixpath.relpath(there, posixpath.dirname(page) or '.')
  return f'{image}[{words}]({relative}{hash_}{anchor})'


def repository() -> str:
  """Address of the sources, as the workflow that publishes the site tells it; empty elsewhere."""
  server, name = os.environ.get('GITHUB_SERVER_URL'), os.environ.get('GITHUB_REPOSITORY')
  commit = os.environ.get('GITHUB_SHA')
  return f'{server}/{name}/blob/{commit}' if server and name and commit else ''


def runs() -> list[pathlib.Path]:
  """Folders of results that have no page of their own."""
  folder = names.ROOT / 'docs' / 'results'
  return [path for path in sorted(folder.iterdir()) if path.is_dir()]
