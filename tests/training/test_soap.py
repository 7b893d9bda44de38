"""Adam in the eigenbasis: what it equals, what it finds, what it gains, and how it resumes."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import targets, training
from ma_keras.training.soap import MEMORY, turns_due

pytestmark = pytest.mark.slow

P = 12


def valley(condition=1e4):
  """A = R D R', eigenvalues from 1 to `condition`, R a rotation of all coordinates."""
  rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(P, P)))[0]
  return rotation @ np.diag(np.geomspace(1.0, condition, P)) @ rotation.T


def descend(optimizer, steps, hessian, turn_every=0):
  """theta, and theta'A theta/2, after so many steps, each at a minimum of its own near zero."""
  parts = [tf.Variable(tf.ones([4], tf.float64)), tf.Variable(tf.ones([2, 4], tf.float64))]
  optimizer.build(parts)

  @tf.function(autograph=False)
  def step(noise):
    g = tf.linalg.matvec(hessian, tf.concat([tf.reshape(part, [-1]) for part in parts], 0) + noise)
    optimizer.apply_gradients(zip([g[:4], tf.reshape(g[4:], [2, 4])], parts))

  noise = np.random.default_rng(2).normal(size=(steps, P)) * 0.03
  for k in range(steps):
    step(tf.constant(noise[k]))
    if turn_every and (k + 1) % turn_every == 0:
      optimizer.turn()
  theta = np.concatenate([part.numpy().ravel() for part in parts])
  return theta, theta @ hessian @ theta / 2


def test_it_is_adam_until_the_basis_turns():
  adam = tf_keras.optimizers.Adam(0.01, beta_2=MEMORY['square'], epsilon=1e-8)
  expected, _ = descend(adam, 30, valley())
  found, _ = descend(training.Soap(0.01), 30, valley())
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_nothing_moves_while_it_is_to_be_still():
  start, _ = descend(training.Soap(0.01, still_steps=5), 5, valley())
  np.testing.assert_array_equal(start, np.ones(P))
  moved, _ = descend(training.Soap(0.01, still_steps=5), 6, valley())
  assert np.min(np.abs(moved - 1.0)) > 1e-4


def test_the_basis_diagonalises_the_second_moment():
  optimizer = training.Soap(0.01)
  descend(optimizer, 40, valley(), turn_every=40)
  q, c = optimizer.basis.numpy(), optimizer.covariance.numpy()
  np.testing.assert_allclose(q.T @ q, np.eye(P), atol=1e-12)
  turned = q.T @ c @ q
  np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-12 * np.abs(c).max())


@pytest.mark.parametrize('gradients', [20, 100])
def test_a_turn_knows_the_second_moments_of_more_directions_than_gradients(gradients):
  """g ~ Normal(0, D) in 400 dimensions, D_1 = 100, D_2 = 25 and all others 1, turned by R.

  C of n gradients has no more than n eigenvalues; v is within a factor of two on average.
  """
  size, rng = 400, np.random.default_rng(0)
  rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
  deviations = np.ones(size)
  deviations[:2] = 10.0, 5.0
  optimizer, part = training.Soap(0.0), tf.Variable(tf.zeros([size], tf.float64))
  optimizer.build([part])
  for _ in range(gradients):
    g = rotation @ (deviations * rng.normal(size=size))
    optimizer.apply_gradients([(tf.constant(g), part)])
  optimizer.turn()
  v, q = optimizer.square.numpy() / optimizer.weight.numpy(), optimizer.basis.numpy()
  truth = np.square((rotation * deviations).T @ q).sum(axis=0)
  unknown = slice(0, size - gradients)
  assert np.linalg.eigvalsh(optimizer.covariance.numpy())[unknown].max() < 1e-9
  assert 0.5 < np.mean(v[unknown]) / np.mean(truth[unknown]) < 2.0
  assert 0.5 < v[-1] / truth[-1] < 2.0  # D_1, by far the largest.
  assert v.min() > 0.3


def test_a_valley_across_the_axes_is_no_harder_than_one_along_them():
  hessian = valley()
  schedule = lambda: tf_keras.optimizers.schedules.CosineDecay(0.05, 600)  # noqa: E731
  _, by_adam = descend(tf_keras.optimizers.Adam(schedule(), beta_2=0.99), 600, hessian)
  _, by_soap = descend(training.Soap(schedule()), 600, hessian, turn_every=20)
  _, along = descend(training.Soap(schedule()), 600, np.diag(np.linalg.eigvalsh(hessian)))
  assert by_soap < 10 * along
  assert by_soap < by_adam / 100


def test_the_gradient_is_clipped_as_a_whole():
  optimizer, part = training.Soap(0.01, gradient_clip=1.0), tf.Variable([0.0, 0.0])
  optimizer.apply_gradients([(tf.constant([30.0, 40.0]), part)])
  np.testing.assert_allclose(optimizer.momentum, 0.1 * np.array([0.6, 0.8]), rtol=1e-6)


def model():
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, 'log_cosh', False, tf.float64, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'euler')
  made = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
  optimizer = training.soap(1e-2, 100, 10, 1.0)
  optimizer.build(made.trainable_variables)
  made.compile(optimizer)
  return made


def fit(made, steps):
  callbacks = [training.Turns()]
  made.fit(made.sample_numbers(steps), steps_per_epoch=steps, verbose=0, callbacks=callbacks)


def test_a_restored_run_goes_on_as_if_nothing_had_been(tmp_path):
  whole, half, other = model(), model(), model()
  fit(whole, 50)
  fit(half, 30)
  checkpoint = lambda made: tf.train.Checkpoint(m=made.bijector, o=made.optimizer)  # noqa: E731
  path = checkpoint(half).write(str(tmp_path / 'half'))
  checkpoint(other).read(path).assert_consumed()
  fit(other, 20)
  assert np.abs(whole.optimizer.basis.numpy() - np.eye(whole.optimizer.basis.shape[0])).max() > 0.1
  for one, two in zip(whole.trainable_variables, other.trainable_variables):
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
  'size, steps', [(12, [20, 40, 60, 80]), (1102, [20, 40, 55, 110]), (2000, [20, 40, 80, 100, 200])]
)
def test_the_basis_turns_often_at_first_and_then_at_even_distances(size, steps):
  found = [k for k in range(1, steps[-1] + 1) if turns_due(k, size) > turns_due(k - 1, size)]
  assert found == steps


def test_a_checkpoint_without_weights_goes_on_with_whole_ones():
  """As those written before they were kept: v was divided by 1 - 0.99^n."""
  optimizer = training.Soap(0.0)
  descend(optimizer, 30, np.eye(P))
  expected = optimizer.weight.numpy()
  optimizer.weight.assign(tf.zeros_like(optimizer.weight))
  optimizer._weighed(tf.zeros([P], tf.float64))
  np.testing.assert_allclose(optimizer.weight, 0.99 * expected + 0.01)


def test_what_it_cannot_do_is_said():
  with pytest.raises(ValueError, match="P <= 8000 parameters, got 8001: use 'adam'"):
    training.Soap(0.01).build([tf.Variable(tf.zeros([8001]))])
  with (
    tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']).scope(),
    pytest.raises(ValueError, match='takes one replica'),
  ):
    training.Soap(0.01).build([tf.Variable(tf.zeros([3]))])


def test_its_description_makes_another_one():
  made = training.Soap.from_config(training.Soap(0.01, 2.0, 3).get_config())
  assert (made.gradient_clip, made.still_steps) == (2.0, 3)
  assert float(made.learning_rate) == pytest.approx(0.01)
