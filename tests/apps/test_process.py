"""Whatever a user can meet ends in one line and an exit code, and mistakes of ours stay visible."""

import os
import signal
import time

import pytest
import tensorflow as tf

from ma_keras.apps import process
from ma_keras.files.replacing import replacing

NO_ROOM = OSError(28, 'No space left on device', 'x.npy')


def ended(capsys, error=None, work=None):
  """Exit code and the one line of a command whose work raises that."""

  def fail():
    raise error

  ending = process.ending('Free some.', lambda: '3 epochs are saved.')
  with pytest.raises(SystemExit) as end, ending:
    (work or fail)()
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 1
  return end.value.code, lines[0]


@pytest.mark.parametrize(
  'error, code, message',
  [
    (ValueError('`side` is 1.\nTwo is the least.'), 1, '`side` is 1. Two is the least.'),
    (NO_ROOM, 4, "[Errno 28] No space left on device: 'x.npy'. Free some."),
    (PermissionError(13, 'Permission denied', 'x'), 4, "Permission denied: 'x'. Free some."),
    (MemoryError(), 4, 'no access: memory ran out. Free some.'),
    (tf.errors.ResourceExhaustedError(None, None, 'OOM'), 4, 'OOM. Free some.'),
    (tf.errors.UnavailableError(None, None, 'x'), 4, 'another process of the cluster is gone'),
    (KeyboardInterrupt(), 130, 'interrupted; 3 epochs are saved.'),
  ],
)
def test_known_errors_are_one_line(capsys, error, code, message):
  before = signal.getsignal(signal.SIGINT)
  try:
    found, line = ended(capsys, error)
  finally:
    signal.signal(signal.SIGINT, before)
  assert found == code and message in line


@pytest.mark.parametrize('error', [TypeError('ours'), ZeroDivisionError('ours')])
def test_mistakes_of_ours_stay_exceptions(error):
  with pytest.raises(type(error), match='ours'), process.ending('', str):
    raise error


@pytest.mark.parametrize(
  'number, code, word', [(signal.SIGINT, 130, 'interrupted'), (signal.SIGTERM, 143, 'terminated')]
)
def test_a_signal_in_the_middle_of_a_write_leaves_nothing(capsys, tmp_path, number, code, word):
  """And gives both signals back."""
  before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

  def work():
    with replacing(tmp_path / 'x.csv') as beside:
      beside.write_text('half')
      os.kill(os.getpid(), number)
      time.sleep(5)

  signal.signal(signal.SIGINT, signal.default_int_handler)  # Shells ignore it in the background.
  try:
    found, line = ended(capsys, work=work)
    assert signal.getsignal(signal.SIGTERM) == before[1]
  finally:
    signal.signal(signal.SIGINT, before[0])
  assert found == code and word in line and '3 epochs are saved.' in line
  assert list(tmp_path.iterdir()) == []
