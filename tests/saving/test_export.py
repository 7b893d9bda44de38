"""An exported flow runs on bare TensorFlow: a map, its inverse and its density, of any batch."""

import functools
import resource
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data, symmetry
from ma_keras.potentials import OneHiddenLayer
from ma_keras.saving import export
from tests.support import bijectors

N = 3
IMAGE = (1, 3, 1)
BATCHES = (0, 1, 7)
# Everything the tests need, written to one file per density and batch.
RUN_BARE = """
import pathlib, sys
import numpy as np
import tensorflow as tf

def numbers(call, z):
  to = call('forward')(z=z)
  x = to['x']
  back = call('inverse')(x=x)
  log_prob = lambda x: call('log_prob')(x=x)['log_prob']
  size = int(np.prod(x.shape[1:]))
  steps = [1e-5 * np.eye(size)[i].reshape(x.shape[1:]) for i in range(size)]
  slopes = [(log_prob(x + h) - log_prob(x - h)) / 2e-5 for h in steps]
  with tf.GradientTape() as tape:
    tape.watch(x)
    density = log_prob(x)
  drawn = call('sample')(seed=tf.constant([3, 4]), n=tf.constant(len(z)))
  return {
    'z': z, 'x': x, 'log_det': to['log_det'],
    'z_back': back['z'], 'log_det_back': back['log_det'],
    'log_prob': density, 'score': call('score')(x=x)['score'], 'tape': tape.gradient(density, x),
    'slopes': np.stack(slopes, -1).reshape(x.shape),
    'drawn': drawn['x'], 'drawn_log_prob': drawn['log_prob'],
    'drawn_again': log_prob(drawn['x']),
  }

# Functions that run a few times each are not worth their optimisation.
tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
module = tf.saved_model.load(sys.argv[1])
for suffix in ('', '_unconstrained'):
  for n in BATCHES:
    z = tf.constant(np.random.default_rng(n).normal(size=(n, 3)))
    calls = numbers(lambda name: getattr(module, name + suffix), z)
    np.savez(f'{sys.argv[1]}{suffix}_{n}.npz', **calls)
    if n and suffix:
      signatures, x = module.signatures, calls['x']
      drawn = signatures['sample' + suffix](seed=tf.constant([3, 4]), n=tf.constant(n))
      for name, value in {
        'x': signatures['forward' + suffix](z=z)['x'],
        'z_back': signatures['inverse' + suffix](x=x)['z'],
        'log_prob': signatures['log_prob' + suffix](x=x)['log_prob'],
        'score': signatures['score' + suffix](x=x)['score'],
        'drawn': drawn['x'],
      }.items():
        np.testing.assert_array_equal(value, calls[name])
assert not {'ma_keras', 'tensorflow_probability', 'tf_keras'} & set(sys.modules)
""".replace('BATCHES', str(BATCHES))


def bijector():
  """A backward pass by hand, and steps that are undone to 1e-5: many of them cost no tracing."""
  return bijectors.generic(num_steps=200, step_size=0.003, integrator='midpoint', gradient='store')


@functools.cache
def flows():
  """Name to the two densities that one SavedModel holds: of images, and of their latent space."""
  model = ma_keras.model_file.Model(bijector(), data.Pixels(dtype=tf.float64), IMAGE)
  return {'image': model.flow(), 'image_unconstrained': model.latent_flow()}


DENSITIES = ['image', 'image_unconstrained']


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
  """(density, batch) to what a process with TensorFlow alone computes, and the exports' folder."""
  folder = tmp_path_factory.mktemp('saved')
  export.save(flows()['image'], folder / 'image', flows()['image_unconstrained'])
  command = [sys.executable, '-c', RUN_BARE, str(folder / 'image')]
  done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
  assert done.returncode == 0, done.stderr[-3000:]
  numbers = {(name, n): np.load(folder / f'{name}_{n}.npz') for name in DENSITIES for n in BATCHES}
  return {**numbers, 'folder': folder / 'image'}


def event_shape(name):
  return IMAGE if name == 'image' else (N,)


