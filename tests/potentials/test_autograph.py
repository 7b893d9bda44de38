"""AutoGraph converts a caller's own function, and nothing of this package."""

import inspect

import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import objectives, targets, training
from ma_keras.potentials import KerasModel, Potential


class Witness(Potential):
  """phi = |x|^2/2, which notes the generated files among its callers."""

  def __init__(self):
    super().__init__(4)
    self.strength = tf.Variable(0.5)
    self.generated = []

  def __call__(self, t, x):
    frames = [(frame.filename, frame.function) for frame in inspect.stack(context=0)]
    self.generated = [name for file, name in frames if '__autograph_generated_file' in file]
    return self.strength * tf.reduce_sum(x**2, -1)


def bijector(potential, **options):
  return ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler', **options)


X = tf.ones([3, 4])
CALLS = {
  'solve': lambda b: b.solve(X).x,
  'trajectory': lambda b: b.trajectory(X, [0.1]).states,
  'certificate': lambda b: b.certificate(X).doubt,
  'log_prob': lambda b: ma_keras.standard_normal_flow(b).log_prob(X),
  'reverse_kl': lambda b: objectives.reverse_kl(
    ma_keras.standard_normal_flow(b), targets.Ising(2).energy, X
  ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, gradient',
  [*((name, 'store') for name in CALLS), ('solve', 'recompute'), ('reverse_kl', 'plain')],
)
def test_only_the_callers_function_is_converted(name, gradient):
  potential = Witness()
  flow = bijector(potential, gradient=gradient)

  @tf.function
  def callers_own():
    return CALLS[name](flow)

  callers_own()
  assert {function.removeprefix('tf__') for function in potential.generated} <= {
    *('callers_own', 'inner_factory', 'lam', '<lambda>')
  }
  assert any('callers_own' in function for function in potential.generated)


@pytest.mark.slow
def test_a_training_step_is_not_converted():
  """With XLA and without, one model each."""
  potential = Witness()
  free_energy = training.VariationalFreeEnergy(bijector(potential), targets.Ising(2), 8)
  likelihood = training.MaximumLikelihood(bijector(potential), penalties=None)
  for model, data, jit_compile in (
    (free_energy, free_energy.sample_numbers(1), False),
    (likelihood, X, True),
  ):
    model.compile('sgd', jit_compile=jit_compile)
    model.fit(data, verbose=0)
    assert not [name for name in potential.generated if 'train_step' in name]


class Branching(Potential):
  """phi = +-|x|^2/2 by the sign of a tensor, in Python."""

  def __call__(self, t, x):
    if tf.reduce_sum(x) > 0:
      return tf.reduce_sum(x**2, -1) / 2
    return -tf.reduce_sum(x**2, -1) / 2


def test_a_potential_that_branches_in_python_is_refused_in_every_call():
  flow = bijector(Branching(4))
  for name in ('solve', 'log_prob'):
    for call in (CALLS[name], tf.function(CALLS[name])):
      with pytest.raises(TypeError, match=r'Python `?bool'):
        call(flow)


class Gate(tf_keras.layers.Layer):
  """The sum of its inputs, doubled where a tensor is positive, in Python."""

  def call(self, inputs):
    total = tf.reduce_sum(inputs, -1, keepdims=True)
    if tf.reduce_sum(inputs) > 0:
      total = 2.0 * total
    return total


@pytest.mark.slow
def test_layers_of_keras_are_converted_as_keras_does():
  flow = bijector(KerasModel(tf_keras.Sequential([tf_keras.Input([4]), Gate()]), 4))
  call = tf.function(lambda: ma_keras.standard_normal_flow(flow).log_prob(X))
  assert call().shape == [3]
