"""The layers of the density app's potential, as flags say."""

import numpy as np
import pytest
from absl import flags

from ma_keras import data, potentials
from tests.integration import apps

IMAGES = np.random.default_rng(0).integers(0, 17, (30, 8, 8, 1))


def density_potential(*arguments):
  """The module, its flags parsed; one process imports it once."""
  import ma_keras.training.flags  # noqa: F401
  from ma_keras.apps import density_potential as module

  flags.FLAGS(['density', '--num_steps=4', '--step_size=0.5', '--hidden_units=70', *arguments])
  return module


def check_layers():
  points = data.split('images', IMAGES, levels=17)
  module = density_potential()
  dense = module.build(points)
  assert isinstance(dense, potentials.OneHiddenLayer)
  assert (dense.event_size, dense.hidden_units, dense.time_basis) == (64, 70, None)
  flags.FLAGS(['density', '--basis_size=2', '--separable_units=3', '--local=4,2,5+8,8,6'])
  dense, separable, *local = module.build(points).terms
  assert dense.time_basis.size == 2 and dense.time_basis.time == pytest.approx(2.0)
  assert isinstance(separable, potentials.Separable)
  assert all(isinstance(term, potentials.LocallyConnected) for term in local)
  shapes = [term.kernel.shape.num_elements() for term in local]
  assert shapes == [9 * 5 * 16, 1 * 6 * 64]  # Places, units, patch.
  assert not np.array_equal(local[0].kernel[0, :, :16], local[1].kernel[0, :5, :16])
  flags.FLAGS(['density', '--hidden_units=0', '--basis_size=1', '--separable_units=0'])
  assert isinstance(module.build(points).terms[0], potentials.LocallyConnected)


def check_start():
  points = data.split('images', IMAGES, levels=17)
  random = density_potential().build(points)
  flags.FLAGS(['density', '--dense_start=per_pixel'])
  kernel = density_potential().build(points).kernel.numpy()
  one_pixel = [np.count_nonzero(row) == 1 for row in (kernel if len(kernel) == 70 else kernel.T)]
  assert np.sum(one_pixel) == 64
  assert np.count_nonzero(random.kernel) > 64 * 60


def check_errors():
  module = density_potential('--hidden_units=0')
  images = data.split('images', IMAGES, levels=17)
  vectors = data.split('vectors', np.random.default_rng(0).normal(size=(30, 3)))
  with pytest.raises(ValueError, match='potential is empty'):
    module.build(images)
  for layer in ('8,4', '8,4,x', '8,4,2,1'):
    flags.FLAGS.local = layer
    with pytest.raises(ValueError, match='must be patch,stride,units, got'):
      module.build(images)
  flags.FLAGS.local = '4,2,5'
  with pytest.raises(ValueError, match=r'needs images, got points of shape \(3,\)'):
    module.build(vectors)


def check_bounds():
  density_potential('--separable_steepness=1e-6', '--separable_spread=0', '--basis_size=1')
  for flag in (
    *('hidden_units=-1', 'separable_units=-1', 'separable_spread=-0.1', 'separable_steepness=0'),
    *('basis_size=0', 'dense_start=zero'),
  ):
    with pytest.raises(flags.IllegalFlagValueError):
      flags.FLAGS(['density', f'--{flag}'])


@pytest.mark.parametrize('check', [check_layers, check_start, check_errors, check_bounds])
def test_the_potential_is_what_flags_say(check):
  apps.passes(check)
