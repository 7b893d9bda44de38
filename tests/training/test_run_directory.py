"""A run directory keeps a run together and apart from others."""

import pytest
import tf_keras

from ma_keras import training

HEADER = 'epoch,loss,val_loss\n'
FLAGS = {'side': '--side=4', 'epochs': '--epochs=2'}


def test_the_flagfile_replays_the_flags(tmp_path):
  run = training.RunDirectory(tmp_path / 'a' / 'b')
  run.prepare(FLAGS, fixed=('side',))
  assert run.flagfile.read_text().splitlines() == ['--side=4', '--epochs=2']


def test_a_run_may_change_what_is_not_the_model(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.prepare(FLAGS, fixed=('side',))
  run.prepare({**FLAGS, 'epochs': '--epochs=3'}, fixed=('side',))
  assert '--epochs=3' in run.flagfile.read_text()


def test_another_model_in_the_same_directory_is_met(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.prepare(FLAGS, fixed=('side',))
  with pytest.raises(ValueError, match=r'run_dir.*--side=8.*Choose another'):
    run.prepare({**FLAGS, 'side': '--side=8'}, fixed=('side',))
  assert '--side=4' in run.flagfile.read_text()


def test_a_flag_that_an_older_version_did_not_know_has_its_default(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.prepare(FLAGS, fixed=('side', 'dtype', 'antithetic'))
  new = {**FLAGS, 'dtype': '--dtype=float32', 'antithetic': '--noantithetic'}
  run.prepare(new, ('side', 'dtype', 'antithetic'), defaults=['dtype', 'antithetic'])
  with pytest.raises(ValueError, match=r'--dtype=float64'):  # It stands there now.
    run.prepare({**new, 'dtype': '--dtype=float64'}, ('side', 'dtype'), defaults=['side'])


def test_an_unknown_flag_off_its_default_makes_another_model(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.prepare(FLAGS, fixed=('side', 'dtype'))
  with pytest.raises(ValueError, match=r'--dtype=float64'):
    run.prepare({**FLAGS, 'dtype': '--dtype=float64'}, ('side', 'dtype'), defaults=['side'])


def test_metrics_of_a_repeated_epoch_are_the_later_ones(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.metrics.write_text('epoch,loss,val_loss\n0,3.0,NA\n1,2.0,NA\n1,1.5,NA\n2,1.0,NA\n')
  metrics = run.read_metrics()
  assert metrics['epoch'].tolist() == [0, 1, 2]
  assert metrics['loss'].tolist() == [3.0, 1.5, 1.0]


@pytest.mark.parametrize('cut', ['', 'epo', HEADER, f'{HEADER}0,3.0,NA\n1,2'])
def test_half_a_row_is_dropped_so_that_the_next_is_not_appended_to_it(tmp_path, cut):
  run = training.RunDirectory(tmp_path)
  run.metrics.write_text(cut)
  run.prepare(FLAGS, fixed=())
  logger = tf_keras.callbacks.CSVLogger(str(run.metrics), append=True)
  logger.set_model(tf_keras.Sequential())
  logger.on_train_begin()
  logger.on_epoch_end(1, {'loss': 2.5})
  logger.on_train_end()
  assert run.read_metrics()['loss'].tolist() == ([3.0, 2.5] if '3.0' in cut else [2.5])


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
  run = training.RunDirectory(tmp_path)
  run.write_summary({'a': 1})
  monkeypatch.setattr('os.replace', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
  with pytest.raises(OSError, match='disk full'):
    run.write_summary({'a': 2})
  assert '"a": 1' in run.summary.read_text()
