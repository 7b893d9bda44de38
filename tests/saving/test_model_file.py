"""A model file gives back the model, and nothing but a model."""

import dataclasses
import io
import json
import os
import resource
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import bases, data, integrators, potentials, seeds, symmetry
from ma_keras.flow import gradients
from ma_keras.saving import model_file
from tests.potentials import cases

tfb, tfd = tfp.bijectors, tfp.distributions

BASIS = potentials.TimeBasis(0.6, 2)
POTENTIALS = {
  'dense': lambda: potentials.OneHiddenLayer(4, 3),
  'log_cosh': lambda: potentials.OneHiddenLayer(4, 3, 'log_cosh', use_bias=False),
  'sum': lambda: potentials.Sum(
    [
      potentials.OneHiddenLayer(4, 3, time_basis=BASIS),
      potentials.Separable(4, 2, time_basis=BASIS),
      potentials.LocallyConnected((2, 2, 1), 1, 1, 2, shared=True),
      potentials.LocallyConnected((2, 2, 1), 2, 1, 2, time_basis=BASIS),
      potentials.DeepLocallyConnected((2, 2, 1), 1, 1, 2, 3, 2, time_basis=BASIS),
    ]
  ),
  'hyper-network': lambda: potentials.Separable(
    4, 2, time_basis=potentials.HyperNetwork(0.6, 3, width=4)
  ),
  'mlp': lambda: potentials.MLP(4, (3, 2), 'tanh', time_dependent=True),
  'quadratic': lambda: potentials.Quadratic(np.eye(4)),
  'projected': lambda: potentials.Projected(potentials.OneHiddenLayer(2, 3), np.eye(4, 2)),
  'lattice': lambda: potentials.Sum(
    [potentials.Lattice(2, 3, BASIS), potentials.SpectralQuadratic(2, BASIS)]
  ),
  'local lattices': lambda: potentials.Sum(
    [
      *(potentials.Lattice(2, 3, BASIS, reach=0), potentials.DeepLattice(2, 3, 2, reach=0)),
      potentials.SpectralQuadratic(2, reach=0),
    ]
  ),
  'moving lattices': lambda: potentials.Sum(
    [
      potentials.Lattice(2, 3, BASIS, layer_basis=BASIS),
      potentials.DeepLattice(2, 3, 2, layer_basis=BASIS),
      potentials.SpinLattice(2, 3, BASIS, reach=0, layer_basis=BASIS),
    ]
  ),
  'magnetisation': lambda: potentials.Magnetisation(4, 3, 0.7, BASIS),
  'average': lambda: symmetry.GroupAverage(
    potentials.OneHiddenLayer(4, 3), symmetry.inversion(4) * symmetry.dihedral(2)
  ),
  'rotations': lambda: symmetry.GroupAverage(
    symmetry.GroupAverage(
      potentials.OneHiddenLayer(4, 3), symmetry.RotationQuadrature(2, 2, 3, reflecting=False)
    ),
    symmetry.particle_permutations(2, 2),
  ),
  'one element': lambda: symmetry.OneElementPerInterval(
    symmetry.OneElementPerInterval(
      potentials.OneHiddenLayer(4, 3), symmetry.dihedral(2), 0.2, seed=3
    ),
    symmetry.translations(2),
    0.2,
    seed=5,
  ),
  'particles in turn': lambda: symmetry.OneElementPerInterval(
    potentials.OneHiddenLayer(4, 3), symmetry.ParticleSymmetries(2, 2), 0.2, seed=3
  ),
}
X = np.random.default_rng(0).uniform(1, 255, (5, 2, 2, 1)).astype(np.float32)


