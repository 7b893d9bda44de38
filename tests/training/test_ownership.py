"""A run directory has one owner, a process; whatever ends it gives the directory back."""

import errno
import fcntl
import os
import pathlib
import subprocess
import sys

import pytest

from ma_keras.training import ownership

pytestmark = pytest.mark.slow

# Takes the folder, says so, and waits to be killed; 'child' leaves a forked child behind, which has
# written to the pipe when all that a fork does is done.
OWNER = """
import importlib.util, os, pathlib, sys, time
spec = importlib.util.spec_from_file_location('ownership', sys.argv[1])
ownership = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ownership)
ownership.take(pathlib.Path(sys.argv[2]))
ends = os.pipe()
child = os.fork() if sys.argv[3] == 'child' else 1
os.write(ends[1], b'.') if not child or sys.argv[3] == 'alone' else os.read(ends[0], 1)
if child: print('taken', child, flush=True)
time.sleep(60)
"""


def start(folder, kind='alone'):
  """A process that owns the folder, and the process id of its child."""
  call = [sys.executable, '-c', OWNER, ownership.__file__, str(folder), kind]
  process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
  return process, int(process.stdout.readline().split()[1])


def test_a_second_process_is_told_whose_it_is_and_touches_nothing(tmp_path):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'run')
  owner, _ = start(tmp_path / 'run')
  try:
    content = (tmp_path / 'run' / 'lock').read_bytes()
    for name in ('run', 'link'):
      with pytest.raises(ownership.Owned, match=rf'{name} belongs to process {owner.pid} on \S+,'):
        ownership.take(tmp_path / name)
    assert (tmp_path / 'run' / 'lock').read_bytes() == content
    assert os.listdir(tmp_path / 'run') == ['lock']
  finally:
    owner.kill()
    owner.wait()
  ownership.take(tmp_path / 'link')  # The lock of a dead process is none.
  ownership.release(tmp_path / 'run')


def test_a_child_of_the_owner_does_not_keep_it(tmp_path):
  owner, child = start(tmp_path, 'child')
  owner.kill()
  owner.wait()
  try:
    ownership.take(tmp_path)
    ownership.release(tmp_path)
  finally:
    os.kill(child, 9)


def test_one_process_may_take_it_again_and_give_it_back(tmp_path):
  ownership.take(tmp_path)
  ownership.take(tmp_path)
  with (tmp_path / 'lock').open() as file:
    with pytest.raises(BlockingIOError):
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    ownership.release(tmp_path)
    ownership.release(tmp_path)
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_of_many_at_the_same_instant_one_is_the_owner(tmp_path):
  path = tmp_path / 'a' / 'b'
  code = OWNER.replace('ownership.take', 'folder = pathlib.Path(sys.argv[2]);'
    'folder.mkdir(parents=True, exist_ok=True); ownership.take', 1)  # fmt: skip
  code = code.replace('time.sleep(60)', 'sys.stdin.read()')
  call = [sys.executable, '-c', code, ownership.__file__, str(path), 'alone']
  pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
  processes = [subprocess.Popen(call, text=True, **pipes) for _ in range(6)]
  said = [process.stdout.readline() for process in processes]  # Empty of those that are refused.
  errors = [process.communicate()[1] for process in processes]
  assert sorted(map(bool, said)) == [False] * 5 + [True]
  assert sum('Owned' in error for error in errors) == 5


def test_a_file_system_without_locks_is_said_and_no_error(tmp_path, monkeypatch, caplog):
  def none(*_):
    raise OSError(errno.ENOLCK, 'No locks available')

  monkeypatch.setattr(fcntl, 'flock', none)
  ownership.take(tmp_path)
  ownership.release(tmp_path)
  assert 'has no locks (No locks available)' in caplog.records[-1].getMessage()


def test_a_folder_in_place_of_the_lock_is_an_error(tmp_path):
  (tmp_path / 'lock').mkdir()
  with pytest.raises(OSError, match='directory'):
    ownership.take(pathlib.Path(tmp_path))
