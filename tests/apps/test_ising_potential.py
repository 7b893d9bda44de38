"""The potential that flags name: its symmetry, its start, and what does not go together."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import potentials, symmetry, targets
from ma_keras.apps import ising_potential
from ma_keras.apps.configuration import IsingConfig
from tests.support.configurations import parsed

HORIZON = {'num_steps': 40, 'step_size': 0.05, 'side': 2, 'hidden_units': 8}


def built(model, **options):
  return ising_potential.build(model, IsingConfig(**{**HORIZON, **options}))


def slope_at_zero(phi):
  """dx(T)/dz at z = 0 of the flow in the steps of the flags, in float64."""
  bijector = ma_keras.MongeAmpereBijector(phi, 40, 0.05)
  z = tf.zeros([phi.event_size, phi.event_size], tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(z)
    x = tf.linalg.diag_part(bijector.forward(z))
  return tape.gradient(x, z).numpy()


@pytest.mark.slow
def test_near_zero_the_flow_begins_as_the_gaussian_factor_of_the_target():
  """Near zero the flow is the linear map S with S S' = C, the target's Gaussian factor."""
  target = targets.Ising(2, 0.3, dtype=tf.float64)
  lattice = built(target, symmetry='none', potential='lattice')
  for phi in (built(target, symmetry='none'), lattice.terms[-1]):
    slope = slope_at_zero(phi)
    np.testing.assert_allclose(slope @ slope.T, target.covariance, rtol=1e-5, atol=1e-6)
  random = built(target, symmetry='none', start='random', seed=4)
  assert np.abs(slope_at_zero(random) - slope).max() > 0.1


def test_the_symmetry_is_what_is_asked_for():
  target = targets.Ising(2, 0.3, dtype=tf.float64)
  layer = built(target, symmetry='none')
  assert isinstance(layer, potentials.OneHiddenLayer)
  assert (layer.hidden_units, layer.activation, layer.bias) == (8, 'log_cosh', None)
  average = built(target, symmetry='average')
  assert average.group.order == symmetry.square_lattice(2).order
  average = built(target, symmetry='average', boundary='open')
  assert average.group.order == symmetry.dihedral(2).order
  one = built(target, symmetry='one_element', boundary='open')
  assert not isinstance(one.potential, symmetry.OneElementPerInterval)
  one = built(target, symmetry='one_element')
  assert isinstance(one.potential, symmetry.OneElementPerInterval)
  assert built(target, activation='softplus', start='random', symmetry='none').bias is not None


def test_the_layers_of_a_lattice_are_those_that_are_asked_for():
  target = targets.Ising(4, 0.3, dtype=tf.float64)
  options = {'side': 4, 'potential': 'lattice', 'channels': 3}
  terms = built(target, **options, basis_size=1).terms
  assert [type(term) for term in terms] == [potentials.Lattice, potentials.SpectralQuadratic]
  assert terms[0].time_basis is None
  terms = built(target, **options, basis_size=2, second_layer=5).terms
  assert [type(term) for term in terms[:2]] == [potentials.Lattice, potentials.DeepLattice]
  assert terms[0].time_basis.size == 2 and terms[0].time_basis.time == pytest.approx(2.0)
  assert terms[0].layer_basis is None
  terms = built(target, **options, spin_channels=2, layer_basis_size=3).terms
  assert [type(term) for term in terms[:2]] == [potentials.Lattice, potentials.SpinLattice]
  assert [term.kernel.shape[:2] for term in terms[:2]] == [(3, 3), (3, 2)]
  assert terms[1].layer_basis.size == 3 and terms[1].layer_basis.time == pytest.approx(2.0)


def test_the_magnetisation_grows_as_the_flow_of_the_other_terms_makes_it(tmp_path):
  """By measurement in a new run, by the file in one that goes on, and the file's terms may rest."""
  target = targets.Ising(4, 0.4, dtype=tf.float64)
  options = {'side': 4, 'potential': 'lattice', 'channels': 2, 'basis_size': 2}
  options['magnetisation_units'] = 3
  first = built(target, **options)
  term, others = first.terms[1], potentials.Sum([first.terms[0], first.terms[2]])
  z = tf.random.stateless_normal([2000, 16], [3, 4], dtype=tf.float64)
  totals = tf.reduce_sum(ma_keras.MongeAmpereBijector(others, 40, 0.05).forward(z), axis=-1) / 4.0
  assert np.exp(2.0 * term.growth) == pytest.approx(np.std(totals), rel=0.3)
  assert not np.any(term.amplitude)
  term.growth.assign(0.123)
  term.kernel.assign_add(tf.ones_like(term.kernel))
  path = str(tmp_path / 'model.npz')
  bijector = ma_keras.MongeAmpereBijector(first, 40, 0.05)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector))
  again = built(target, **options, spin_channels=2, start_from=path, train='new_terms')
  assert again.terms[2].growth.numpy() == pytest.approx(0.123)
  np.testing.assert_allclose(again.terms[2].kernel, term.kernel)
  assert set(map(id, again.trainable_variables)) == set(map(id, again.terms[1].variables))
  assert len(again.variables) > len(again.trainable_variables) > 0
  single = built(targets.Ising(4, 0.4), **options, start_from=path, dtype='float32')
  np.testing.assert_allclose(single.terms[1].kernel, term.kernel)
  larger = built(targets.Ising(6, 0.4, dtype=tf.float64), **{**options, 'side': 6}, start_from=path)
  z = tf.random.stateless_normal([2000, 36], [3, 4], dtype=tf.float64)
  totals = tf.reduce_sum(ma_keras.MongeAmpereBijector(larger, 40, 0.05).forward(z), axis=-1) / 6.0
  assert np.exp(2.0 * larger.terms[1].growth) == pytest.approx(np.std(totals), rel=0.3)
  first.terms[2].kernel.assign(100.0 * tf.ones_like(first.terms[2].kernel))
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector))
  with pytest.raises(ValueError, match='does not end at finite fields'):
    built(targets.Ising(6, 0.4, dtype=tf.float64), **{**options, 'side': 6}, start_from=path)
  with pytest.raises(ValueError, match='which has all terms of these flags: ask for one more'):
    built(target, **options, start_from=path, train='new_terms')
  with pytest.raises(ValueError, match='`--train=new_terms` trains those that'):
    built(target, **options, train='new_terms')