def model(name='dense', preprocessing=None, event_shape=None):
  potential = cases.generic(POTENTIALS[name]())
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.2, 'three_eighths')
  return model_file.Model(bijector, preprocessing, event_shape, {'made by': 'a test'})


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', POTENTIALS)
def test_it_comes_back_to_the_bit(tmp_path, name):
  made = model(name)
  model_file.save(tmp_path / 'model.npz', made)
  found = model_file.load(tmp_path / 'model.npz')
  assert found.notes == {'made by': 'a test'}
  assert found.bijector.horizon == made.bijector.horizon
  assert found.bijector.integrator.name == 'three_eighths'
  y = cases.points(6)
  y = tf.cast(y, tf.float32)
  np.testing.assert_array_equal(found.flow().log_prob(y), made.flow().log_prob(y))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize(
  'preprocessing',
  [data.Pixels(), data.Pixels(300, 0.01), data.Standardised(np.ones(4, 'f'), 2 * np.ones(4, 'f'))],
)
def test_preprocessing_and_image_shape_come_back(tmp_path, preprocessing):
  made = model(preprocessing=preprocessing, event_shape=(2, 2, 1))
  model_file.save(tmp_path / 'model.npz', made)
  found = ma_keras.load(tmp_path / 'model.npz')
  assert found.flow().sample(2, seed=1).shape == (2, 2, 2, 1)
  np.testing.assert_array_equal(found.flow().log_prob(X), made.flow().log_prob(X))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_mixture_as_base_and_names_of_columns_come_back(tmp_path):
  rng = np.random.default_rng(1)
  scale = np.tril(rng.normal(size=(3, 4, 4)), -1) + np.eye(4)
  base = bases.Mixture(np.array([0.2, 0.3, 0.5]), rng.normal(size=(3, 4)), scale)
  bijector = model().bijector
  made = model_file.Model(bijector, base=base, columns=('a', 'b', 'c', 'd'))
  model_file.save(tmp_path / 'model.npz', made)
  found = ma_keras.load(tmp_path / 'model.npz')
  assert found.columns == ('a', 'b', 'c', 'd')
  y = tf.cast(cases.points(6), tf.float32)
  log_prob = made.flow().log_prob(y)
  np.testing.assert_array_equal(found.flow().log_prob(y), log_prob)
  assert np.abs(log_prob - model_file.Model(bijector).flow().log_prob(y)).max() > 0.1


@pytest.mark.parametrize(
  'change',
  [
    lambda d: d['base']['arguments'].update(means={'array': 7}),
    lambda d: d['base']['arguments'].update(means={'array': 0}),
    lambda d: d['base']['arguments'].update(means={'array': 'x'}),
    lambda d: d.update(base=None),
    lambda d: d.update(base=d['potential']),
    lambda d: d.update(columns=['a', 'a', 'b', 'c']),
    lambda d: d.update(columns=['a']),
    lambda d: d.update(columns=[1, 2, 3, 4]),
  ],
)
def test_a_base_or_columns_that_do_not_fit_are_refused(tmp_path, change):
  base = bases.Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[np.newaxis])
  model_file.save(tmp_path / 'model.npz', model_file.Model(model().bijector, base=base))
  changed(tmp_path / 'model.npz', change)
  with pytest.raises(ValueError, match='damaged, or was written by hand'):
    model_file.load(tmp_path / 'model.npz')


@pytest.mark.parametrize(
  'options, message',
  [
    ({'event_shape': (3, 3)}, r'`event_shape` \[3, 3\] has not the 4 numbers'),
    ({'columns': ('a',)}, 'its `columns` are not 4 different names'),
    ({'notes': {'time': object()}}, '`notes` must hold plain values'),
  ],
)
def test_nothing_is_written_that_could_not_be_read(tmp_path, options, message):
  with pytest.raises(ValueError, match=message):
    model_file.save(tmp_path / 'model.npz', model_file.Model(model().bijector, **options))
  assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_among_the_notes_are_plain_ones(tmp_path):
  notes = {'nll': np.float32(1.5), 'steps': np.int64(3), 'means': np.arange(2.0)}
  model_file.save(tmp_path / 'model.npz', model_file.Model(model().bijector, notes=notes))
  loaded = model_file.load(tmp_path / 'model.npz').notes
  assert loaded == {'nll': 1.5, 'steps': 3, 'means': [0.0, 1.0]}


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_draws_named_by_a_tensor_come_back(tmp_path):
  made = model('one element')
  made = model_file.Model(made.bijector.with_seed(tf.constant([7, 11])))
  model_file.save(tmp_path / 'model.npz', made)
  y = tf.cast(cases.points(6), tf.float32)
  found = model_file.load(tmp_path / 'model.npz').flow().log_prob(y)
  np.testing.assert_array_equal(found, made.flow().log_prob(y))
  per_sample = seeds.PerSample(1, tf.range(2), 2)
  with pytest.raises(NotImplementedError, match='every sample'):
    model_file.save(tmp_path / 'other.npz', model_file.Model(made.bijector.with_seed(per_sample)))


