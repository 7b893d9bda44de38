"""However a process dies, the next one trains on as if nothing had been."""

import os
import pathlib
import resource
import signal
import threading

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import targets, training
from ma_keras.training import strategy
from tests.integration import apps
from tests.support import clusters

pytestmark = pytest.mark.slow

EPOCHS, STEPS = 4, 3


class Death(tf_keras.callbacks.Callback):
  """Calls `die` after so many steps of this process."""

  def __init__(self, step, die):
    super().__init__()
    self.left, self.die = step, die

  def on_train_batch_end(self, batch, logs=None):
    self.left -= 1
    if self.left == 0:
      self.die()


def killed():
  raise KeyboardInterrupt


def model():
  potential = ma_keras.potentials.OneHiddenLayer(
    4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
  )
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'euler')
  made = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
  optimizer = training.adam(1e-2, EPOCHS * STEPS, 2, 1.0)
  optimizer.build(made.trainable_variables)
  made.compile(optimizer)
  return made


def train(made, folder, epochs=EPOCHS, others=()):
  """The epochs that were run, and their logs."""
  backup = training.Backup(made, folder)
  history = made.fit(
    made.sample_numbers(STEPS),
    initial_epoch=backup.restore(),
    epochs=epochs,
    steps_per_epoch=STEPS,
    verbose=0,
    callbacks=[*others, backup],
  )
  return history.epoch, history.history


def state(made):
  """Weights, Adam's moments and its step."""
  return [v.numpy() for v in (*made.trainable_variables, *made.optimizer.variables)]


def assert_same(made, expected):
  for one, two in zip(state(made), expected, strict=True):
    np.testing.assert_array_equal(one, two)


def renew(made, start):
  for variable, value in zip((*made.trainable_variables, *made.optimizer.variables), start):
    variable.assign(value)


@pytest.fixture(scope='module')
def compiled():
  """Two equal models, each traced once, and their state before the first step."""
  pair = model(), model()
  return pair, state(pair[0])


@pytest.fixture(scope='module')
def uninterrupted(compiled, tmp_path_factory):
  """The state after all epochs, and their logs."""
  (made, _), start = compiled
  renew(made, start)
  _, logs = train(made, tmp_path_factory.mktemp('uninterrupted'))
  return state(made), logs


@pytest.fixture
def untrained(compiled, uninterrupted):
  """Both models as new ones are: to trace a training step takes longer than to train."""
  pair, start = compiled
  for made in pair:
    renew(made, start)
  return pair


def files(folder):
  return sorted(path.name for path in (folder / 'chief').iterdir())


def checkpoint(number):
  return [f'ckpt-{number}.data-00000-of-00001', f'ckpt-{number}.index']


def test_models_of_these_tests_are_as_good_as_new_ones(untrained):
  new = state(model())
  for made in untrained:
    assert_same(made, new)


