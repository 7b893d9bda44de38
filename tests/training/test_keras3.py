"""Optimisers of Keras 3 train as those of tf_keras, and callbacks of Keras 3 are called."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import training
from ma_keras.training import keras3

PATHS = {
  'Adam': lambda package: package.Adam(0.01, beta_1=0.8, clipnorm=0.5),
  'AdamW of a schedule': lambda package: package.AdamW(
    package.schedules.CosineDecay(0.0, 4, warmup_target=0.1, warmup_steps=2), weight_decay=0.01
  ),
  'SGD': lambda package: package.SGD(0.1, momentum=0.9, nesterov=True),
  'RMSprop': lambda package: package.RMSprop(0.02, rho=0.8),
}


def path(optimizer):
  """Five steps on the gradients of |w - 1|^2 and of |w|^4."""
  w = tf.Variable([0.3, -2.0], name='w')
  for power in range(5):
    gradient = 2 * (w - 1) if power % 2 else 4 * w**3
    optimizer.apply_gradients([(gradient, w)])
  return w.numpy()


@pytest.mark.parametrize('name', PATHS)
def test_it_takes_the_same_path(name):
  made = PATHS[name]
  np.testing.assert_array_equal(
    path(keras3.optimizer(made(keras.optimizers))), path(made(tf_keras.optimizers))
  )


def test_names_and_optimisers_of_tf_keras_stay():
  own = tf_keras.optimizers.Adam()
  assert keras3.optimizer(own) is own
  assert keras3.optimizer('adam') == 'adam'


class OnesOwn(keras.optimizers.SGD):
  """An update rule that tf_keras does not know."""


@pytest.mark.parametrize(
  'optimizer', [OnesOwn(0.1), keras.optimizers.Adam(gradient_accumulation_steps=4)]
)
def test_what_tf_keras_has_not_is_refused_with_the_call_that_works(optimizer):
  with pytest.raises(ValueError, match=r'no like in tf_keras.*tf_keras.optimizers.Adam\(1e-3\)'):
    keras3.optimizer(optimizer)


def test_steps_that_were_taken_are_not_lost():
  optimizer = keras.optimizers.SGD(0.1)
  optimizer.iterations.assign(3)
  with pytest.raises(ValueError, match=r'has taken steps already.*tf_keras.optimizers.Adam'):
    keras3.optimizer(optimizer)


class Journal(keras.callbacks.Callback):
  """Keeps the names of all hooks, in order."""

  def __init__(self):
    super().__init__()
    self.lines = []


for _hook in keras3.HOOKS:
  setattr(Journal, _hook, lambda self, *_, name=_hook: self.lines.append(name))


@pytest.fixture
def model():
  potential = ma_keras.potentials.OneHiddenLayer(2, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler')
  made = training.MaximumLikelihood(bijector, penalties=None)
  made.compile('sgd')
  return made


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_callbacks_of_keras_3_are_told_all_and_act_on_the_model(model, tmp_path):
  journal, x = Journal(), np.random.default_rng(0).normal(size=(20, 2))
  stop = keras.callbacks.EarlyStopping('loss', patience=1, min_delta=1e9)
  rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.25)
  path = str(tmp_path / 'best.weights.h5')
  best = keras.callbacks.ModelCheckpoint(path, 'loss', save_best_only=True, save_weights_only=True)
  callbacks = [journal, stop, rate, best]
  history = model.fit(x, epochs=9, callbacks=callbacks, verbose=0).history['loss']
  assert len(history) == 2 and float(model.optimizer.learning_rate) == 0.25
  epoch = ['epoch_begin', 'train_batch_begin', 'train_batch_end', 'epoch_end']
  assert journal.lines == [f'on_{name}' for name in ('train_begin', *epoch, *epoch, 'train_end')]
  before = model.get_weights()
  model.load_weights(path)  # Of the second epoch: the loss falls.
  np.testing.assert_array_equal(model.get_weights()[0], before[0])
  for verb, hooks in ((model.evaluate, 'test'), (model.predict, 'predict')):
    journal.lines.clear()
    verb(x, callbacks=[journal], verbose=0)
    assert journal.lines[0] == f'on_{hooks}_begin' and journal.lines[-1] == f'on_{hooks}_end'


def test_callbacks_that_reach_into_models_of_keras_3_are_refused(model, tmp_path):
  for callback in (
    keras.callbacks.BackupAndRestore(str(tmp_path / 'b.weights.h5')),
    keras.callbacks.TensorBoard(str(tmp_path)),
  ):
    with pytest.raises(ValueError, match=r'of Keras 3 reaches.*use .*tf_keras.callbacks'):
      model.fit(np.zeros((4, 2)), callbacks=[callback], verbose=0)
