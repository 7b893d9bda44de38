"""Bijectors, potentials and flows pickle and copy: log densities equal to the bit."""

import contextlib
import copy
import pickle

import joblib
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import ma_keras
from ma_keras import bases, data, integrators, potentials, symmetry
from ma_keras.flow import gradients
from tests.support import eager

tfb, tfd = tfp.bijectors, tfp.distributions


class Polynomial(potentials.Potential):
  """A potential of one's own, with variables in attributes, a list, a tuple and a dictionary."""

  def __init__(self, event_size):
    super().__init__(event_size)
    self.square = tf.Variable(0.3)
    self.more = [tf.Variable(0.1), {'cubic': tf.Variable(0.2)}]
    self.few = (tf.Variable(0.4, trainable=False),)

  def __call__(self, t, x):
    even = self.square * tf.reduce_sum(x**2, -1) + self.more[0] * tf.reduce_sum(tf.tanh(x), -1)
    return even + self.more[1]['cubic'] * self.few[0] * t * tf.reduce_sum(tf.sin(x), -1)


def keras_model():
  layers = [tf_keras.layers.Dense(3, 'softplus'), tf_keras.layers.Dense(1)]
  model = tf_keras.Sequential(layers)
  model.build((None, 4))
  return potentials.KerasModel(model, 4)


def keras_3_model():
  import keras

  layers = [keras.Input((5,)), keras.layers.Dense(3, 'softplus'), keras.layers.Dense(1)]
  return potentials.KerasModel(keras.Sequential(layers), 4, time_dependent=True)


ONE = potentials.OneHiddenLayer(4, 3, seed=1)
POTENTIALS = {
  'OneHiddenLayer': lambda: ONE,
  'in time': lambda: potentials.OneHiddenLayer(
    4, 3, 'log_cosh', False, seed=1, time_basis=potentials.TimeBasis(1.0, 3)
  ),
  'HyperNetwork': lambda: potentials.OneHiddenLayer(
    4, 3, seed=1, time_basis=potentials.HyperNetwork(1.0, 3)
  ),
  'MLP': lambda: potentials.MLP(4, [3, 3], seed=1),
  'Separable': lambda: potentials.Separable(4, 3, seed=1),
  'Quadratic': lambda: potentials.Quadratic(np.diag([0.1, 0.2, 0.3, 0.4])),
  'SpectralQuadratic': lambda: potentials.SpectralQuadratic(2),
  'Lattice': lambda: potentials.Lattice(2, 3, seed=1),
  'DeepLattice': lambda: potentials.DeepLattice(2, 2, 3, seed=1),
  'Magnetisation': lambda: potentials.Magnetisation(4, 3, 0.7, seed=1),
  'SpinLattice': lambda: potentials.SpinLattice(2, 3, seed=1),
  'DeepLocallyConnected': lambda: potentials.DeepLocallyConnected((2, 2, 1), 1, 1, 3, 2, seed=1),
  'LocallyConnected': lambda: potentials.LocallyConnected((2, 2, 1), 1, 1, 3, seed=1),
  'Sum': lambda: ONE + potentials.Quadratic(np.eye(4) * 0.1) + Polynomial(4),
  'GroupAverage': lambda: symmetry.GroupAverage(ONE, symmetry.square_lattice(2)),
  'RotationQuadrature': lambda: symmetry.GroupAverage(ONE, symmetry.RotationQuadrature(2, 2, 3)),
  'OneElementPerInterval': lambda: symmetry.OneElementPerInterval(
    ONE, symmetry.square_lattice(2), 0.1, seed=3
  ),
  'Hutchinson': lambda: ONE.with_laplacian(potentials.Hutchinson(seed=2)),
  'KerasModel': keras_model,
  'KerasModel of Keras 3': keras_3_model,
  'of ones own': lambda: Polynomial(4),
}
POINTS = tf.random.stateless_normal([5, 4], [1, 2])


def pickled(thing):
  return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize('name', POTENTIALS)
