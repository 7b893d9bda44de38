"""Exit codes are part of the interface: scripts compare `$?` with those of docs/commands.md."""

import contextlib
import os

import pytest

from ma_keras.apps import command, process
from ma_keras.apps.exit_code import ExitCode, end, ending_unread


def test_the_codes_are_those_of_the_page():
  assert (ExitCode.DONE, ExitCode.USAGE, ExitCode.STOPPED, ExitCode.NO_ROOM) == (0, 1, 3, 4)
  assert (ExitCode.INTERRUPTED, ExitCode.TERMINATED) == (128 + 2, 128 + 15)  # 128 + signal.
  assert ExitCode.UNREAD == 128 + 13


@pytest.mark.parametrize('code', ExitCode)
def test_a_command_ends_with_its_name_and_one_line(monkeypatch, capsys, code):
  monkeypatch.setattr('sys.argv', ['/usr/bin/ma-keras score.py', '--n=1'])
  with pytest.raises(SystemExit) as caught:
    end(code, 'the reason')
  assert caught.value.code == code
  assert capsys.readouterr().err == 'ma-keras score: the reason\n'


@contextlib.contextmanager
def closed_pipe(monkeypatch):
  """stdout as `| head` leaves it: a pipe that nobody reads."""
  reader, writer = os.pipe()
  os.close(reader)
  with open(writer, 'w') as stdout, monkeypatch.context() as patch:
    patch.setattr('sys.stdout', stdout)
    yield


@pytest.mark.parametrize('words', [['--help'], ['score', '--version']])
def test_a_page_that_nobody_reads_ends_in_silence(monkeypatch, capsys, words):
  monkeypatch.setattr('sys.argv', ['ma-keras', *words])
  with closed_pipe(monkeypatch), pytest.raises(SystemExit) as caught:
    command.main()
  assert caught.value.code == 141 and capsys.readouterr().err == ''


def test_work_that_nobody_reads_is_not_taken_for_a_full_disk(monkeypatch, capsys):
  with (
    closed_pipe(monkeypatch),
    pytest.raises(SystemExit) as caught,
    ending_unread(),
    process.ending('', str),
  ):
    print('a line', flush=True)
  assert caught.value.code == 141 and capsys.readouterr().err == ''


def test_an_error_keeps_its_own_code_where_somebody_reads(capsys):
  with pytest.raises(SystemExit) as caught, ending_unread():
    end(ExitCode.USAGE, 'the reason')
  assert caught.value.code == 1
