"""Exit codes are part of the interface: scripts compare `$?` with the numbers of the README."""

import pytest

from ma_keras.apps.exit_code import ExitCode, end


def test_the_codes_are_those_of_the_readme():
  assert (ExitCode.DONE, ExitCode.USAGE, ExitCode.STOPPED, ExitCode.NO_ROOM) == (0, 1, 3, 4)
  assert (ExitCode.INTERRUPTED, ExitCode.TERMINATED) == (128 + 2, 128 + 15)  # 128 + signal.


@pytest.mark.parametrize('code', ExitCode)
def test_a_command_ends_with_its_name_and_one_line(monkeypatch, capsys, code):
  monkeypatch.setattr('sys.argv', ['/usr/bin/ma-keras score.py', '--n=1'])
  with pytest.raises(SystemExit) as caught:
    end(code, 'the reason')
  assert caught.value.code == code
  assert capsys.readouterr().err == 'ma-keras score: the reason\n'