def test_a_part_that_stands_twice_is_refused_before_it_is_lost(tmp_path):
  """One learned basis in two places has the variables of one; the file would be read as of two."""

  def saved(potential):
    bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.3)
    model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))

  learned = potentials.HyperNetwork(0.6, 3)
  twice = potentials.Lattice(2, 2, learned, layer_basis=learned)
  once = potentials.OneHiddenLayer(4, 3)
  for potential, name in ((twice, 'HyperNetwork'), (once + once, 'OneHiddenLayer')):
    with pytest.raises(ValueError, match=f'a {name} stands in two places'):
      saved(potential)
  assert not list(tmp_path.iterdir())
  constant = potentials.Lattice(2, 2, BASIS, layer_basis=BASIS)  # No variables: nothing to lose.
  saved(constant)


def test_a_potential_of_ones_own_is_refused(tmp_path):
  bijector = ma_keras.MongeAmpereBijector(cases.Wave(4), 3, 0.2)
  with pytest.raises(NotImplementedError, match='Wave cannot be written'):
    model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))

  class Mine(potentials.OneHiddenLayer):
    pass

  bijector = ma_keras.MongeAmpereBijector(Mine(4, 2), 3, 0.2)
  with pytest.raises(NotImplementedError, match='Mine cannot be written'):
    model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))
  assert os.listdir(tmp_path) == []


def test_what_a_file_cannot_hold_is_refused_by_name(tmp_path):
  """Nothing is left out: neither a Laplacian, nor a method, nor a base."""
  potential = potentials.OneHiddenLayer(4, 2)
  laplacian = potential.with_laplacian(potentials.autodiff.gradient_and_laplacian)
  euler = integrators.TABLEAUS['euler']
  own = dataclasses.replace(integrators.TABLEAUS['heun'], name='rk4')
  normal = tfd.MultivariateNormalDiag(np.zeros(4, 'f'), 2 * np.ones(4, 'f'))
  tilted = tfb.ScaleMatvecTriL(np.eye(4, dtype='f'), adjoint=True)
  flow = ma_keras.MongeAmpereBijector
  refused = {
    'gradient_and_laplacian cannot': model_file.Model(flow(laplacian, 2, 0.2)),
    "'rk4' is a tableau of your own": model_file.Model(flow(potential, 2, 0.2, own)),
    r"`gradient` Recompute.*gradient='recompute'": model_file.Model(
      flow(potential, 2, 0.2, euler, gradients.Recompute(7))
    ),
    'MultivariateNormalDiag cannot.*None for a base': model_file.Model(
      flow(potential, 2, 0.2), base=normal
    ),
    "has 'adjoint'": model_file.Model(flow(potential, 2, 0.2), tilted),
  }
  for message, model in refused.items():
    with pytest.raises(NotImplementedError, match=message):
      model_file.save(tmp_path / 'model.npz', model)
  assert os.listdir(tmp_path) == []


def test_files_without_options_are_read_and_wrong_ones_refused(tmp_path):
  path = tmp_path / 'model.npz'
  made = model()
  model_file.save(path, made)
  changed(path, lambda d: d.pop('options'))
  assert model_file.load(path).bijector.horizon == made.bijector.horizon
  for wrong in ({'jitter': 2.0}, {'seed': [0.5, 1]}, {'batch_size': True}, {'wind': 1}):
    changed(path, lambda d, wrong=wrong: d.update(options=wrong))
    with pytest.raises(ValueError, match='damaged, or was written by hand'):
      model_file.load(path)


