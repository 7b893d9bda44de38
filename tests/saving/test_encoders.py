"""A model file holds the encoder of a conditional density, and layers of its list alone."""

import base64
import json
import marshal

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials
from ma_keras.data.context_columns import ContextColumn
from ma_keras.layers.context_columns import ContextColumns
from ma_keras.saving import encoders, model_file

N, C, O = 2, 3, 4
CONTEXTS = (
  ContextColumn('age', None, 17.0, 90.0),
  *(ContextColumn(name, ('no', 'yes'), 0.0, 1.0) for name in 'abc'),
)


def dense(package):
  return [package.layers.Dense(C, 'tanh')]


def convolution(package):
  layers = package.layers
  parts = [layers.Reshape((2, 2, 1)), layers.Conv2D(3, 2, padding='same'), layers.Flatten()]
  return [*parts, layers.Dropout(0.5), layers.Dense(C)]


def normalisation(package):
  layer = package.layers.Normalization()
  layer.adapt(np.arange(12.0).reshape(3, 4))
  return [layer, package.layers.BatchNormalization(), package.layers.Dense(C)]


def sequential(package, layers):
  return package.Sequential([package.layers.Input((O,)), *layers])


def functional(package):
  rows = package.Input((O,))
  hidden = package.layers.Dense(O, 'gelu')(rows)
  return package.Model(rows, package.layers.Dense(C)(package.layers.Add()([rows, hidden])))


def own(package):
  kinds = ['real', 'heavy', 'category', 'real']
  columns = ContextColumns(kinds, centre=[1, 0, 0, 0], scale=[2, 3, 1, 1], sizes=[1, 1, 3, 1])
  return sequential(package, [columns, package.layers.Dense(C)])


def model(encoder, **options):
  potential = potentials.OneHiddenLayer(N, 5, context_size=C, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.3)
  return model_file.Model(bijector, encoder=encoder, **options)


def plain(package):
  return sequential(package, dense(package))


CASES = [
  (lambda package: sequential(package, convolution(package)), tf_keras),
  (lambda package: sequential(package, normalisation(package)), tf_keras),
  (lambda package: sequential(package, normalisation(package)), keras),
  (functional, tf_keras),
  (functional, keras),
  (own, tf_keras),
]
OBSERVED = np.array([[1, 2, 0, 1], [3, -1, 2, 0], [0, 5, 1, 2]], np.float32)
X = np.array([[0.1, 0.2], [1.0, -1.0], [0.0, 2.0]], np.float32)


@pytest.mark.slow
@pytest.mark.parametrize('make, package', CASES)
def test_contexts_come_back_to_the_bit(tmp_path, make, package):
  made = model(make(package), contexts=CONTEXTS)
  last = made.encoder.layers[-1]
  last.set_weights([weight + 0.25 for weight in last.get_weights()])  # No first values.
  model_file.save(tmp_path / 'model.npz', made)
  found = ma_keras.load(tmp_path / 'model.npz')
  assert found.contexts == CONTEXTS
  np.testing.assert_array_equal(found.encoder(OBSERVED), made.flow().encoder(OBSERVED))
  assert len(found.encoder.trainable_variables) == len(made.flow().encoder.trainable_variables)


@pytest.mark.slow
def test_log_densities_come_back_to_the_bit(tmp_path):
  made = model(plain(keras))
  model_file.save(tmp_path / 'model.npz', made)
  found = ma_keras.load(tmp_path / 'model.npz').flow()
  expected = made.flow().log_prob(X, context=OBSERVED)
  np.testing.assert_array_equal(found.log_prob(X, context=OBSERVED), expected)


def test_contexts_without_an_encoder_are_those_of_the_potential(tmp_path):
  model_file.save(tmp_path / 'model.npz', model(None, contexts=CONTEXTS[:C]))
  found = ma_keras.load(tmp_path / 'model.npz')
  assert found.flow().encoder is None and found.flow().context_size == C
  assert found.contexts == CONTEXTS[:C]
  with pytest.raises(ValueError, match='not 3 different columns'):
    model_file.save(tmp_path / 'model.npz', model(None, contexts=CONTEXTS))


def test_files_without_contexts_are_those_of_older_versions(tmp_path):
  bijector = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(N, 5), 2, 0.3)
  model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))
  described = json.loads(str(np.load(tmp_path / 'model.npz')['model']))
  assert described['format'] == 2 and not described.keys() & {'encoder', 'contexts'}
  with pytest.raises(ValueError, match='takes no context'):
    model_file.save(tmp_path / 'other.npz', model_file.Model(bijector, encoder=plain(keras)))
  assert not (tmp_path / 'other.npz').exists()


class Subclassed(tf_keras.Model):
  input_shape = (None, O)

  def call(self, rows, training=None):
    return rows[:, :C]


def lambda_layer():
  return sequential(tf_keras, [tf_keras.layers.Lambda(lambda rows: rows[:, :C])])


def with_own_activation():
  return sequential(tf_keras, [tf_keras.layers.Dense(C, lambda z: tf.sin(z))])


def tanh(z):
  return tf.sin(z)


def with_the_name_of_another():
  return sequential(tf_keras, [tf_keras.layers.Dense(C, tanh)])


