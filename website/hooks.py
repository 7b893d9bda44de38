"""Hooks that mkdocs calls: pages outside docs/, pages of results, links, entries of the API."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from website import links, names, reference, results

CARDS = names.ROOT / links.CARDS
ALONE = '---\nhide: [navigation]\n---\n'  # The first page has no pages beside it.


def on_files(files: Files, config: Any) -> Files:
  """Adds the pages that lie outside docs/, the cards of models and the folders of results."""
  for path, page in links.PAGES.items():
    content = (names.ROOT / path).read_text(encoding='utf-8')
    if page == 'index.md':
      content = f'{ALONE}{content}'
    files.append(File.generated(config, page, content=content))
  for card in sorted(CARDS.glob('*.md')):
    content = card.read_text(encoding='utf-8')
    files.append(File.generated(config, f'pretrained/{card.name}', content=content))
  files.append(File.generated(config, 'pretrained/index.md', content=results.models(CARDS)))
  for folder in links.runs():
    address = links.page_of(folder.relative_to(names.ROOT).as_posix())
    assert address is not None
    files.append(File.generated(config, address, content=results.run(folder)))
  return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
  """Links of the repository as links of the site; in pages of the API, the entries."""
  uri = page.file.src_uri
  generated = not (names.ROOT / links.source_of(uri)).exists()
  text = markdown if generated else links.rewritten(markdown, uri)
  if not uri.startswith('changelog'):
    text = reference.with_references(text)
  return reference.with_entries(text, uri)
