"""Penalties: weights of tallies, their text, and what training and its logs make of them."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import distributions, training
from ma_keras.flow import tallies
from ma_keras.training.penalties import Penalties
from tests.potentials import cases


class Spread(tallies.Integral):
  """integral l^2 dt, a penalty of one's own."""

  name = 'spread'

  def rate(self, potential, t, x, velocity, laplacian):
    return tf.square(laplacian)


def bijector():
  return ma_keras.MongeAmpereBijector(cases.in_time(), 3, 0.2, 'heun')


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_loss_is_the_likelihood_and_every_penalty_by_its_weight():
  weights = {'stiffness': 2.0, tallies.KineticEnergy(): 0.5, Spread(): 3.0}
  model = training.MaximumLikelihood(bijector(), penalties=weights)
  model.compile('sgd')
  x = cases.points(6)
  log_prob, solution = distributions.solve(model.flow(0), x, True, list(weights))
  sums = {name: np.mean(value) for name, value in solution.tallies.items()}
  logs = model.train_on_batch(x, return_dict=True)
  assert {name: logs[name] for name in sums} == pytest.approx(sums, rel=1e-12)
  expected = 2.0 * sums['stiffness'] + 0.5 * sums['kinetic'] + 3.0 * sums['spread']
  assert logs['loss'] == pytest.approx(expected - np.mean(log_prob), rel=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_free_energies_have_them_too():
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'heun')
  weights = {'kinetic': 0.5, 'hamilton_jacobi': 1.0}
  model = training.VariationalFreeEnergy(flow, ma_keras.targets.Ising(2), 8, penalties=weights)
  model.compile('sgd')
  logs = model.fit(steps_per_epoch=1, verbose=0).history
  expected = 4 * logs['free_energy_per_site'][0] + 0.5 * logs['kinetic'][0]
  assert logs['loss'][0] == pytest.approx(expected + logs['hamilton_jacobi'][0], rel=1e-5)
  assert logs['kinetic'][0] > 0


def test_weights_of_zero_are_left_out():
  assert not Penalties({'stiffness': 0.0, Spread(): 0}) and not Penalties(None)


@pytest.mark.parametrize(
  'weights, message',
  [
    ({'stiffness': -1.0}, 'not negative, got -1.0 for'),
    ({'stiffness': np.nan}, 'not negative, got nan'),
    ({'stiffness': 'much'}, "not negative, got 'much'"),
    ({'heat': 1.0}, "must be one of .* got 'heat'"),
    ({'kinetic': 1.0, tallies.KineticEnergy(): 2.0}, "two of the name 'kinetic'"),
  ],
)
def test_what_is_no_penalty_is_refused(weights, message):
  with pytest.raises(ValueError, match=message):
    Penalties(weights)


def test_a_description_has_no_classes_of_ones_own():
  assert Penalties({'kinetic': 0.5}).description() == {'kinetic': 0.5}
  with pytest.raises(NotImplementedError, match=r"\['spread'\]"):
    Penalties({Spread(): 1.0}).description()
