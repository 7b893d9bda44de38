"""Mutation tests: single changes of the source, each of which a test should notice.

  python -m mutation --folder=/tmp/mutants --parts=integrators,data --sample=100

Mutants are cosmic-ray's, made in a copy of the tree below --folder; the tree itself is left alone.
The same command goes on where it stopped; --again meets the survivors of a finished run with the
tests as they are now. The report is `report.md` in the folder. See docs/testing.md.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess

from cosmic_ray.work_db import use_db

from mutation import forks, report, selection, trial

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments() -> argparse.Namespace:
  """The command line."""
  parser = argparse.ArgumentParser('mutation', description=__doc__.splitlines()[0])
  parser.add_argument('--folder', type=pathlib.Path, required=True, help='Holds copy and results.')
  parser.add_argument('--parts', default='', help='Of settings.toml, or modules, with commas; all.')
  parser.add_argument('--sample', type=int, default=300, help='Mutants to try; 0: all.')
  parser.add_argument('--seed', type=int, default=0, help='Chooses the mutants.')
  parser.add_argument('--again', action='store_true', help='Try the survivors once more.')
  return parser.parse_args()


def copy_files(pattern: str, tree: pathlib.Path) -> None:
  """Copies files of the working tree, those that git does not ignore."""
  command = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', pattern]
  names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
  for name in filter(None, names.split('\0')):
    if (ROOT / name).exists():
      (tree / name).parent.mkdir(parents=True, exist_ok=True)
      shutil.copy2(ROOT / name, tree / name)


def begin(folder: pathlib.Path, options: argparse.Namespace) -> None:
  """Copies the tree and draws the mutants."""
  tree = folder / 'tree'
  copy_files('.', tree)
  copy_files('ma_keras', folder / 'original')
  os.chdir(tree)
  parts = options.parts.split(',') if options.parts else selection.parts()
  paths = selection.modules(tree, parts)
  mutants = selection.sample(paths, options.sample, options.seed)
  commit = subprocess.run(
    ['git', 'describe', '--always', '--dirty'], cwd=ROOT, capture_output=True, text=True, check=True
  ).stdout.strip()
  about = {'commit': commit, 'seed': options.seed, 'parts': parts, 'modules': len(paths)}
  (folder / 'about.json').write_text(json.dumps(about))
  with use_db(str(folder / 'session.sqlite')) as session:
    session.add_work_items(mutants)


def refresh(folder: pathlib.Path) -> None:
  """Takes the tests as they are now."""
  shutil.rmtree(folder / 'tree' / 'tests')
  copy_files('tests', folder / 'tree')
  (folder / 'baseline.json').unlink(missing_ok=True)


def main() -> None:
  """Begins or goes on, and reports."""
  options = arguments()
  folder = options.folder.resolve()
  folder.mkdir(parents=True, exist_ok=True)
  if not (folder / 'session.sqlite').exists():
    begin(folder, options)
  os.chdir(folder / 'tree')
  # A run that was killed has left its last mutant behind.
  shutil.copytree(folder / 'original', folder / 'tree', dirs_exist_ok=True)
  if options.again:
    refresh(folder)
  forks.warm_up()
  with use_db(str(folder / 'session.sqlite')) as session:
    trial.execute(folder, session, options.again)
    text = report.markdown(session, json.loads((folder / 'about.json').read_text()))
  (folder / 'report.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