@pytest.mark.parametrize('step', range(1, EPOCHS * STEPS, 2))
def test_killed_at_any_step_it_ends_in_the_same_bits(step, untrained, uninterrupted, tmp_path):
  first, resumed = untrained
  with pytest.raises(KeyboardInterrupt):
    train(first, tmp_path, others=[Death(step, killed)])
  epochs, logs = train(resumed, tmp_path)
  assert epochs == list(range((step - 1) // STEPS, EPOCHS))
  final, expected = uninterrupted
  assert_same(resumed, final)
  assert logs == {name: values[epochs[0] :] for name, values in expected.items()}


def test_the_last_two_are_kept_and_a_finished_run_is_not_trained_again(untrained, tmp_path):
  made, again = untrained
  train(made, tmp_path)
  assert files(tmp_path) == [*checkpoint(EPOCHS - 1), *checkpoint(EPOCHS)]
  epochs, _ = train(again, tmp_path)
  assert epochs == []
  assert_same(again, state(made))


def truncated(path):
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
  path.write_bytes(b'')


def flipped(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 3] ^= 16
  path.write_bytes(content)


@pytest.mark.parametrize(
  'part, damage',
  [
    *(('data-00000-of-00001', how) for how in (truncated, emptied, flipped, pathlib.Path.unlink)),
    *(('index', how) for how in (truncated, emptied, flipped)),
  ],
)
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
  part, damage, untrained, uninterrupted, tmp_path, caplog
):
  first, resumed = untrained
  train(first, tmp_path, epochs=3)
  damage(tmp_path / 'chief' / f'ckpt-3.{part}')
  epochs, _ = train(resumed, tmp_path)
  assert epochs == [2, 3]
  assert_same(resumed, uninterrupted[0])
  warned = [record.getMessage() for record in caplog.records if record.name == 'absl']
  assert len(warned) == 1 and 'ckpt-3 is damaged' in warned[0]
  assert files(tmp_path) == [*checkpoint(3), *checkpoint(4)]


def test_two_damaged_checkpoints_are_an_error_and_no_start_from_scratch(untrained, tmp_path):
  first, made = untrained
  train(first, tmp_path, epochs=3)
  flipped(tmp_path / 'chief' / 'ckpt-2.data-00000-of-00001')
  truncated(tmp_path / 'chief' / 'ckpt-3.index')
  before = state(made)
  with pytest.raises(training.TrainingStopped, match=rf'{tmp_path}.*ckpt-3, ckpt-2.*--run_dir'):
    training.Backup(made, tmp_path).restore()
  for one, two in zip(before, state(made), strict=True):
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize('left', ['unfinished/ckpt-2_temp/part', 'ckpt-2.data-00000-of-00001'])
def test_what_a_killed_write_leaves_is_no_checkpoint(left, untrained, uninterrupted, tmp_path):
  """All that is there until the index is in place."""
  first, resumed = untrained
  train(first, tmp_path, epochs=1)
  path = tmp_path / 'chief' / left
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(b'half')
  epochs, _ = train(resumed, tmp_path)
  assert epochs == [1, 2, 3]
  assert_same(resumed, uninterrupted[0])
  assert files(tmp_path) == [*checkpoint(3), *checkpoint(4)]


def test_there_is_never_an_index_without_its_data(untrained, tmp_path, monkeypatch):
  """Looked at before every file that is moved or deleted: a process may die at any of them."""
  moves = []

  def watched(function):
    def call(*arguments, **options):
      names = {path.name for path in (tmp_path / 'chief').glob('ckpt-*')}
      for index in (name for name in names if name.endswith('.index')):
        assert f'{pathlib.Path(index).stem}.data-00000-of-00001' in names
      moves.append(function.__name__)
      return function(*arguments, **options)

    return call

  monkeypatch.setattr(os, 'replace', watched(os.replace))
  monkeypatch.setattr(pathlib.Path, 'unlink', watched(pathlib.Path.unlink))
  train(untrained[0], tmp_path)
  assert moves.count('unlink') == 2 * (EPOCHS - 2) and moves.count('replace') == 2 * EPOCHS


def test_a_folder_without_checkpoints_has_no_epochs(untrained, tmp_path):
  """That is what a worker tells the others, of whom one may have an epoch."""
  assert training.saved_epochs(tmp_path) == 0
  backup, told = training.Backup(untrained[0], tmp_path), []
  backup._check_agreement = told.append
  assert backup.restore() == 0 and told == [0]
  (tmp_path / 'chief').mkdir()
  for name in ('ckpt-x.index', 'ckpt-7.data-00000-of-00001', 'other-9.index'):
    (tmp_path / 'chief' / name).write_text('')
  assert training.saved_epochs(tmp_path) == 0
  for number in (9, 10):
    (tmp_path / 'chief' / f'ckpt-{number}.index').write_text('')
  assert training.saved_epochs(tmp_path) == 10


def test_a_failed_write_is_an_error_and_leaves_the_one_before(untrained, uninterrupted, tmp_path):
  first, resumed = untrained
  train(first, tmp_path, epochs=2)
  before = files(tmp_path)
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # noqa: E731
  try:
    with pytest.raises(OSError, match=rf'no checkpoint could be written to {tmp_path}.*too large'):
      train(resumed, tmp_path, others=[Death(1, limit)])
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert files(tmp_path) == before
  assert train(resumed, tmp_path)[0] == [2, 3]
  assert_same(resumed, uninterrupted[0])


def test_a_folder_that_cannot_be_made_is_an_error(untrained, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(OSError, match='no checkpoint could be written'):
    train(untrained[0], tmp_path / 'file')


def test_a_run_of_keras_own_backup_goes_on(untrained, uninterrupted, tmp_path):
  made, resumed = untrained
  keras = tf_keras.callbacks.BackupAndRestore(str(tmp_path), delete_checkpoint=False)
  numbers = made.sample_numbers(STEPS)
  made.fit(numbers, epochs=2, steps_per_epoch=STEPS, verbose=0, callbacks=[keras])
  assert train(resumed, tmp_path)[0] == [2, 3]
  assert_same(resumed, uninterrupted[0])


def train_until_sigterm(folder):
  die = lambda: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
  train(model(), folder, others=[Death(2 * STEPS + 2, die)])


def test_sigterm_ends_the_process_after_the_step(untrained, uninterrupted, tmp_path):
  done = apps.call(train_until_sigterm, tmp_path)
  assert done.returncode == 143 and 'Traceback' not in done.stderr
  last = done.stderr.strip().splitlines()[-1]
  assert last == 'Terminated by SIGTERM; 2 epochs are saved: the same command goes on from there.'
  resumed = untrained[0]
  assert train(resumed, tmp_path)[0] == [2, 3]
  assert_same(resumed, uninterrupted[0])


def test_sigterm_is_given_back(untrained, tmp_path):
  """After training, and after the first signal: the second one ends the process at once."""
  before = signal.getsignal(signal.SIGTERM)
  seen = []
  train(untrained[0], tmp_path, epochs=1)
  assert signal.getsignal(signal.SIGTERM) == before

  def die():
    seen.append(signal.getsignal(signal.SIGTERM))
    os.kill(os.getpid(), signal.SIGTERM)

  with pytest.raises(SystemExit) as ended:
    train(untrained[1], tmp_path, others=[Death(1, die)])
  assert ended.value.code == 143 and seen[0] != before
  assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize('moment', ['test_batch', 'train'])
def test_sigterm_in_a_validation_or_after_the_last_step_ends_the_process(moment, tmp_path):
  """A validation may take minutes; what ends after it would look like a finished run."""
  backup = training.Backup(model(), tmp_path)
  backup.on_train_begin()
  os.kill(os.getpid(), signal.SIGTERM)
  with pytest.raises(SystemExit) as ended:
    backup.on_test_batch_end(0) if moment == 'test_batch' else backup.on_train_end()
  assert ended.value.code == 143


def test_training_in_a_thread_leaves_sigterm_alone(tmp_path):
  """Python lets the main thread alone set handlers."""
  before, errors = signal.getsignal(signal.SIGTERM), []

  def begin():
    backup = training.Backup(made, tmp_path)
    try:
      backup.on_train_begin()
      backup.on_train_end()
    except ValueError as error:
      errors.append(error)

  made = model()
  thread = threading.Thread(target=begin)
  thread.start()
  thread.join()
  assert not errors and signal.getsignal(signal.SIGTERM) == before


def meet(chosen):
  """Waits for the chief, which is the last to leave an epoch: it moves the files."""
  chosen.reduce('SUM', chosen.run(tf.function(lambda: tf.constant(1.0))), axis=None)


def in_strategy(name, folder):
  """Two replicas that were cut short and go on, against two that were not."""
  chosen = strategy.make(name)
  assert chosen.num_replicas_in_sync == 2
  with chosen.scope():
    whole, first, resumed, lost = (model() for _ in range(4))
  train(whole, folder / 'whole')
  train(first, folder / 'cut', epochs=2)
  meet(chosen)
  assert train(resumed, folder / 'cut')[0] == [2, 3]
  meet(chosen)
  for one, two in zip(state(whole), state(resumed), strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-12)
  assert files(folder / 'cut') == [*checkpoint(3), *checkpoint(4)]
  if not strategy.is_chief(chosen):
    folder = folder / 'of the second worker alone'
  if name == 'multi_worker':
    with pytest.raises(training.TrainingStopped, match='all workers share'):
      training.Backup(lost, folder / 'cut').restore()


def on_two_devices(folder):
  tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2
  )
  in_strategy('mirrored', folder)


def test_two_replicas_go_on(tmp_path):
  apps.passes(on_two_devices, tmp_path)


def test_two_workers_go_on_from_the_chiefs_checkpoint(tmp_path):
  call = ('worker', in_strategy, 'multi_worker', tmp_path)
  assert clusters.wait(clusters.start([call] * 2)) == [0, 0]
