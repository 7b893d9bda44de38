"""The console entry: what it says at once, and to whom who mistypes."""

import subprocess
import sys

import pytest

import ma_keras
from ma_keras.apps import command

WITHOUT_TENSORFLOW = """
import sys
from ma_keras.apps import command
command.main()
assert 'tensorflow' not in sys.modules
"""


@pytest.mark.parametrize('words', [[], ['--help'], ['--version'], ['train', 'ising', '--version']])
def test_commands_and_version_are_told_without_tensorflow(words):
  call = [sys.executable, '-c', WITHOUT_TENSORFLOW, *words]
  done = subprocess.run(call, capture_output=True, text=True, check=False)
  assert (done.returncode, done.stderr) == (0, '')
  if '--version' in words:
    assert done.stdout == f'ma_keras {ma_keras.__version__}\n'
  else:
    assert all(f'ma-keras {name} ' in done.stdout for name in command.COMMANDS)


@pytest.mark.parametrize(
  'words, nearest',
  [
    (['scoer', '--model=mnist'], 'score'),
    (['trian', 'density', '--epochs=3'], 'train density'),
    (['train', 'desnity'], 'train density'),
    (['density'], 'train density'),
    (['evaluate', 'x.csv'], 'eval'),
    (['train', '--epochs=3'], 'train ising or train density or train scan or train particles'),
  ],
)
def test_a_wrong_command_gets_the_nearest_one_in_one_line(words, nearest, monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['ma-keras', *words])
  with pytest.raises(SystemExit) as ending:
    command.main()
  stderr = capsys.readouterr().err
  assert ending.value.code == 1
  assert f'did you mean {nearest}?' in stderr and stderr.count('\n') == 1


@pytest.mark.parametrize('words', [['fly'], ['--foo'], ['--model=mnist', 'score']])
def test_where_no_command_is_near_none_is_named(words, monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['ma-keras', *words])
  with pytest.raises(SystemExit) as ending:
    command.main()
  stderr = capsys.readouterr().err
  assert ending.value.code == 1
  assert f'no command {words[0]!r}. `ma-keras` lists' in stderr and stderr.count('\n') == 1


def test_help_goes_to_the_command_it_names(monkeypatch):
  asked = []
  monkeypatch.setattr(command, 'run', lambda name: asked.append((name, sys.argv)))
  for line in ('help train scan', 'train scan --help', '--help train scan'):
    monkeypatch.setattr(sys, 'argv', ['ma-keras', *line.split()])
    command.main()
  assert asked == [('scan', ['ma-keras train scan', '--help'])] * 3


def test_an_interrupt_while_a_command_starts_is_one_line(monkeypatch, capsys):
  def interrupted(name):
    raise KeyboardInterrupt

  monkeypatch.setattr(command, '_run', interrupted)
  with pytest.raises(SystemExit) as ending:
    command.run('score')
  stderr = capsys.readouterr().err
  assert ending.value.code == 130
  assert 'interrupted; nothing was done' in stderr and stderr.count('\n') == 1


def test_commands_run_one_after_another_in_one_process(monkeypatch, capsys):
  """Each with the flags of its own."""
  for words, line in (
    (['train', 'ising', '--side=2', '--hidden_units=3'], 'ma-keras train ising: A Gaussian start'),
    (['score', '--model=none', '--input=x.csv'], 'ma-keras score: `--model` none is neither'),
    (['score', '--model=none'], 'ma-keras score: --input is missing.'),
    (['train', 'ising', '--model=none'], 'ma-keras train ising: no flag --model; did you mean'),
  ):
    monkeypatch.setattr(sys, 'argv', ['ma-keras', *words])
    with pytest.raises(SystemExit) as ending:
      command.main()
    last = capsys.readouterr().err.splitlines()[-1]
    assert ending.value.code == 1 and last.startswith(line)
