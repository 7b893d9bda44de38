"""A file or folder is the old one or the new one, and nothing is left beside it."""

import os

import pytest

from ma_keras.files import replacing


class Full(OSError):
  """A disk without room."""


def fail(*_):
  raise Full('no space left')


def names(folder):
  return sorted(os.listdir(folder))


@pytest.mark.parametrize('error', [Full, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize('before', [None, 'old'])
def test_a_write_that_fails_leaves_what_was(tmp_path, error, before):
  path = tmp_path / 'x.txt'
  if before:
    path.write_text(before)
  with pytest.raises(error), replacing.replacing(path) as beside:
    beside.write_text('half')
    raise error
  assert names(tmp_path) == (['x.txt'] if before else [])
  assert not before or path.read_text() == before


@pytest.mark.parametrize('call', ['replace', 'fsync'])
def test_a_failure_at_the_last_moment_does_too(tmp_path, monkeypatch, call):
  (tmp_path / 'x.txt').write_text('old')
  monkeypatch.setattr(os, call, fail)
  with pytest.raises(Full), replacing.replacing(tmp_path / 'x.txt') as beside:
    beside.write_text('new')
  assert names(tmp_path) == ['x.txt'] and (tmp_path / 'x.txt').read_text() == 'old'


def test_two_writers_of_one_file_do_not_mix(tmp_path):
  path = tmp_path / 'x.txt'
  with replacing.replacing(path) as one, replacing.replacing(path) as two:
    one.write_text('one')
    two.write_text('two')
  assert path.read_text() == 'one' and names(tmp_path) == ['x.txt']


def test_a_link_is_followed(tmp_path):
  (tmp_path / 'far').mkdir()
  (tmp_path / 'x.txt').symlink_to(tmp_path / 'far' / 'y.txt')
  with replacing.replacing(tmp_path / 'x.txt') as beside:
    beside.write_text('new')
  assert (tmp_path / 'far' / 'y.txt').read_text() == 'new' and (tmp_path / 'x.txt').is_symlink()


def test_what_cannot_be_replaced_is_refused(tmp_path):
  """Renaming over a device, as the superuser may, would remove it."""
  (tmp_path / 'full.csv').symlink_to('/dev/full')
  (tmp_path / 'folder.csv').mkdir()
  os.mkfifo(tmp_path / 'pipe.csv')
  for name in ('full.csv', 'folder.csv', 'pipe.csv'):
    with pytest.raises(ValueError, match='name a file'):
      replacing.target(tmp_path / name)
  with pytest.raises(ValueError, match='no folder'):
    replacing.target(tmp_path / 'none' / 'x.csv')


def fill(path, text):
  with replacing.replacing_folder(path, ('a', 'b')) as beside:
    (beside / 'a').write_text(text)


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
  path = tmp_path / 'up' / 'x'
  fill(path, 'one')
  (path / 'b').write_text('')
  fill(path, 'two')
  assert names(path) == ['a'] and (path / 'a').read_text() == 'two'
  assert names(path.parent) == ['x']


def test_a_folder_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
  fill(tmp_path / 'x', 'one')
  with pytest.raises(Full), replacing.replacing_folder(tmp_path / 'x') as beside:
    (beside / 'a').write_text('two')
    fail()
  assert (tmp_path / 'x' / 'a').read_text() == 'one' and names(tmp_path) == ['x']


def test_an_interrupt_between_the_two_renames_brings_the_old_folder_back(tmp_path, monkeypatch):
  fill(tmp_path / 'x', 'one')
  rename, calls = os.rename, []

  def interrupted(*paths):
    calls.append(paths)
    if len(calls) == 2:
      raise KeyboardInterrupt
    rename(*paths)

  monkeypatch.setattr(os, 'rename', interrupted)
  with pytest.raises(KeyboardInterrupt):
    fill(tmp_path / 'x', 'two')
  assert (tmp_path / 'x' / 'a').read_text() == 'one' and names(tmp_path) == ['x']


def test_a_folder_with_something_else_is_refused(tmp_path):
  (tmp_path / 'x').mkdir()
  (tmp_path / 'x' / 'thesis.tex').write_text('')
  (tmp_path / 'y').write_text('')
  with pytest.raises(ValueError, match=r'thesis\.tex, which would be lost'):
    fill(tmp_path / 'x', 'one')
  with pytest.raises(ValueError, match='is a file'):
    fill(tmp_path / 'y', 'one')
  assert names(tmp_path) == ['x', 'y'] and names(tmp_path / 'x') == ['thesis.tex']


@pytest.mark.parametrize('link', [None, os.symlink, os.link])
def test_the_input_is_no_output_by_whatever_name(tmp_path, link):
  (tmp_path / 'x.csv').write_text('1')
  output = tmp_path / ('y.csv' if link else 'x.csv')
  if link:
    link(tmp_path / 'x.csv', output)
  with pytest.raises(ValueError, match='would be lost'):
    replacing.check_apart(output, None, tmp_path / 'x.csv')
  replacing.check_apart(tmp_path / 'other.csv', tmp_path / 'x.csv', 'name of no file')


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
  for name in ('x.txt.0a1b2c3d.tmp', 'x.tmp', 'notes.tmp', 'x.txt'):
    (tmp_path / name).write_text('')
  (tmp_path / 'x.txt.0a1b2c3e.tmp').mkdir()
  replacing.remove_remains(tmp_path)
  assert names(tmp_path) == ['notes.tmp', 'x.tmp', 'x.txt']
