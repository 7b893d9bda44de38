"""The potential that flags name: its symmetry, its start, and what does not go together."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import potentials, symmetry, targets
from tests.integration import apps

HORIZON = ['--num_steps=40', '--step_size=0.05', '--side=2', '--hidden_units=8']


def potential(*arguments):
  """The module, its flags parsed; one process imports it once."""
  import ma_keras.apps.ising_target
  import ma_keras.training.flags  # noqa: F401
  from ma_keras.apps import ising_potential as module

  flags.FLAGS(['ising', *HORIZON, *arguments])
  return module


def slope_at_zero(phi):
  """dx(T)/dz at z = 0 of the flow in the steps of the flags, in float64."""
  bijector = ma_keras.MongeAmpereBijector(phi, 40, 0.05)
  z = tf.zeros([phi.event_size, phi.event_size], tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(z)
    x = tf.linalg.diag_part(bijector.forward(z))
  return tape.gradient(x, z).numpy()


def check_gaussian_start():
  """Near zero the flow is the linear map S with S S' = C, the target's Gaussian factor."""
  target = targets.Ising(2, 0.3, dtype=tf.float64)
  module = potential('--symmetry=none')
  layer = module.build(target)
  flags.FLAGS.potential = 'lattice'
  for phi in (layer, module.build(target).terms[-1]):
    slope = slope_at_zero(phi)
    np.testing.assert_allclose(slope @ slope.T, target.covariance, rtol=1e-5, atol=1e-6)
  flags.FLAGS(['ising', *HORIZON, '--potential=hidden_layer', '--start=random', '--seed=4'])
  assert np.abs(slope_at_zero(module.build(target)) - slope).max() > 0.1


def check_symmetry():
  target = targets.Ising(2, 0.3, dtype=tf.float64)
  module = potential('--symmetry=none')
  layer = module.build(target)
  assert isinstance(layer, potentials.OneHiddenLayer)
  assert (layer.hidden_units, layer.activation, layer.bias) == (8, 'log_cosh', None)
  flags.FLAGS.symmetry = 'average'
  assert module.build(target).group.order == symmetry.square_lattice(2).order
  flags.FLAGS.boundary = 'open'
  assert module.build(target).group.order == symmetry.dihedral(2).order
  flags.FLAGS.symmetry = 'one_element'
  assert not isinstance(module.build(target).potential, symmetry.OneElementPerInterval)
  flags.FLAGS.boundary = 'periodic'
  assert isinstance(module.build(target).potential, symmetry.OneElementPerInterval)
  flags.FLAGS(['ising', *HORIZON, '--activation=softplus', '--start=random', '--symmetry=none'])
  assert module.build(target).bias is not None


def check_lattice():
  target = targets.Ising(4, 0.3, dtype=tf.float64)
  module = potential('--side=4', '--potential=lattice', '--channels=3', '--basis_size=1')
  terms = module.build(target).terms
  assert [type(term) for term in terms] == [potentials.Lattice, potentials.SpectralQuadratic]
  assert terms[0].time_basis is None
  flags.FLAGS.basis_size, flags.FLAGS.second_layer = 2, 5
  terms = module.build(target).terms
  assert [type(term) for term in terms[:2]] == [potentials.Lattice, potentials.DeepLattice]
  assert terms[0].time_basis.size == 2 and terms[0].time_basis.time == pytest.approx(2.0)


@pytest.mark.parametrize('check', [check_gaussian_start, check_symmetry, check_lattice])
def test_the_potential_is_what_flags_say(check):
  apps.passes(check)


def check_errors():
  module = potential('--symmetry=average')
  field, spins = targets.Phi4(2, -1.0, 1.0), targets.Ising(2)
  with pytest.raises(ValueError, match='--target=ising has not'):
    module.build(field)
  for name, value, message in (
    ('start_from', 'model.npz', '`--start_from` needs --potential=lattice'),
    ('target', 'couplings', '`--symmetry=average` is that of a square lattice'),
  ):
    default = flags.FLAGS[name].value
    flags.FLAGS[name].value = value
    with pytest.raises(ValueError, match=message):
      module.build(spins)
    flags.FLAGS[name].value = default
  for name, value in (('boundary', 'open'), ('target', 'couplings')):
    flags.FLAGS(['ising', *HORIZON, '--potential=lattice', '--boundary=periodic', '--target=ising'])
    flags.FLAGS[name].value = value
    with pytest.raises(ValueError, match='lives on a torus'):
      module.build(spins)


def check_bounds():
  potential('--kernel_reach=0', '--second_layer=0', '--channels=1', '--basis_size=1')
  for flag in (
    *('hidden_units=0', 'channels=0', 'kernel_reach=-1', 'basis_size=0', 'second_layer=-1'),
    *('activation=relu', 'symmetry=all', 'start=zero'),
  ):
    with pytest.raises(flags.IllegalFlagValueError):
      flags.FLAGS(['ising', f'--{flag}'])


def check_smaller_lattice(folder):
  """The quadratic part of a trained smaller torus is embedded; of other layers it is refused."""
  module = potential('--potential=lattice', '--channels=3', '--basis_size=2')
  smaller = module.build(targets.Ising(2, dtype=tf.float64))
  smaller.terms[1].kernel.assign_add(0.3 * tf.ones_like(smaller.terms[1].kernel))
  bijector = ma_keras.MongeAmpereBijector(smaller, 40, 0.05)
  ma_keras.model_file.save(folder / 'model.npz', ma_keras.model_file.Model(bijector))
  flags.FLAGS.start_from = str(folder / 'model.npz')
  same = module.build(targets.Ising(2, dtype=tf.float64))
  for one, two in zip(smaller.trainable_variables, same.trainable_variables, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)
  flags.FLAGS.second_layer = 2
  with pytest.raises(ValueError, match='with the same --second_layer'):
    module.build(targets.Ising(2, dtype=tf.float64))


@pytest.mark.parametrize('check', [check_errors, check_bounds])
def test_flags_that_do_not_go_together_are_named(check):
  apps.passes(check)


def test_a_smaller_lattice_is_begun_with(tmp_path):
  apps.passes(check_smaller_lattice, tmp_path)
