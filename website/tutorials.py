"""Tutorials: notebooks out of docs/tutorials/*.py, executed, as pages: python -m website.tutorials.

A source is a notebook in jupytext's percent format. `main` runs it in an empty folder and writes
page, pictures and the notebook itself to build/tutorials, where the site finds them; a source that
was not run is a page without outputs. That needs the extra `tutorials`, building the site does not.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import tempfile
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / 'docs' / 'tutorials'
BUILT = ROOT / 'build' / 'tutorials'
SECONDS = 'seconds.json'
SOURCE_MARK = '<!-- source {} -->\n'  # Tells which source a page was made of.
CELL = re.compile(r'^# %%(.*)\n', re.MULTILINE)
LINK = re.compile(r'\]\((\w+)\.py\)')  # To another tutorial, whose page is .md.
NOT_RUN = '*Outputs are missing: `make tutorials` runs this page.*'
# What TensorFlow says on its start is no output of a cell.
ENVIRONMENT = {'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONWARNINGS': 'ignore'}


def names() -> list[str]:
  """The tutorials there are."""
  return sorted(path.stem for path in SOURCES.glob('*.py'))


def cells(source: str) -> list[tuple[str, str]]:
  """('markdown' or 'python', content) of the cells of a source."""
  parts = CELL.split(source)[1:]
  return [
    ('markdown', re.sub(r'^# ?', '', content, flags=re.MULTILINE).strip())
    if '[markdown]' in kind
    else ('python', '\n'.join(line for line in content.split('\n') if not _is_magic(line)).strip())
    for kind, content in zip(parts[::2], parts[1::2])
  ]


def without_outputs(source: str) -> str:
  """The page of a source that was not run."""
  blocks = [
    content if kind == 'markdown' else f'```python\n{content}\n```'
    for kind, content in cells(source)
  ]
  page = '\n\n'.join([blocks[0], NOT_RUN, *blocks[1:]]) + '\n'
  return LINK.sub(r'](\1.md)', page)


def fingerprint(source: str) -> str:
  """A short hash of a source."""
  return hashlib.sha256(source.encode()).hexdigest()[:16]


def execute(name: str, folder: pathlib.Path) -> dict[str, float]:
  """Runs a tutorial and writes NAME.md, NAME.ipynb and NAME_files/ into the folder.

  Args:
    name: One of `names()`.
    folder: Where they go.

  Returns:
    Seconds on the clock, and of the processor.
  """
  import jupytext
  import nbclient
  import nbconvert

  notebook = jupytext.read(SOURCES / f'{name}.py')
  with tempfile.TemporaryDirectory() as empty:
    client = nbclient.NotebookClient(
      notebook, timeout=600, kernel_name='python3', resources={'metadata': {'path': empty}}
    )
    begin, before = time.perf_counter(), _processor_seconds()
    client.execute()
  seconds = {
    'clock': round(time.perf_counter() - begin, 1),
    'processor': round(_processor_seconds() - before, 1),
  }
  for cell in notebook.cells:
    cell.outputs = [output for output in cell.get('outputs', ()) if output.get('name') != 'stderr']
  exporter = nbconvert.MarkdownExporter()
  resources = {'output_files_dir': f'{name}_files', 'unique_key': name}
  page, resources = exporter.from_notebook_node(notebook, resources)
  shutil.rmtree(folder / f'{name}_files', ignore_errors=True)  # Of another run.
  folder.mkdir(parents=True, exist_ok=True)
  for path, content in resources['outputs'].items():
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(content)
  jupytext.write(notebook, folder / f'{name}.ipynb')
  mark = SOURCE_MARK.format(fingerprint((SOURCES / f'{name}.py').read_text(encoding='utf-8')))
  (folder / f'{name}.md').write_text(f'{mark}{_tidied(page, name)}', encoding='utf-8')
  return seconds


def on_files(files: Any, config: Any) -> Any:
  """Gives mkdocs the pages: as they were run, or else without outputs."""
  from mkdocs.structure.files import File

  for name in names():
    path = BUILT / f'{name}.md'
    source = (SOURCES / f'{name}.py').read_text(encoding='utf-8')
    content = path.read_text(encoding='utf-8') if path.exists() else ''
    mark = SOURCE_MARK.format(fingerprint(source))
    # A source that has changed since has no outputs.
    content = content.removeprefix(mark) if content.startswith(mark) else without_outputs(source)
    files.append(File.generated(config, f'tutorials/{name}.md', content=content))
    for output in [BUILT / f'{name}.ipynb', *sorted((BUILT / f'{name}_files').glob('*'))]:
      if output.exists():
        page = f'tutorials/{output.relative_to(BUILT).as_posix()}'
        files.append(File.generated(config, page, abs_src_path=str(output)))
  return files


def main() -> None:
  """Runs the tutorials that are named, or all."""
  parser = argparse.ArgumentParser(description=main.__doc__)
  parser.add_argument('names', nargs='*', help=f'of {", ".join(names())}')
  parser.add_argument('--at_once', type=int, default=1, help='how many run side by side')
  options = parser.parse_args()
  chosen = options.names or names()
  unknown = sorted(set(chosen) - set(names()))
  if unknown:
    parser.error(f'no tutorial {unknown[0]!r}; there are {", ".join(names())}.')
  for variable, value in ENVIRONMENT.items():
    os.environ.setdefault(variable, value)
  BUILT.mkdir(parents=True, exist_ok=True)
  record = BUILT / SECONDS
  seconds = json.loads(record.read_text()) if record.exists() else {}
  failed: list[str] = []
  with concurrent.futures.ProcessPoolExecutor(options.at_once) as processes:
    # Late in the alphabet are those that take longest: none is left alone at the end.
    runs = {processes.submit(execute, name, BUILT): name for name in reversed(chosen)}
    for run in concurrent.futures.as_completed(runs):
      name = runs[run]
      if error := run.exception():
        failed.append(name)
        print(f'{name}: {error}', flush=True)
        continue
      seconds[name] = run.result()
      print(name, seconds[name], flush=True)
      record.write_text(json.dumps(seconds, indent=2, sort_keys=True) + '\n')
  if failed:
    raise SystemExit(f'These tutorials fail: {", ".join(failed)}.')


def _processor_seconds() -> float:
  """Time of all processes that this one has started and that have ended."""
  usage = resource.getrusage(resource.RUSAGE_CHILDREN)
  return usage.ru_utime + usage.ru_stime


def _is_magic(line: str) -> bool:
  return line.startswith(('# %', '%'))


def _tidied(page: str, name: str) -> str:
  """The page without magics, its pictures with a text, and where its notebook is."""
  page = LINK.sub(r'](\1.md)', re.sub(r'^%\w+.*\n', '', page, flags=re.MULTILINE))
  page = page.replace('![png](', '![Output of the cell above](')
  title, _, rest = page.lstrip().partition('\n')
  links = f'[Notebook]({name}.ipynb) · [source]({name}.py)'
  return f'{title}\n\n{links}\n{rest}'


if __name__ == '__main__':
  main()
