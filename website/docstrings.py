"""Docstrings as Markdown: indented equations are code, and operators are no emphasis or tags."""

from __future__ import annotations

import re

SECTION = re.compile(r'^[A-Z][a-z]+(?: [A-Z][a-z]+)?:$')
CODE = re.compile(r'(`[^`]*`)')


def as_markdown(text: str) -> str:
  """A docstring that Markdown shows as it reads.

  An indented paragraph outside a section, an equation or a command, is indented by four columns,
  which makes it code; elsewhere `*` and `<` are those signs.
  """
  lines: list[str] = []
  fenced = section = code = False
  before = ''
  for line in text.split('\n'):
    if line.lstrip().startswith('```'):
      fenced = not fenced
      lines.append(line)
    elif fenced or not line.strip():
      lines.append(line)
    else:
      section = bool(SECTION.match(line)) or (section and line.startswith(' '))
      code = not section and line.startswith(' ') and (code or not before.strip())
      lines.append(f'    {line.strip()}' if code else escaped(line))
    before = line
  return '\n'.join(lines)


def escaped(line: str) -> str:
  """A line in which `*` and `<` are those signs, code left alone."""
  words = line.lstrip(' *')  # The stars of a parameter, *args, belong to its name.
  parts = CODE.split(words)
  parts[::2] = [part.replace('*', r'\*').replace('<', '&lt;') for part in parts[::2]]
  return line[: len(line) - len(words)] + ''.join(parts)