def test_potentials_pickle_and_copy(name):
  """Same values and derivatives, as many variables, and none of them shared."""
  original = POTENTIALS[name]()
  t = tf.constant(0.3)
  expected = (original(t, POINTS), *original.gradient_and_laplacian(t, POINTS))
  for twin in (pickled(original), copy.deepcopy(original)):
    found = (twin(t, POINTS), *twin.gradient_and_laplacian(t, POINTS))
    for value, wanted in zip(found, expected):
      np.testing.assert_array_equal(value, wanted)
    assert [v.shape for v in twin.variables] == [v.shape for v in original.variables]
    assert len(twin.trainable_variables) == len(original.trainable_variables)
    assert not {id(v) for v in twin.variables} & {id(v) for v in original.variables}


OPTIONS = {
  'recompute': {'gradient': gradients.Recompute(2)},
  'jitter': {'jitter': 0.5, 'seed': 3},
  'gauss4': {'integrator': 'gauss4', 'gradient': 'reversible'},
  'a tableau of ones own': {
    'integrator': integrators.Tableau('ralston', 2, ((), (2 / 3,)), (0.25, 0.75), (0.0, 2 / 3))
  },
  'batches': {'batch_size': 2, 'validate_args': True},
}


@pytest.mark.slow
@pytest.mark.parametrize('name', OPTIONS)
def test_case_16_bijectors_pickle_with_all_their_arguments(name):
  """A lambda in an activation could not be pickled. The first of them is compiled."""
  bijector = ma_keras.MongeAmpereBijector(ONE, 3, 0.2, **OPTIONS[name])
  flow = ma_keras.standard_normal_flow(bijector)
  with contextlib.nullcontext() if name == 'recompute' else eager.eagerly():
    expected = flow.log_prob(POINTS)  # Compiled functions and caches are no part of a pickle.
    for twin in (pickled(bijector), copy.deepcopy(bijector)):
      np.testing.assert_array_equal(ma_keras.standard_normal_flow(twin).log_prob(POINTS), expected)
      given = {**twin.parameters, 'potential': None}
      assert given == {**bijector.parameters, 'potential': None}


def flows():
  bijector = ma_keras.MongeAmpereBijector(ONE, 2, 0.2)
  mixture = bases.Mixture(np.ones(2), np.zeros((2, 4)), np.stack([np.eye(4)] * 2))
  standard = ma_keras.standard_normal_flow(bijector)
  normal = tfd.MultivariateNormalDiag(np.zeros(4, np.float32))
  return {
    'standard normal': standard,
    'of a mixture': ma_keras.distributions.flow_from(mixture, bijector),
    'of data': ma_keras.data_space_flow(bijector, data.Standardised([0.0] * 4, [2.0] * 4)),
    'independent base': tfd.TransformedDistribution(
      tfd.Independent(tfd.Normal(tf.zeros(4), 1.0), 1), bijector
    ),
    'inverted': tfd.TransformedDistribution(normal, tfb.Invert(bijector)),
    'a mixture of flows': tfd.Mixture(tfd.Categorical(probs=[0.5, 0.5]), [standard, normal]),
  }


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', flows())
def test_whole_flows_pickle_and_copy(name, tmp_path):
  flow = flows()[name]
  expected = flow.log_prob(POINTS)
  joblib.dump(flow, tmp_path / 'flow')
  for twin in (pickled(flow), copy.deepcopy(flow), joblib.load(tmp_path / 'flow')):
    np.testing.assert_array_equal(twin.log_prob(POINTS), expected)
    assert len(twin.trainable_variables) == len(flow.trainable_variables)
    assert not {id(v) for v in twin.variables} & {id(v) for v in flow.variables}


@pytest.mark.parametrize('fix', [tf.random.set_seed, tf_keras.utils.set_random_seed])
def test_global_seeds_make_fresh_weights_reproducible(fix):
  """`seed=None` is the next number of TensorFlow's global seed, and another one every time."""
  found = []
  for _ in range(2):
    fix(7)
    found.append([potentials.OneHiddenLayer(4, 3).kernel.numpy() for _ in range(2)])
  np.testing.assert_array_equal(found[0], found[1])
  assert np.all(found[0][0] != found[0][1])


def test_without_a_global_seed_weights_are_fresh():
  tf.random.set_seed(None)
  kernels = [potentials.OneHiddenLayer(4, 3).kernel.numpy() for _ in range(2)]
  assert np.all(kernels[0] != kernels[1])