@pytest.mark.slow
@pytest.mark.parametrize('n', BATCHES)
@pytest.mark.parametrize('name', DENSITIES)
def test_forward_and_inverse_are_inverse_and_their_log_dets_opposite(bare, name, n):
  found = bare[name, n]
  assert found['x'].shape == (n, *event_shape(name)) and found['log_det'].shape == (n,)
  np.testing.assert_allclose(found['z_back'], found['z'], rtol=0, atol=1e-5)
  np.testing.assert_allclose(found['log_det_back'], -found['log_det'], rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('n', BATCHES)
@pytest.mark.parametrize('name', DENSITIES)
def test_the_density_is_that_of_the_latents_times_the_jacobian(bare, name, n):
  found = bare[name, n]
  base = -0.5 * np.sum(found['z_back'] ** 2 + np.log(2 * np.pi), axis=-1)
  np.testing.assert_allclose(found['log_prob'], base + found['log_det_back'], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('n', BATCHES)
@pytest.mark.parametrize('name', DENSITIES)
def test_the_score_is_the_slope_of_the_density(bare, name, n):
  found = bare[name, n]
  assert found['score'].shape == (n, *event_shape(name))
  np.testing.assert_allclose(found['score'], found['tape'], rtol=1e-12)
  np.testing.assert_allclose(found['score'], found['slopes'], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('n', BATCHES)
@pytest.mark.parametrize('name', DENSITIES)
def test_samples_are_those_of_the_flow_with_their_density(bare, name, n):
  found = bare[name, n]
  expected = flows()[name].sample(n, seed=tf.constant([3, 4]))
  np.testing.assert_allclose(found['drawn'], expected, rtol=1e-12, atol=1e-12)
  np.testing.assert_allclose(found['drawn_log_prob'], found['drawn_again'], rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('n', BATCHES)
def test_the_two_spaces_differ_by_the_preprocessing(bare, n):
  """Equal latents are the same point: x = P(y), p(x) = p(y) / |det dP/dy|."""
  x, y = bare['image', n], bare['image_unconstrained', n]
  pixels = data.Pixels(dtype=tf.float64)
  np.testing.assert_allclose(x['x'].reshape(n, N), pixels.forward(y['x']), rtol=1e-12)
  log_det = pixels.forward_log_det_jacobian(tf.constant(y['x']), event_ndims=1)
  np.testing.assert_allclose(x['log_det'], y['log_det'] + log_det, rtol=0, atol=1e-9)
  np.testing.assert_allclose(x['log_prob'], y['log_prob'] - log_det, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_the_default_signature_is_the_density(bare):
  signatures = tf.saved_model.load(str(bare['folder'])).signatures
  names = {'forward', 'inverse', 'log_prob', 'sample', 'score'}
  unconstrained = {f'{name}_unconstrained' for name in names}
  assert set(signatures) == names | unconstrained | {'serving_default'}
  x = bare['image', 7]['x']
  found = signatures['serving_default'](x=tf.constant(x))['log_prob']
  np.testing.assert_allclose(found, bare['image', 7]['log_prob'], rtol=1e-12)


@pytest.mark.parametrize('name', ['log_prob', 'forward', 'inverse', 'sample'])
def test_one_solve_yields_value_and_log_det(name):
  """Counted in the graph: one loop, or the flow runs twice."""
  function = export.functions(ma_keras.standard_normal_flow(bijector()))[name]
  operations = function.get_concrete_function().graph.get_operations()
  assert sum(operation.type.endswith('While') for operation in operations) == 1


@pytest.mark.slow
def test_a_flow_of_random_elements_is_exported_with_those_it_has(tmp_path):
  potential = OneHiddenLayer(4, 8, seed=1)
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.2, seed=5)
  layer = ma_keras.MongeAmpereBijector(potential, 4, 0.2, 'midpoint', gradient='plain')
  flow = ma_keras.standard_normal_flow(layer)
  export.save(flow, tmp_path)
  loaded = tf.saved_model.load(str(tmp_path))
  drawn = loaded.sample(seed=tf.constant([3, 4]), n=tf.constant(7))
  expected = flow.sample(7, seed=tf.constant([3, 4]))
  np.testing.assert_allclose(drawn['x'], expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(drawn['log_prob'], flow.log_prob(drawn['x']), rtol=1e-4)


@pytest.mark.slow
def test_images_through_a_chain_are_exported(tmp_path):
  """Derivatives are those of the continuous flow, with the equations that the bijector has."""
  tfb, tfd = tfp.bijectors, tfp.distributions
  method = {'integrator': 'implicit_midpoint', 'gradient': 'adjoint', 'event_size': 6}
  layer = bijectors.generic(num_steps=4, step_size=0.1, **method)
  chain = tfb.Chain([tfb.Reshape([2, 3, 1], event_shape_in=[6]), layer])
  flow = tfd.TransformedDistribution(bijectors.standard_normal(6), chain)
  export.save(flow, tmp_path)
  loaded = tf.saved_model.load(str(tmp_path))
  drawn = loaded.sample(seed=tf.constant([3, 4]), n=tf.constant(5))
  assert drawn['x'].shape == (5, 2, 3, 1)
  with tf.GradientTape() as tape:
    tape.watch(drawn['x'])
    log_prob = flow.log_prob(drawn['x'])
  np.testing.assert_allclose(drawn['log_prob'], log_prob, rtol=1e-5)
  np.testing.assert_allclose(loaded.log_prob(drawn['x'])['log_prob'], drawn['log_prob'], rtol=1e-4)
  score = tape.gradient(log_prob, drawn['x'])
  np.testing.assert_allclose(loaded.score(drawn['x'])['score'], score, rtol=1e-8)


@pytest.mark.slow
def test_a_full_disk_leaves_the_export_before_and_nothing_beside(tmp_path):
  flow = tfp.distributions.MultivariateNormalDiag(tf.zeros(N, tf.float64))
  export.save(flow, tmp_path / 'x')
  before = (tmp_path / 'x' / 'saved_model.pb').read_bytes()
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
  try:
    with pytest.raises(OSError, match=f'no SavedModel could be written to {tmp_path}/x .*large'):
      export.save(flow, tmp_path / 'x')
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert [path.name for path in tmp_path.iterdir()] == ['x']
  assert (tmp_path / 'x' / 'saved_model.pb').read_bytes() == before


def mixtures():
  """Case 19: a mixture in two forms, and what else is one density of one tensor.

  Steps of Euler so short that they are undone to 1e-5.
  """
  tfb, tfd = tfp.bijectors, tfp.distributions
  layer = bijectors.generic(num_steps=3, step_size=0.0002, integrator='euler', gradient='plain')
  flow = ma_keras.standard_normal_flow(layer)
  wide = bijectors.generic(num_steps=4, integrator='euler', gradient='plain')
  means = tf.constant(np.eye(2, N), tf.float64)
  several = tfd.TransformedDistribution(tfd.MultivariateNormalDiag(means), layer)
  weights = tfd.Categorical(probs=tf.constant([0.3, 0.7], tf.float64))
  parts = tfb.Chain([tfb.Invert(tfb.Split([1, 2])), tfb.JointMap([tfb.Exp(), tfb.Softplus()])])
  halves = tfb.Chain([parts, tfb.Split([1, 2]), layer])
  return {
    'MixtureSameFamily': tfd.MixtureSameFamily(weights, several),
    'Mixture': tfd.Mixture(weights, [flow, ma_keras.standard_normal_flow(wide)]),
    'Independent': tfd.Independent(several, 1),
    'Sample': tfd.Sample(flow, 2),
    'no flow': tfd.MultivariateNormalDiag(tf.zeros(N, tf.float64)),
    'split, mapped and joined': tfd.TransformedDistribution(flow.distribution, halves),
    'blocks': tfd.TransformedDistribution(
      flow.distribution, tfb.Chain([tfb.Blockwise([tfb.Exp(), tfb.Softplus()], [1, 2]), layer])
    ),
  }


@pytest.mark.parametrize('name', list(mixtures()))
def test_case_19_one_bijector_has_a_map_as_well(name):
  flow = mixtures()[name]
  of_a_map = {'forward', 'inverse'} if hasattr(flow, 'bijector') else set()
  assert set(export.functions(flow)) == {'log_prob', 'score', 'sample'} | of_a_map


@pytest.mark.slow
@pytest.mark.parametrize('name', ['MixtureSameFamily', 'Mixture', 'split, mapped and joined'])
def test_case_19_whatever_is_one_density_is_exported(tmp_path, name):
  """Densities, scores and samples as of the distribution; the map where there is one."""
  flow = mixtures()[name]
  export.save(flow, tmp_path)
  loaded = tf.saved_model.load(str(tmp_path))
  drawn = loaded.sample(seed=tf.constant([3, 4]), n=tf.constant(5))
  x = drawn['x']
  with tf.GradientTape() as tape:
    tape.watch(x)
    expected = flow.log_prob(x)
  np.testing.assert_allclose(x, flow.sample(5, seed=tf.constant([3, 4])), rtol=1e-10)
  np.testing.assert_allclose(loaded.log_prob(x)['log_prob'], expected, rtol=1e-10)
  np.testing.assert_allclose(drawn['log_prob'], expected, rtol=0, atol=1e-4)
  np.testing.assert_allclose(loaded.score(x)['score'], tape.gradient(expected, x), rtol=1e-8)
  one_map = hasattr(flow, 'bijector')
  assert ('forward' in loaded.signatures) == one_map == ('inverse' in loaded.signatures)
  if one_map:
    back = loaded.forward(loaded.inverse(x)['z'])['x']
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_case_19_counts_have_no_score(tmp_path):
  flow = tfp.distributions.Poisson(3.0)
  export.save(flow, tmp_path, serving_files=True)
  loaded = tf.saved_model.load(str(tmp_path))
  assert not hasattr(loaded, 'forward')
  np.testing.assert_allclose(loaded.log_prob(tf.constant([1.0]))['log_prob'], flow.log_prob([1.0]))


REFUSED = {
  'a flow in parts': (
    lambda flow: tfp.bijectors.Split([1, 2])(flow),
    ValueError,
    'before it is split',
  ),
  'a batch': (
    lambda flow: tfp.distributions.TransformedDistribution(
      tfp.distributions.MultivariateNormalDiag(tf.zeros([2, N], tf.float64)), flow.bijector
    ),
    ValueError,
    'one by one.*Independent.*MixtureSameFamily',
  ),
  'a bijector': (lambda flow: flow.bijector, TypeError, r'standard_normal_flow\(bijector\)'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_case_19_anything_else_is_told_what_can_be_exported(tmp_path, name):
  make, error, remedy = REFUSED[name]
  with pytest.raises(error, match=remedy) as caught:
    export.save(make(ma_keras.standard_normal_flow(bijector())), tmp_path / 'x')
  assert '\n' not in str(caught.value) and not list(tmp_path.iterdir())