def test_options_that_do_not_go_together_are_named():
  field, spins = targets.Phi4(2, -1.0, 1.0), targets.Ising(2)
  with pytest.raises(ValueError, match='--target=ising has not'):
    built(field, symmetry='average')
  for name, value, message in (
    ('start_from', 'model.npz', '`--start_from` needs --potential=lattice'),
    ('magnetisation_units', 3, '`--magnetisation_units` needs --potential=lattice'),
    ('target', 'couplings', '`--symmetry=average` is that of a square lattice'),
  ):
    with pytest.raises(ValueError, match=message):
      built(spins, symmetry='average', **{name: value})
  for name, value in (('boundary', 'open'), ('target', 'couplings')):
    with pytest.raises(ValueError, match='lives on a torus'):
      built(spins, potential='lattice', **{name: value})


def test_flags_out_of_bounds_are_refused():
  least = ('--kernel_reach=0', '--second_layer=0', '--channels=1', '--basis_size=1')
  parsed(IsingConfig, *least)
  for flag in (
    *('hidden_units=0', 'channels=0', 'kernel_reach=-1', 'basis_size=0', 'second_layer=-1'),
    *('activation=relu', 'symmetry=all', 'start=zero', 'spin_channels=-1', 'layer_basis_size=0'),
    *('magnetisation_units=-1',),
  ):
    with pytest.raises(flags.IllegalFlagValueError):
      parsed(IsingConfig, f'--{flag}')


def test_a_smaller_lattice_is_begun_with(tmp_path):
  """The flow is that of the run, whatever these flags add; a run of more than they is refused."""
  target = targets.Ising(2, dtype=tf.float64)
  options = {'potential': 'lattice', 'channels': 3, 'basis_size': 2}
  smaller = built(target, **options)
  smaller.terms[1].kernel.assign_add(0.3 * tf.ones_like(smaller.terms[1].kernel))
  bijector = ma_keras.MongeAmpereBijector(smaller, 40, 0.05)
  ma_keras.model_file.save(tmp_path / 'model.npz', ma_keras.model_file.Model(bijector))
  options['start_from'] = str(tmp_path / 'model.npz')
  same = built(target, **options)
  for one, two in zip(smaller.trainable_variables, same.trainable_variables, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)
  more = built(
    target, **options, second_layer=2, spin_channels=2, layer_basis_size=3, magnetisation_units=2
  )
  x, t = tf.random.stateless_normal([3, 4], [0, 1], dtype=tf.float64), tf.constant(0.7, tf.float64)
  assert [np.any(term.amplitude) for term in more.terms[:4]] == [True, False, False, False]
  for ours, theirs in zip(more.gradient_and_laplacian(t, x), smaller.gradient_and_laplacian(t, x)):
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
  ma_keras.model_file.save(
    tmp_path / 'model.npz',
    ma_keras.model_file.Model(ma_keras.MongeAmpereBijector(more, 40, 0.05)),
  )
  with pytest.raises(ValueError, match='ask for all that it has, --second_layer, --spin'):
    built(target, **options)
