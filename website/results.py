"""Pages of what lies beside the prose: folders of results, cards of models."""

from __future__ import annotations

import pathlib

from ma_keras.pretrained import index

PICTURES = ('.png', '.svg', '.gif')
TEXTS = ('.txt', '.flags')


def run(folder: pathlib.Path) -> str:
  """Page of a run: its figures, its flags, and links to the numbers."""
  lines = [f'# {folder.name}', '', 'What these files say is in [results](../README.md).']
  files = sorted(path for path in folder.iterdir() if path.is_file())
  lines += ['', *(f'- [{path.name}]({path.name})' for path in files)]
  for path in files:
    if path.name == 'flags.txt':
      lines += ['', '## Flags', '', '```text', path.read_text(encoding='utf-8').rstrip(), '```']
  for path in files:
    if path.suffix in PICTURES:
      lines += ['', f'![{path.stem}]({path.name})']
  return '\n'.join(lines) + '\n'


def models(folder: pathlib.Path) -> str:
  """Page of the models that come with the package: their index, a line for every card."""
  lines = [
    '# Models',
    '',
    'They come with the package, `ma_keras.pretrained`; each has a card.',
    '',
  ]
  lines += [f'| {" | ".join(index.HEADER)} |', f'|{"---|" * len(index.HEADER)}']
  content = (folder / index.INDEX).read_bytes()
  for entry in index.read(content, index.INDEX):
    name, *rest = entry.row()
    lines.append(f'| [`{name}`]({name}.md) | {" | ".join(rest)} |')
  return '\n'.join(lines) + '\n'
