"""The layers of the density app's potential, as options say."""

import dataclasses

import numpy as np
import pytest
from absl import flags

from ma_keras import data, potentials
from ma_keras.apps import density_potential
from ma_keras.apps.configuration import DensityConfig
from tests.support.configurations import parsed

IMAGES = np.random.default_rng(0).integers(0, 17, (30, 8, 8, 1))


def built(points=None, **options):
  sizes = {'num_steps': 4, 'step_size': 0.5, 'hidden_units': 70}
  points = points or data.split('images', IMAGES, levels=17)
  return density_potential.build(points, DensityConfig(**{**sizes, **options}))


def test_the_layers_are_those_that_are_asked_for():
  dense = built()
  assert isinstance(dense, potentials.OneHiddenLayer)
  assert (dense.event_size, dense.hidden_units, dense.time_basis) == (64, 70, None)
  dense, separable, *local = built(basis_size=2, separable_units=3, local='4,2,5+8,8,6').terms
  assert dense.time_basis.size == 2 and dense.time_basis.time == pytest.approx(2.0)
  assert isinstance(separable, potentials.Separable)
  assert all(isinstance(term, potentials.LocallyConnected) for term in local)
  shapes = [term.kernel.shape.num_elements() for term in local]
  assert shapes == [9 * 5 * 16, 1 * 6 * 64]  # Places, units, patch.
  assert not np.array_equal(local[0].kernel[0, :, :16], local[1].kernel[0, :5, :16])
  one, _ = built(hidden_units=0, local='4,2,5+8,8,6').terms
  assert isinstance(one, potentials.LocallyConnected)
  two = built(hidden_units=0, local='4,2,5,3,2')
  assert isinstance(two, potentials.DeepLocallyConnected) and two.reach == 2
  assert (two.kernel.shape, two.second_kernel.shape) == ((9, 16, 5), (4, 20, 3))


def test_dense_units_begin_with_one_for_every_pixel_or_at_random():
  random = built()
  kernel = built(dense_start='per_pixel').kernel.numpy()
  one_pixel = [np.count_nonzero(row) == 1 for row in (kernel if len(kernel) == 70 else kernel.T)]
  assert np.sum(one_pixel) == 64
  assert np.count_nonzero(random.kernel) > 64 * 60


def test_every_segment_of_time_has_a_potential_of_its_own():
  points = data.split('images', IMAGES, levels=17)
  sizes = {'num_steps': 6, 'step_size': 0.5, 'hidden_units': 70, 'basis_size': 2}
  chain = density_potential.build_flow(points, DensityConfig(**sizes, segments=3))
  assert (chain.horizon.num_steps, chain.horizon.time) == (6, 3.0)
  first, second, third = (part.potential for part in chain.flows)
  assert first.time_basis.time == 1.0
  assert not np.array_equal(first.kernel, second.kernel)
  assert not np.array_equal(second.kernel, third.kernel)
  alone = density_potential.build_flow(points, DensityConfig(**sizes))
  np.testing.assert_array_equal(alone.potential.kernel, first.kernel)
  with pytest.raises(ValueError, match='`--segments` 4 must divide --num_steps, got 6'):
    density_potential.build_flow(points, DensityConfig(**sizes, segments=4))


def test_options_that_do_not_go_together_are_named():
  vectors = data.split('vectors', np.random.default_rng(0).normal(size=(30, 3)))
  with pytest.raises(ValueError, match='potential is empty'):
    built(hidden_units=0)
  for layer in ('8,4', '8,4,x', '8,4,2,1', '8,4,2,1,'):
    with pytest.raises(ValueError, match='must be patch,stride,units, got'):
      built(hidden_units=0, local=layer)
  with pytest.raises(ValueError, match=r'needs images, got points of shape \(3,\)'):
    built(vectors, hidden_units=0, local='4,2,5')


def test_flags_out_of_bounds_are_refused():
  parsed(DensityConfig, '--separable_steepness=1e-6', '--separable_spread=0', '--basis_size=1')
  for flag in (
    *('hidden_units=-1', 'separable_units=-1', 'separable_spread=-0.1', 'separable_steepness=0'),
    *('basis_size=0', 'dense_start=zero'),
  ):
    with pytest.raises(flags.IllegalFlagValueError):
      parsed(DensityConfig, f'--{flag}')


