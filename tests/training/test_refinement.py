"""Steps are halved when, and only when, the integration error asks for it."""

import pytest
import tensorflow as tf

import ma_keras
from ma_keras import targets, training

pytestmark = pytest.mark.slow


def model(num_steps=2):
  potential = ma_keras.potentials.OneHiddenLayer(
    4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
  )
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, 1.0 / num_steps, 'euler')
  made = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
  optimizer = training.adam(1e-2, 100)
  optimizer.build(made.trainable_variables)
  made.compile(optimizer)
  return made


def fit(made, callbacks, epochs=4):
  made.fit(made.sample_numbers(1), epochs=epochs, steps_per_epoch=1, verbose=0, callbacks=callbacks)


def euler_like(bijector):
  """An error that halves with the step: 1/d."""
  return 1.0 / bijector.horizon.num_steps


@pytest.mark.usefixtures('eagerly')
def test_steps_double_until_the_error_is_tolerable():
  made = model()
  fit(made, [training.Refinement(euler_like, tolerance=0.13)])
  assert made.bijector.horizon.num_steps == 8
  assert made.bijector.horizon.time == pytest.approx(1.0)


@pytest.mark.usefixtures('eagerly')
def test_tolerable_errors_and_the_largest_depth_are_left_alone():
  for tolerance, largest in ((0.6, 1024), (1e-9, 3)):
    made = model()
    fit(made, [training.Refinement(euler_like, tolerance, max_steps=largest)])
    assert made.bijector.horizon.num_steps == 2


def test_training_goes_on_with_the_finer_flow():
  """The train step is traced anew: its loss is that of the finer flow."""
  made, seen = model(), []

  def error(bijector):
    seen.append(bijector.horizon.num_steps)
    return euler_like(bijector)

  fit(made, [training.Refinement(error, tolerance=0.2)])
  assert seen == [2, 4, 8, 8]
  traced = made.make_train_function()
  fresh = model()
  fresh.bijector = fresh.bijector.refined(4)
  for one, two in zip(fresh.trainable_variables, made.trainable_variables):
    one.assign(two)
  fresh.optimizer.iterations.assign(made.optimizer.iterations)
  for each, step in ((made, traced), (fresh, fresh.make_train_function())):
    each.reset_metrics()
    step(iter(each.sample_numbers(1)))
  results = [float(each._free_energy.result()) for each in (made, fresh)]
  assert results[0] == pytest.approx(results[1], rel=1e-12)


@pytest.mark.usefixtures('eagerly')
def test_a_resumed_run_goes_on_at_the_depth_it_had(tmp_path):
  def callbacks():
    from tf_keras.callbacks import BackupAndRestore

    backup = BackupAndRestore(str(tmp_path), delete_checkpoint=False)
    return [training.Refinement(euler_like, tolerance=0.13), backup]

  fit(model(), callbacks())
  for epochs in (4, 5):  # Nothing left to train, and one epoch more.
    resumed = model()
    fit(resumed, callbacks(), epochs)
    assert resumed.bijector.horizon.num_steps == 8


def test_errors_name_the_argument():
  with pytest.raises(ValueError, match=r'`tolerance` must be positive, got 0\.0'):
    training.Refinement(euler_like, 0.0)
