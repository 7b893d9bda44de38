"""What the README shows works as written."""

import pathlib
import re

import tensorflow as tf

README = (pathlib.Path(__file__).resolve().parents[1] / 'README.md').read_text()


def test_the_examples_run_in_order(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  blocks = re.findall(r'```python\n(.*?)```', README, re.DOTALL)
  names: dict = {}
  for block in blocks:
    exec(compile(block, 'README.md', 'exec'), names)
  assert len(blocks) == 8
  assert names['x'].shape == (16, 2)
  assert names['path'].states.shape == (3, 16, 2)
  assert names['pictures'].shape == (2, 28, 28, 1)
  assert names['drawn']['x'].shape == (100, 2)
  assert names['symmetric'].laplacian(0.0, tf.zeros([1, 256])).shape == (1,)


def test_the_files_it_names_exist():
  root = pathlib.Path(__file__).resolve().parents[1]
  for path in re.findall(r'\]\(([\w./]+)\)|(apps/[\w./]+)', README):
    assert (root / (path[0] or path[1])).exists(), path