def changed(path, change):
  """The file with its description changed."""
  with np.load(path) as file:
    arrays = {key: file[key] for key in file.files}
  described = json.loads(str(arrays.pop('model')))
  change(described)
  np.savez(path, model=json.dumps(described), **arrays)


def members(path):
  """Name to bytes."""
  with zipfile.ZipFile(path) as file:
    return [(name, file.read(name)) for name in file.namelist()]


def npy(array, **options):
  stream = io.BytesIO()
  np.save(stream, array, **options)
  return stream.getvalue()


def claiming(shape):
  """A .npy of four numbers that says it has that shape."""
  stream = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    stream, {'descr': '<f4', 'fortran_order': False, 'shape': shape}
  )
  return stream.getvalue() + bytes(16)


def rewritten(path, change):
  """The file with a change to the list of its members."""
  content = members(path)
  change(content)
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
    for name, data_of_it in content:
      file.writestr(name, data_of_it)


def replaced(name, data_of_it):
  return lambda content: (
    content.append((name, data_of_it))
    or content.remove(next(pair for pair in content if pair[0] == name))
  )


def in_potential(**arguments):
  return lambda d: d['potential']['arguments'].update(arguments)


def described_as(name, **arguments):
  return lambda d: d.update(potential={'class': name, 'arguments': arguments})


NAN, TORUS = float('nan'), {'channels': 2, 'time_basis': None, 'reach': 0}
WINDOWS = {'image_shape': [400, 400, 1], 'patch': 200, 'stride': 1, 'reach': 200}
BY_HAND = {
  'wide': in_potential(hidden_units=300_000_000),
  'wide and long': in_potential(hidden_units=300_000_000, event_size=300_000_000),
  'beyond int64': in_potential(hidden_units=10**30),
  'text for a number': in_potential(hidden_units='3'),
  'true for a number': in_potential(hidden_units=True),
  'negative': in_potential(hidden_units=-3),
  'NaN for a number': in_potential(hidden_units=NAN),
  'a list for a number': in_potential(hidden_units=[3] * 1000),
  'a class for a number': in_potential(hidden_units={'class': 'TimeBasis', 'arguments': {}}),
  'unknown argument': in_potential(colour='red'),
  'no argument': lambda d: d['potential'].update(arguments=None),
  'long basis': in_potential(
    time_basis={'class': 'TimeBasis', 'arguments': {'time': 1.0, 'size': 10**9}}
  ),
  'basis that is none': in_potential(time_basis=3),
  'large torus': described_as('Lattice', side=100_000, **TORUS),
  'torus of other size': described_as('Lattice', side=512, **TORUS),
  'spectral torus': described_as('SpectralQuadratic', side=500, time_basis=None),
  'many layers': described_as('MLP', event_size=4, hidden_units=[1] * 100_000, activation='tanh'),
  'many terms': lambda d: d.update(
    potential={'class': 'Sum', 'arguments': {'terms': [d['potential']] * 10_000}}
  ),
  'a sum of itself': described_as('Sum', terms=[]),
  'large picture': described_as(
    'LocallyConnected', image_shape=[10**5, 10**5, 3], patch=8, stride=4, units=10**6
  ),
  'large windows': described_as('DeepLocallyConnected', **WINDOWS, units=8, second_units=10**9),
  'wide windows': described_as('DeepLocallyConnected', **WINDOWS, units=10**5, second_units=1),
  'ragged matrix': described_as('Quadratic', matrix=[[1.0], [2.0, 3.0]]),
  'preprocessing that is none': lambda d: d.update(preprocessing=d['potential']),
  'mean of other size': lambda d: d.update(preprocessing=STANDARDISED),
  'hidden in the mean': lambda d: d.update(
    preprocessing={
      'class': 'Standardised',
      'arguments': {'mean': d['potential'], 'deviation': d['potential']},
    }
  ),
  'event of other size': lambda d: d.update(event_shape=[3, 2]),
  'event of fractions': lambda d: d.update(event_shape=[2.0, 2]),
  'endless': lambda d: d.update(num_steps=10**9),
  'no step': lambda d: d.update(num_steps=0),
  'steps in words': lambda d: d.update(num_steps='3'),
  'true steps': lambda d: d.update(num_steps=True),
  'steps of NaN': lambda d: d.update(step_size=NAN),
  'steps back': lambda d: d.update(step_size=-0.2),
  'integrator': lambda d: d.update(integrator='rk5'),
  'texts': lambda d: d.update(dtype='string'),
  'other precision': lambda d: d.update(dtype='float64'),
  'no notes': lambda d: d.update(notes=[1]),
  'of a newer version': lambda d: d.update(colour='red'),
  'a key too few': lambda d: d.pop('dtype'),
  'format true': lambda d: d.update(format=True),
}
STANDARDISED = {'class': 'Standardised', 'arguments': {'mean': [1.0], 'deviation': [1.0]}}
ZEROS = np.zeros((4, 3), np.float32)
REWRITTEN = {
  'NaN': replaced('variable_0.npy', npy(ZEROS * NAN)),
  'infinity': replaced('variable_0.npy', npy(ZEROS + np.inf)),
  'doubles': replaced('variable_0.npy', npy(ZEROS.astype(float))),
  'other byte order': replaced('variable_0.npy', npy(ZEROS.astype('>f4'))),
  'other shape': replaced('variable_0.npy', npy(ZEROS.T)),
  'objects': replaced('variable_0.npy', npy(np.array([[{}] * 3] * 4), allow_pickle=True)),
  'claims of terabytes': replaced('variable_0.npy', claiming((10**6, 10**6))),
  'claims of negative': replaced('variable_0.npy', claiming((-4,))),
  'no header': replaced('variable_0.npy', b'no header'),
  'longer than its header': replaced('variable_0.npy', npy(ZEROS) + b'x'),
  'a bomb': replaced('variable_0.npy', npy(np.zeros((5000, 5000), np.float32))),
  'a bomb in words': replaced('model.npy', npy(np.array('[' * 20_000_000))),
  'many lists': replaced('model.npy', npy(np.array(f'[{"[]," * 600_000}1]'))),
  'deep': replaced('model.npy', npy(np.array('[' * 20_000 + ']' * 20_000))),
  'numbers for words': replaced('model.npy', npy(ZEROS)),
  'missing': lambda content: content.pop(),
  'unknown': lambda content: content.append(('more.npy', npy(ZEROS))),
  'code': lambda content: content.append(('../../evil.py', b'import os')),
}


