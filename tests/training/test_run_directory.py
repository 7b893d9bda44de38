"""A run directory keeps a run together and apart from others."""

import errno

import numpy as np
import pytest
import tf_keras

from ma_keras import training

HEADER = 'epoch,loss,val_loss\n'
FLAGS = {'side': '--side=4', 'epochs': '--epochs=2'}


def test_all_that_a_run_keeps_lies_apart_in_its_directory(tmp_path):
  run = training.RunDirectory(tmp_path)
  names = [name for name, kind in vars(training.RunDirectory).items() if isinstance(kind, property)]
  paths = [*(getattr(run, name) for name in names), run.figure('curve'), run.figure('samples')]
  assert len(names) > 10 and all(tmp_path in path.parents for path in paths)
  assert not any(
    one == two or one in two.parents for one in paths for two in paths if one is not two
  )


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


def prepared(folder, **options):
  run = training.RunDirectory(folder)
  run.prepare(FLAGS, fixed=('side',), **{'app': 'density', **options})
  return run


def content(folder):
  return {path.name: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_other_data_under_the_same_name_are_met_and_nothing_is_touched(tmp_path):
  hashes = {'side': '1a', 'dataset_file': '0a', 'couplings_file': '2a'}
  prepared(tmp_path, hashes=hashes)
  before = content(tmp_path)
  changed = {'dataset_file': '0b', 'couplings_file': '2b'}
  with pytest.raises(
    ValueError, match=r'^dataset_file is not .* has changed. Put the old one back'
  ):
    prepared(tmp_path, hashes={**hashes, **changed})
  with pytest.raises(ValueError, match=r'^--side=4 is not what the run'):
    prepared(tmp_path, hashes={'side': '1b'})
  assert content(tmp_path) == before
  prepared(tmp_path, hashes=hashes)


def test_a_run_of_a_version_without_hashes_goes_on_with_a_warning(tmp_path, caplog):
  run = prepared(tmp_path, hashes={'dataset': '0a'})
  run.record.unlink()
  prepared(tmp_path, hashes={'dataset': '0b'})
  assert 'its data may have changed' in caplog.records[-1].getMessage()
  with pytest.raises(ValueError, match='has changed'):  # From now on it is known.
    prepared(tmp_path, hashes={'dataset': '0a'})


def test_a_new_run_and_one_without_data_begin_without_a_warning(tmp_path, caplog):
  prepared(tmp_path / 'new', hashes={'dataset': '0a'})
  prepared(tmp_path / 'none').record.unlink()
  prepared(tmp_path / 'none')
  assert not caplog.records


def test_data_that_a_run_did_not_name_before_are_taken(tmp_path):
  """A flag that a newer version has: nobody knows what it was."""
  prepared(tmp_path, hashes={'dataset': '0a'})
  prepared(tmp_path, hashes={'dataset': '0a', 'couplings_file': '0b'})
  with pytest.raises(ValueError, match='has changed'):
    prepared(tmp_path, hashes={'couplings_file': '0c'})


def test_the_run_of_another_app_is_met(tmp_path):
  prepared(tmp_path)
  with pytest.raises(ValueError, match='holds a run of `train density`, not of `train ising`'):
    prepared(tmp_path, app='ising')


JUNK = bytes(range(256)) * 3
DAMAGE = {
  'flags.txt': [JUNK, b'\0' * 50, b'side=4\n'],
  'run.json': [JUNK, b'', b'[]', b'{"app": "density"}', b'{"app": "density", "sha256": 3}'],
  'metrics.csv': [
    *(JUNK + b'\n', b'\0' * 50 + b'\n', HEADER.encode() + b'\0\0\0\n0,1,2\n'),
    *(b'loss,val_loss\n1,2\n', HEADER.encode() + b'0,1\n', HEADER.encode() + b'0,1,2,3\n'),
    *(HEADER.encode() + b'nan,1,2\n', HEADER.encode() + b'0,one,2\n'),
  ],
}


@pytest.mark.parametrize('name', DAMAGE)
def test_a_damaged_file_is_named_with_the_remedy_and_nothing_is_lost(tmp_path, name):
  prepared(tmp_path)
  whole = content(tmp_path)
  for junk in DAMAGE[name]:
    (tmp_path / name).write_bytes(junk)
    with pytest.raises(ValueError, match=rf'{tmp_path}/{name}.* damaged.*put back a copy, or'):
      prepared(tmp_path)
    assert content(tmp_path) == {**whole, name: junk}


@pytest.mark.parametrize(
  'content, line',
  [('loss,val_loss\n', 1), (f'{HEADER}one,1,2\n', 2), (f'{HEADER}0,1,2\n1,2,3\n2,3\n', 4)],
)
def test_the_damaged_line_is_named_as_editors_count(tmp_path, content, line):
  run = prepared(tmp_path)
  run.metrics.write_text(content)
  with pytest.raises(ValueError, match=rf'metrics\.csv, line {line}, is damaged'):
    run.read_metrics()


def test_before_the_first_epoch_there_are_no_metrics(tmp_path):
  run = prepared(tmp_path)
  assert run.read_metrics() == {}
  for content in ('', HEADER):
    run.metrics.write_text(content)
    assert run.read_metrics() == {}


def test_snapshots_come_in_the_order_of_their_epochs(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.snapshots.mkdir()
  for epoch in (100, 20, 3):
    np.save(run.snapshots / f'epoch_{epoch:06d}.npy', np.full(2, epoch))
  found = run.read_snapshots()
  assert list(found) == [3, 20, 100]
  assert all(np.all(samples == epoch) for epoch, samples in found.items())


@pytest.mark.parametrize('name', DAMAGE)
def test_a_folder_where_a_file_should_be_is_named(tmp_path, name):
  prepared(tmp_path)
  (tmp_path / name).unlink(missing_ok=True)
  (tmp_path / name).mkdir()
  with pytest.raises(ValueError, match=rf'{tmp_path}.*(directory|damaged)'):
    prepared(tmp_path)


def test_a_summary_that_is_damaged_is_named(tmp_path):
  run = prepared(tmp_path)
  for junk in (JUNK, b'', b'[1]', b'{"a": '):
    run.summary.write_bytes(junk)
    with pytest.raises(ValueError, match=r'summary\.json is damaged'):
      run.read_summary()


def test_a_name_with_a_line_break_is_refused(tmp_path):
  flags = {'dataset_file': '--dataset_file=a\nb.csv'}
  with pytest.raises(ValueError, match='line break'):
    training.RunDirectory(tmp_path / 'run').prepare(flags, fixed=('dataset_file',))
  assert not (tmp_path / 'run').exists()


def test_names_in_any_script_are_the_same_names_again(tmp_path):
  flags = {'dataset_file': '--dataset_file=a b\u2028\u00fc \u6e2c.csv'}
  for _ in range(2):
    training.RunDirectory(tmp_path).prepare(flags, fixed=('dataset_file',))


def test_a_file_on_the_way_to_the_directory_is_an_error(tmp_path):
  (tmp_path / 'file').write_text('')
  for path in (tmp_path / 'file', tmp_path / 'file' / 'run'):
    with pytest.raises(ValueError, match='cannot be written to'):
      prepared(path)


def test_a_full_disk_is_no_wrong_flag(tmp_path, monkeypatch):
  """Exit code 4, and not 1: there may be room later."""

  def full(*_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr('os.replace', full)
  with pytest.raises(OSError, match='No space left'):
    prepared(tmp_path)