def subclassed():
  encoder = Subclassed()
  encoder(tf.zeros([1, O]))
  return encoder


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda_layer, "asks for 'Lambda' of keras.layers"),
    (with_own_activation, '`activation` must be a function of Keras'),
    (with_the_name_of_another, 'is another when it is made again'),
    (subclassed, 'is a Subclassed: a model file holds Sequential'),
  ],
)
def test_what_runs_code_of_its_own_is_refused_before_there_is_a_file(tmp_path, make, message):
  with pytest.raises(NotImplementedError, match=message):
    model_file.save(tmp_path / 'model.npz', model(make()))
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'text, other, message',
  [
    ('"class_name": "Dense"', '"class_name": "Lambda"', "asks for 'Lambda'"),
    ('"module": "keras.layers", "class_name": "D', '"module": "os", "class_name": "D', 'of os'),
    ('"registered_name": null', '"registered_name": "mine>Layer"', 'asks for .mine>Layer'),
    ('"package": "', '"package": "not_', 'an encoder is described by'),
    ('"units": 3', '"units": 30000000000', 'its encoder has weights'),
    ('"encoder": {', '"encoder": null, "x": {', 'unknown'),
  ],
)
@pytest.mark.parametrize('package', [tf_keras, keras], ids=['tf_keras', 'Keras 3'])
def test_a_file_by_another_hand_runs_no_code_and_takes_no_memory(
  tmp_path, text, other, message, package
):
  path = tmp_path / 'model.npz'
  model_file.save(path, model(plain(package)))
  arrays = dict(np.load(path))
  written = str(arrays.pop('model'))
  assert text in written
  np.savez(path, model=written.replace(text, other), **arrays)
  with pytest.raises(ValueError, match=message):
    model_file.load(path)


def bytecode(path):
  """What Keras's Lambda takes for a function: it makes a file."""
  code = (lambda v, path: (open(path, 'w').close(), v)[1]).__code__
  return [base64.b64encode(marshal.dumps(code)).decode(), [str(path)], None]


ATTACKS = (
  *('registered as ours', 'ours in another module', 'no module', 'a layer as an initialiser'),
  *('within a layer', 'a function', 'no layer'),
)


def attack(name, package, path):
  """A layer, or a part of one, that runs code or reads and writes files."""
  layer = {'module': 'keras.layers', 'class_name': 'Dense', 'registered_name': None}
  config = {'name': 'l', 'function_type': 'lambda', 'function': bytecode(path)}
  own = {'class_name': 'Lambda', 'registered_name': 'ma_keras>ContextColumns', 'config': config}
  function = {
    'class_name': 'function',
    'module': f'{package}.src.regularizers',
    'config': 'tf.print',
  }
  return {
    'registered as ours': own,
    'ours in another module': {**own, 'module': 'keras.layers'},
    'no module': {'class_name': 'Dense', 'registered_name': None, 'config': {'units': C}},
    'a layer as an initialiser': {**own, 'registered_name': None, 'module': 'keras.initializers'},
    'within a layer': {**layer, 'config': {'units': C, 'kernel_initializer': own}},
    'a function': {**layer, 'config': {'units': C, 'kernel_regularizer': function}},
    'no layer': 'Dense',
  }[name]


@pytest.mark.parametrize('package', ['tf_keras', 'keras'])
@pytest.mark.parametrize('name', ATTACKS)
def test_layers_by_another_hand_run_no_code(name, package, tmp_path):
  """Layers, and parts of layers, by the names of others."""
  library = {'tf_keras': tf_keras, 'keras': keras}[package]
  described = encoders.describe(model(plain(library)).flow().encoder)
  described['config']['layers'][-1] = attack(name, package, tmp_path / 'ran')
  with pytest.raises(ValueError, match='it asks for'):
    encoders.make(described, [], C, tf.float32)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('package', [tf_keras, keras], ids=['tf_keras', 'Keras 3'])
def test_layers_without_weights_take_no_memory_either(package):
  """A row plus a column is a matrix."""
  size, layers = 1 << 14, package.layers
  inputs = package.Input((size,))
  sums = layers.Add()([layers.Reshape((size, 1))(inputs), layers.Reshape((1, size))(inputs)])
  made = package.Model(inputs, sums)
  described = {'package': package.__name__, 'model': 'Functional', 'config': made.get_config()}
  with pytest.raises(ValueError, match='layers of its encoder make 268,'):
    encoders.make(encoders._plain(described), [], C, tf.float32)


def test_codes_that_are_none_have_no_density():
  columns = ContextColumns(['heavy', 'category'], centre=[1, 0], scale=[2, 1], sizes=[1, 3])
  rows = tf.constant([[3.0, 2.0], [1.0, 3.0], [1.0, 0.5]])
  expected = [[np.arcsinh(1.0), 0, 0, 1], [0, *[np.nan] * 3], [0, *[np.nan] * 3]]
  np.testing.assert_allclose(columns(rows), expected, rtol=1e-6)
  assert columns.compute_output_shape((None, 2)) == [None, 4]
  with pytest.raises(ValueError, match="got 'odd'"):
    ContextColumns(['odd'], [0], [1], [1])


def test_weights_of_another_model_are_refused():
  described = encoders.describe(model(plain(keras)).flow().encoder)
  arrays = [np.zeros((O, C), np.float32), np.zeros(C)]
  with pytest.raises(ValueError, match='its encoder has weights'):
    encoders.make(described, arrays, C, tf.float32)
