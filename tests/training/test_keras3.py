"""An optimiser of Keras 3 trains as that of tf_keras with the same hyperparameters."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

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