def assert_refused_at_once(path):
  """In a second, in 200 MB more than the process had at any time."""
  before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
  with pytest.raises(ValueError) as refusal:
    model_file.load(path)
  assert time.process_time() - start < 1.0
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
  message = str(refusal.value)
  assert str(path) in message and '\n' not in message and len(message) < 1000


@pytest.fixture
def written(tmp_path):
  model_file.save(tmp_path / 'model.npz', model())
  return tmp_path / 'model.npz'


@pytest.mark.parametrize('name', BY_HAND)
def test_a_description_by_hand_is_refused_at_once(written, name):
  changed(written, BY_HAND[name])
  assert_refused_at_once(written)


@pytest.mark.parametrize('name', REWRITTEN)
def test_arrays_by_hand_are_refused_at_once(written, name):
  rewritten(written, REWRITTEN[name])
  assert_refused_at_once(written)


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_name_that_stands_twice_is_refused(written):
  rewritten(written, lambda content: content.append(content[-1]))
  assert_refused_at_once(written)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / 'model.npz')
  assert_refused_at_once(tmp_path / 'model.npz')


@pytest.mark.slow
def test_large_models_are_stored_as_they_are_and_come_back(tmp_path):
  """Zeros, which would compress a thousand times, as no weights do."""
  potential = potentials.OneHiddenLayer(400, 25_000)
  for variable in potential.variables:
    variable.assign(tf.zeros_like(variable))
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.2)
  model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))
  found = model_file.load(tmp_path / 'model.npz').bijector.potential
  assert found.kernel.shape == (400, 25_000)
