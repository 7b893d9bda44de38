"""The best weights are those of the least metric, and one of them is whole at any moment."""

import resource

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import training


class Model(tf_keras.Model):
  """All that is saved of a FlowModel: its bijector."""

  def __init__(self):
    super().__init__()
    potential = ma_keras.potentials.OneHiddenLayer(4, 6, dtype=tf.float64, seed=1)
    self.bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5)


def set_to(model, value):
  for variable in model.bijector.trainable_variables:
    variable.assign(tf.fill(variable.shape, tf.constant(value, variable.dtype)))


def values(model):
  return {float(x) for v in model.bijector.trainable_variables for x in np.ravel(v)}


def train(model, best, losses):
  """An epoch for each loss, in which every weight becomes the loss."""
  for epoch, loss in enumerate(losses):
    set_to(model, loss)
    best.on_epoch_end(epoch, {'val_nll': loss})


@pytest.fixture
def model():
  return Model()


def files(folder):
  return sorted(path.name for path in folder.iterdir())


def test_the_least_is_kept_and_nothing_else(model, tmp_path):
  best = training.BestWeights(model, tmp_path, 'val_nll')
  train(model, best, [3.0, 2.0, 5.0, float('nan'), 2.5])
  best.restore()
  assert values(model) == {2.0} and best.least == 2.0
  assert files(tmp_path) == ['checkpoint', 'weights-2.data-00000-of-00001', 'weights-2.index']


def test_a_later_part_of_the_run_beats_the_least_before_it(model, tmp_path):
  train(model, training.BestWeights(model, tmp_path, 'val_nll'), [3.0])
  later = training.BestWeights(model, tmp_path, 'val_nll', least=3.0)
  train(model, later, [4.0])
  later.restore()
  assert values(model) == {3.0}
  train(model, later, [1.0])
  later.restore()
  assert values(model) == {1.0}


@pytest.mark.parametrize('name', ['weights-2.data-00000-of-00001', 'weights-2.index'])
def test_what_a_killed_write_leaves_is_passed_over_and_written_anew(model, tmp_path, name):
  train(model, training.BestWeights(model, tmp_path, 'val_nll'), [3.0])
  (tmp_path / name).write_bytes(b'cut')
  again = training.BestWeights(model, tmp_path, 'val_nll', least=3.0)
  again.restore()
  assert values(model) == {3.0}
  train(model, again, [2.0])
  again.restore()
  assert values(model) == {2.0}


def test_a_failed_write_is_an_error_and_leaves_the_ones_before(model, tmp_path):
  best = training.BestWeights(model, tmp_path, 'val_nll')
  train(model, best, [3.0])
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
  try:
    with pytest.raises(OSError, match=rf'no checkpoint could be written to {tmp_path}.*too large'):
      train(model, best, [2.0])
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  best.restore()
  assert values(model) == {3.0} and best.least == 3.0


def test_weights_of_tf_keras_own_callback_are_read(model, tmp_path):
  """What runs of versions before kept."""
  set_to(model, 3.0)
  keras = tf_keras.callbacks.ModelCheckpoint(
    str(tmp_path / 'weights'), 'val_nll', save_best_only=True, save_weights_only=True, mode='min'
  )
  keras.set_model(model)
  keras.on_epoch_end(0, {'val_nll': 3.0})
  set_to(model, 7.0)
  best = training.BestWeights(model, tmp_path, 'val_nll', least=3.0)
  best.restore()
  assert values(model) == {3.0}


def test_without_any_the_error_says_so(model, tmp_path):
  best = training.BestWeights(model, tmp_path, 'val_nll')
  train(model, best, [float('nan')])
  with pytest.raises(training.TrainingStopped, match='no best weights'):
    best.restore()


JUNK = bytes(range(256)) * 9


@pytest.mark.parametrize(
  'name, content',
  [
    *(('checkpoint', content) for content in (JUNK, b'', b'model_checkpoint_path: "nowhere-7"')),
    *(('weights-1.index', content) for content in (JUNK, b'')),
    *(('weights-1.data-00000-of-00001', content) for content in (JUNK, b'', None)),
  ],
)
def test_damaged_weights_stop_a_run_before_it_trains_on(model, tmp_path, name, content):
  """They are the least so far: epochs that are not better would end with nothing to report."""
  train(model, training.BestWeights(model, tmp_path, 'val_nll'), [3.0])
  (tmp_path / name).unlink()
  if content is not None:
    (tmp_path / name).write_bytes(content)
  set_to(model, 7.0)
  later = training.BestWeights(model, tmp_path, 'val_nll', least=3.0)
  for meet in (later.on_train_begin, later.restore):
    with pytest.raises(
      training.TrainingStopped, match=rf'{tmp_path} are damaged .*delete it'
    ) as stop:
      meet()
    assert '\n' not in str(stop.value)
  assert values(model) == {7.0}


def test_without_the_folder_the_best_from_here_on_is_kept(model, tmp_path, caplog):
  later = training.BestWeights(model, tmp_path / 'best', 'val_nll', least=3.0)
  later.on_train_begin()
  assert 'no weights any more' in caplog.records[-1].getMessage()
  train(model, later, [5.0, 4.0, 6.0])
  later.restore()
  assert values(model) == {4.0}