def test_contexts_act_in_a_further_step_next_to_the_latents_alone():
  rows = np.concatenate([np.arange(30)[:, None] % 3, IMAGES.reshape(30, 64)], axis=1)
  contexts = (data.context_columns.ContextColumn('label', ('a', 'b', 'c'), 0.0, 2.0),)
  points = data.split('images', rows, levels=17, event_shape=(8, 8, 1), contexts=contexts)
  sizes = {'num_steps': 6, 'step_size': 0.5, 'hidden_units': 70, 'context_columns': ('label',)}
  for segments in (1, 2):
    config = DensityConfig(**sizes, segments=segments, latent_units=5)
    chain = density_potential.build_flow(points, config)
    assert [part.horizon.num_steps for part in chain.flows] == [6 // segments] * segments + [1]
    assert [part.horizon.step_size for part in chain.flows] == [0.5] * (segments + 1)
    takes = [part.potential.needs_context for part in chain.flows]
    assert takes == [False] * segments + [True]
    dense, separable = chain.flows[-1].potential.terms
    assert dense.hidden_units == 5 and isinstance(separable, potentials.Separable)
  with pytest.raises(ValueError, match='`--latent_units` 5 are given the contexts'):
    DensityConfig(latent_units=5)
  with pytest.raises(ValueError, match=r'no --latent_units, got --tries=2, .* --latent_units=5'):
    DensityConfig(latent_units=5, tries=2, context_columns=('label',))


def test_principal_components_of_the_data_are_what_contexts_act_on(monkeypatch):
  noise, spread = np.random.default_rng(0), np.array([4.0, 1.0, 0.2, 2.0])
  turn = np.linalg.qr(noise.normal(size=(4, 4)))[0]
  vectors = noise.normal(size=(3000, 4)) * spread @ turn.T
  rows = np.concatenate([np.arange(3000)[:, None] % 3, vectors], axis=1)
  contexts = (data.context_columns.ContextColumn('kind', ('a', 'b', 'c'), 0.0, 2.0),)
  points = data.split('vectors', rows, event_shape=(4,), contexts=contexts)
  sizes = {'num_steps': 6, 'step_size': 0.5, 'hidden_units': 7, 'basis_size': 2}
  sizes |= {'context_columns': ('kind',), 'latent_units': 5}
  config = DensityConfig(**sizes, latent_components=2)
  as_they_are = data.Standardised(np.zeros(4), np.ones(4))
  monkeypatch.setattr(data, 'for_dataset', lambda points: as_they_are)
  chain = density_potential.build_flow(points, config)
  assert [part.horizon.num_steps for part in chain.flows] == [6, 6]
  projected = chain.flows[-1].potential
  assert isinstance(projected, potentials.Projected) and projected.potential.hidden_units == 5
  assert projected.potential.time_basis.time == 3.0 and projected.context_size == 32
  # The widest axes, of deviations 2 and 4; the next one is half as wide.
  overlaps = (turn[:, [3, 0]].T @ projected.directions) ** 2
  np.testing.assert_allclose(overlaps, np.eye(2), atol=0.02)

  with pytest.raises(ValueError, match='`--latent_components` 5 of points of 4 coordinates'):
    density_potential.principal_directions(points, 5)
  few = data.split('vectors', rows[:18], event_shape=(4,), contexts=contexts)
  few = dataclasses.replace(few, train=few.train[:3])
  with pytest.raises(ValueError, match='`--latent_components` 3 of 3 training points'):
    density_potential.principal_directions(few, 3)
  with pytest.raises(ValueError, match='`--latent_components` 2 are what --latent_units see'):
    DensityConfig(latent_components=2, context_columns=('kind',))


def test_principal_components_of_images_are_those_of_logits():
  left = np.zeros([8, 8])
  left[:, :4] = 1.0
  bright = np.random.default_rng(0).integers(0, 2, 200)
  images = (16 * bright[:, None, None] * left).reshape(200, 64)
  points = data.split('images', images, levels=17, event_shape=(8, 8, 1))
  direction = density_potential.principal_directions(points, 1)[:, 0]
  assert (direction @ left.ravel()) ** 2 / 32 > 0.99
