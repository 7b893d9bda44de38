"""One contract with Keras: what fit, evaluate and predict understand, what they refuse."""

import contextlib
import functools
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import ma_keras
from ma_keras import data, training
from tests.support import eager

tfb, tfd = tfp.bijectors, tfp.distributions
N = 3
X = np.random.default_rng(0).normal(size=(50, N)) * [1.0, 0.5, 2.0]
W = np.random.default_rng(1).integers(0, 4, 50).astype(np.float64)
NUMBERS = np.arange(50)


def model(optimizer='sgd', dtype=tf.float64, integrator='euler', penalties=None, **options):
  """Euler's method is traced in half the time of Runge and Kutta's."""
  potential = ma_keras.potentials.OneHiddenLayer(N, 4, dtype=dtype, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.3, integrator)
  made = training.MaximumLikelihood(bijector, penalties=penalties, **options)
  made.compile(optimizer)
  return made


@functools.lru_cache(maxsize=1)
def density(made):
  """One flow of the model, traced once: it reads the weights anew at every call."""
  return made.flow(0)


def log_prob(made, x=X):
  return density(made).log_prob(tf.constant(x, made.bijector.dtype)).numpy()


def weights(made):
  return np.concatenate([v.numpy().ravel() for v in made.trainable_variables])


class Batches(tf_keras.utils.Sequence):
  """Batches of ten rows, as tf_keras or Keras 3 reads them."""

  def __len__(self):
    return 5

  def __getitem__(self, k):
    return X[10 * k : 10 * k + 10]


class PyBatches(keras.utils.PyDataset):
  __len__, __getitem__ = Batches.__len__, Batches.__getitem__


def streams():
  """Every form of all rows in batches, of equal size or not."""
  whole = tf.data.Dataset.from_tensor_slices(X)
  return {
    'array': X,
    'float32': X.astype(np.float32).astype(np.float64),
    'big endian': X.astype('>f8'),
    'long double': X.astype(np.longdouble),
    'list of rows': X.tolist(),
    'tensor': tf.constant(X),
    'data frame': pd.DataFrame(X, columns=['a', 'b', 'c']),
    'any shape': X[:, np.newaxis],
    '(x,)': (X,),
    "{'image': x}": {'image': X},
    '(numbers, x)': (NUMBERS, X),
    'data set': whole.batch(7),
    'data set of (x,)': whole.map(lambda x: (x,)).batch(50),
    "data set of {'image': x}": whole.map(lambda x: {'image': x}).batch(49),
    'data set of (numbers, x)': tf.data.Dataset.from_tensor_slices((NUMBERS, X)).batch(30),
    'generator': (X[k : k + 10] for k in range(0, 50, 10)),
    'generator of dictionaries': ({'x': X[k : k + 25]} for k in (0, 25)),
    'Sequence': Batches(),
    'PyDataset': PyBatches(),
  }


# Forms of batches for which the steps would be traced anew.
WITHOUT_GRAPHS = (
  "data set of {'image': x}",
  'data set of (numbers, x)',
  'generator of dictionaries',
)


def graphs(form):
  """Within it steps are traced, or run as Python."""
  return eager.eagerly() if form in WITHOUT_GRAPHS else contextlib.nullcontext()


@pytest.fixture(scope='module')
def shared():
  return model()


@pytest.mark.slow
@pytest.mark.parametrize('form', streams())
def test_case_1_evaluate_is_the_mean_over_all_rows_and_predict_each_of_them(form, shared):
  """Case 1: row 1 of every batch was taken for the batch."""
  tolerance = 1e-6 if form == 'float32' else 1e-12
  expected = log_prob(shared)
  with graphs(form):
    mean = shared.evaluate(streams()[form], verbose=0)
    found = shared.predict(streams()[form], verbose=0)
  assert mean == pytest.approx(-np.mean(expected), rel=tolerance)
  np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('form', ['data frame', 'data set of (numbers, x)', 'Sequence'])
def test_fit_takes_what_evaluate_does(form, shared):
  before = weights(shared)
  history = shared.fit(streams()[form], verbose=0).history
  assert set(history) == {'loss', 'nll'}
  assert np.all(weights(shared) != before) and np.isfinite(history['loss'][0])


@pytest.mark.slow
def test_case_1_of_512_rows_the_mean_is_over_all_and_not_over_row_one_of_batches(shared):
  """A plain array, read in batches of 32; and a split, a dictionary, a pair with labels."""
  x = np.random.default_rng(2).normal(size=(512, N)) * [1.0, 0.5, 2.0]
  losses = -log_prob(shared, x)
  first = np.mean(losses.reshape(16, 32)[:, 1])
  assert abs(np.mean(losses) - first) > 0.05
  assert shared.evaluate(x, verbose=0) == pytest.approx(np.mean(losses), rel=1e-12)
  with pytest.raises(ValueError, match='A density has no labels `y`: leave it out'):
    shared.fit(x, NUMBERS, verbose=0)
  history = shared.fit({'image': x}, validation_split=0.25, verbose=0).history
  held_out = -np.mean(log_prob(shared, x[384:]))
  assert history['val_loss'] == [pytest.approx(held_out, rel=1e-12)]


def weighted():
  whole = tf.data.Dataset.from_tensor_slices((X, W))
  return {
    '(x, w)': ((X, W), {}),
    'sample_weight': (X, {'sample_weight': W}),
    'whole numbers': (X, {'sample_weight': W.astype(int)}),
    'column': (X, {'sample_weight': W[:, np.newaxis].tolist()}),
    '(x, None, w)': ((X, None, W), {}),
    "({'image': x}, w)": (({'image': X}, W), {}),
    "{'x', 'sample_weight'}": ({'x': X, 'sample_weight': W}, {}),
    'data set': (whole.batch(50), {}),
    '(numbers, x, w)': (tf.data.Dataset.from_tensors((NUMBERS, X, W)), {}),
  }


TWICE = np.repeat(X, W.astype(int), axis=0)


@pytest.mark.slow
@pytest.mark.parametrize('form', weighted())
@pytest.mark.usefixtures('eagerly')
def test_case_3_a_weight_of_two_is_a_row_that_stands_twice(form, shared):
  """Case 3."""
  x, options = weighted()[form]
  size = {'batch_size': 50} if isinstance(x, np.ndarray | tuple | dict) else {}
  mean = -np.mean(log_prob(shared, TWICE))
  assert shared.evaluate(x, verbose=0, **size, **options) == pytest.approx(mean, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('form', ['sample_weight', '(numbers, x, w)'])
@pytest.mark.usefixtures('eagerly')
def test_a_weight_of_two_pulls_as_a_row_that_stands_twice(form, shared):
  """One step of gradient descent on all rows at once."""
  x, options = weighted()[form]
  size = {'batch_size': 50} if options else {}
  start, found = shared.get_weights(), []
  for rows, keys in ((TWICE, {'batch_size': len(TWICE)}), (x, {**size, **options})):
    shared.set_weights(start)
    found.append((shared.fit(rows, verbose=0, **keys).history['loss'], weights(shared)))
  assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
  np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_weights_are_kept_in_small_batches_and_in_single_ones(shared):
  log_probs = log_prob(shared)
  mean = -np.sum(W * log_probs) / np.sum(W)
  assert shared.evaluate(X, sample_weight=W, batch_size=20, verbose=0) == pytest.approx(mean)
  assert shared.test_on_batch(X, sample_weight=W) == pytest.approx(mean)
  np.testing.assert_allclose(shared.predict_on_batch(X), log_probs, rtol=1e-12)
  assert shared.train_on_batch(X, sample_weight=W) == pytest.approx(mean)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_batches_of_any_size_are_means_over_their_rows():
  """The model's `batch_size` is how many rows of a table go into a step, and nothing else."""
  made = model(batch_size=7)
  mean = -np.mean(log_prob(made, X[:11]))
  assert made.train_on_batch(X[:11]) == pytest.approx(mean, rel=1e-12)
  steps = int(made.optimizer.iterations)
  made.fit(X, verbose=0)
  assert int(made.optimizer.iterations) == steps + 8


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_parts_of_a_batch_need_not_be_equal():
  one, other = model(), model()
  other.accumulate = 3
  for made in (one, other):
    made.train_on_batch(X[:10])
  np.testing.assert_allclose(weights(other), weights(one), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_loss_is_of_the_data_and_nll_of_the_flow():
  """ln p(x) = ln p(y) + ln|det dy/dx|, in closed form of a diagonal scale."""
  scale = tfb.Scale(np.array([2.0, 3.0, 5.0]))
  made = model(preprocessing=scale, integrator='rk4', penalties={'stiffness': 0.3})
  y = X / [2.0, 3.0, 5.0]
  logs = made.evaluate(X, return_dict=True, verbose=0)
  assert logs['nll'] == pytest.approx(-np.mean(log_prob(made, y)), rel=1e-12)
  assert logs['loss'] == pytest.approx(logs['nll'] + np.log(30.0), rel=1e-12)
  np.testing.assert_allclose(made.predict(X, verbose=0), log_prob(made, y) - np.log(30.0))
  logs = made.train_on_batch(X, return_dict=True)
  assert logs['stiffness'] > 0
  assert logs['loss'] == pytest.approx(logs['nll'] + np.log(30.0) + 0.3 * logs['stiffness'])


@pytest.mark.slow
@pytest.mark.parametrize('form', ['array', 'generator', 'data set', 'Sequence'])
@pytest.mark.usefixtures('eagerly')
def test_preprocessing_sees_float64(form):
  """Case 7, of arrays in memory: Unix seconds, a millisecond apart, into a flow of float32."""
  x = 1.7e9 + X * 1e-3
  made = model(
    dtype=tf.float32,
    preprocessing=tfb.Chain([tfb.Shift(np.float64(1.7e9)), tfb.Scale(np.float64(1e-3))]),
  )
  batches = [x[k : k + 25] for k in (0, 25)]

  class Parts(tf_keras.utils.Sequence):
    __len__, __getitem__ = (lambda self: 2), lambda self, k: batches[k]

  forms = {'array': x, 'generator': iter(batches), 'Sequence': Parts()}
  forms['data set'] = tf.data.Dataset.from_tensor_slices(x).batch(25)
  expected = log_prob(made) - N * np.log(1e-3)
  found = made.predict(forms[form], verbose=0)
  assert found.dtype == np.float64
  np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_whole_numbers_are_dequantised_always_the_same_way_by_evaluate():
  counts = np.random.default_rng(0).integers(0, 16, (40, N))
  made = model(preprocessing=data.Pixels(16, dtype=tf.float64))
  first = made.predict(counts, batch_size=40, verbose=0)
  np.testing.assert_array_equal(first, made.predict(counts, batch_size=40, verbose=0))
  assert made.evaluate(counts, batch_size=40, verbose=0) == pytest.approx(-np.mean(first))
  edges = made.predict(counts.astype(np.float64), verbose=0)
  assert np.mean(first) > np.mean(edges)  # A logit at the lower end of a cell is far out.
  bits = made.predict(counts > 7, batch_size=40, verbose=0)
  np.testing.assert_array_equal(bits, made.predict((counts > 7).astype(np.int8), 40, verbose=0))


class Cells(tfb.Shift):
  """A preprocessing whose second column comes in cells of 1/2."""

  cell_sizes = np.array([0.0, 0.5, 0.0])

  def __init__(self):
    super().__init__(np.zeros(N))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_cells_are_filled_in_training_alone():
  """x + c (u - 1/2): in real columns nothing, in the others within half a cell, anew every step."""
  made = model(preprocessing=Cells())
  np.testing.assert_array_equal(made.predict(X, verbose=0), log_prob(made))
  seen = []
  inverse = made.preprocessing.inverse
  made.preprocessing.inverse = lambda x: seen.append(x.numpy()) or inverse(x)
  for _ in range(2):
    made.train_on_batch(X)
  noise = np.array(seen) - X
  np.testing.assert_allclose(noise[:, :, [0, 2]], 0, atol=1e-12)
  cells = noise[:, :, 1]
  assert 0.2 < np.abs(cells).max() <= 0.25 and abs(np.mean(cells)) < 0.05
  assert len(np.unique(cells)) == 100


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_callbacks_find_loss_and_val_loss(tmp_path):
  path = str(tmp_path / 'best.weights.h5')
  stop = tf_keras.callbacks.EarlyStopping(patience=1, min_delta=1e9)
  plateau = tf_keras.callbacks.ReduceLROnPlateau('loss', patience=1, min_delta=1e9, factor=0.5)
  best = tf_keras.callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True)
  made = model(optimizer=tf_keras.optimizers.Adam(0.1))
  history = made.fit(
    X, epochs=9, validation_split=0.2, callbacks=[stop, plateau, best], verbose=0
  ).history
  assert len(history['val_loss']) == 2 and history['val_loss'] == history['val_nll']
  assert history['lr'][0] == pytest.approx(0.1)
  assert float(made.optimizer.learning_rate) == pytest.approx(0.05)
  least = model(optimizer=tf_keras.optimizers.Adam(0.1))
  least.load_weights(path)
  assert least.evaluate(X[40:], verbose=0) == pytest.approx(min(history['val_loss']), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('form', ['array', '(x, w)', 'data set', 'generator', "{'image': x}"])
def test_validation_data_of_every_form(form, shared):
  forms = {**streams(), '(x, w)': (X, W)}
  steps = {'validation_steps': 5} if form == 'generator' else {}
  history = shared.fit(X, validation_data=forms[form], verbose=0, **steps).history
  expected = shared.evaluate({**streams(), '(x, w)': (X, W)}[form], verbose=0)
  assert history['val_loss'][0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_a_call_is_what_predict_returns(shared):
  """Also within functional and sequential models of tf_keras, and in float64."""
  x = tf_keras.Input((N,), dtype=tf.float64)
  expected = shared.predict(X, verbose=0)
  sequence = tf_keras.Sequential([tf_keras.Input((N,), dtype=tf.float64), shared])
  for call in (shared, tf_keras.Model(x, shared(x)), sequence):
    np.testing.assert_allclose(call(X), expected, rtol=1e-12)
    assert len(call.trainable_variables) == 3


@pytest.mark.slow
def test_a_backup_leaves_a_model_that_fits_again(shared, tmp_path):
  """tf_keras 2.21 deletes an attribute that its next fit asks for."""
  backup = tf_keras.callbacks.BackupAndRestore(str(tmp_path / 'backup'))
  for callbacks in ([backup], []):
    assert np.isfinite(shared.fit(X, callbacks=callbacks, verbose=0).history['loss'])


@pytest.mark.slow
def test_generators_without_end_and_steps(shared):
  def rows():
    while True:
      yield X[:10], W[:10]

  steps = int(shared.optimizer.iterations)
  assert len(shared.fit(rows(), epochs=2, steps_per_epoch=3, verbose=0).history['loss']) == 2
  assert int(shared.optimizer.iterations) == steps + 6
  expected = shared.evaluate((X[:10], W[:10]), verbose=0)
  assert shared.evaluate(rows(), steps=2, verbose=0) == pytest.approx(expected)


@pytest.mark.slow
def test_one_dimension_may_be_flat():
  potential = ma_keras.potentials.OneHiddenLayer(1, 4, seed=1)
  made = training.MaximumLikelihood(ma_keras.MongeAmpereBijector(potential, 2, 0.3, 'heun'))
  made.compile()
  x = X[:, 0].astype(np.float32)
  parts = tf.data.Dataset.from_generator(lambda: iter([x[:20], x[20:]]), tf.float32)
  assert parts.element_spec.shape.rank is None
  of_parts = made.predict(parts, verbose=0)
  with eager.eagerly():
    expected = made.flow(0).log_prob(x[:, np.newaxis])
    np.testing.assert_allclose(made.predict(x, verbose=0), expected, rtol=1e-6)
    series = pd.Series(X[:, 0])
    assert made.evaluate(series, verbose=0) == pytest.approx(-np.mean(expected), rel=1e-6)
  np.testing.assert_allclose(of_parts, expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_base_of_ones_own_is_trained_with_the_flow():
  """An expectation step would give the same direction: only that it moves is asked for."""
  location = tf.Variable(np.zeros(N), name='location')
  base = tfd.MultivariateNormalDiag(location, np.ones(N) * 2.0)
  made = model(base=base)
  z = made.bijector.inverse(X)
  expected = base.log_prob(z) + made.bijector.inverse_log_det_jacobian(X, 1)
  np.testing.assert_allclose(made.predict(X, verbose=0), expected, rtol=1e-12)
  made.train_on_batch(X)
  assert np.all(location.numpy() != 0)


REFUSALS = {
  'labels': (lambda m: m.fit(X, np.zeros(50)), r'no labels `y`.*sample_weight='),
  'labels in a pair': (lambda m: m.fit((X, np.zeros(50, int))), 'looks like labels'),
  'targets in a pair': (lambda m: m.evaluate((X, X)), r'must have shape \[50\]'),
  'labels in a triple': (lambda m: m.predict((X, W, W)), '3 parts.*no labels'),
  'classes': (lambda m: m.fit(X, class_weight={0: 1.0}), 'sample_weight'),
  'labels in a data set': (
    lambda m: m.fit(tf.data.Dataset.from_tensors((X, NUMBERS))),
    r'as labels are.*map\(lambda x, y: x\)',
  ),
  'entries': (
    lambda m: m.fit(tf.data.Dataset.from_tensors({'image': X, 'label': NUMBERS})),
    r"\['image', 'label'\]: choose one, .*row\['image'\]",
  ),
  'no batches': (lambda m: m.fit(tf.data.Dataset.from_tensor_slices(X)), r'batch\(256\)'),
  'columns': (lambda m: m.predict(X[:, :2]), r'rows \[b, 3\].*event_size=3'),
  'columns of a data set': (
    lambda m: m.fit(tf.data.Dataset.from_tensor_slices(X[:, :2]).batch(7)),
    r'rows \[b, 3\].*event_size=3',
  ),
  'text': (lambda m: m.fit('points.csv'), 'of numbers; got str'),
  'mixed frame': (lambda m: m.fit(pd.DataFrame({'a': ['b']})), 'got DataFrame of object'),
  'nothing': (lambda m: m.fit(), '`x` is missing'),
  'no rows': (lambda m: m.fit(X[:0]), 'has no rows'),
  'a function': (lambda m: m.fit(streams), r'call it, fit\(streams\(\)'),
  'NaN': (lambda m: m.fit(np.where(NUMBERS[:, None] == 7, np.nan, X)), 'row 7'),
  'negative': (lambda m: m.fit(X, sample_weight=W - 1), 'must not be negative'),
  'targets below zero in a pair': (lambda m: m.fit((X, X[:, 0])), 'If they are labels'),
  'no weight': (lambda m: m.fit(X, sample_weight=W * 0), 'zero throughout'),
  'too few weights': (lambda m: m.fit(X, sample_weight=W[:9]), r'must have shape \[50\]'),
  'weights twice': (lambda m: m.fit((X, W), sample_weight=W), 'give one'),
  'weights of a stream': (
    lambda m: m.fit(tf.data.Dataset.from_tensors(X), sample_weight=W),
    r'pairs \(x, weights\)',
  ),
  'ragged rows': (lambda m: m.fit(tf.ragged.constant([[1.0], [2.0, 3.0]])), r'x.to_tensor\(\)'),
  'sparse rows': (lambda m: m.predict(tf.sparse.from_dense(X)), r'tf.sparse.to_dense\(x\)'),
  'sparse rows of a data set': (
    lambda m: m.fit(tf.data.Dataset.from_tensors(tf.sparse.from_dense(X))),
    r'tf.sparse.to_dense\(x\)',
  ),
  'columns by name': (
    lambda m: m.fit({'a': X[:, 0], 'b': X[:, 1]}),
    r'put columns side by side, tf.stack\(list\(row.values\(\)\), axis=-1\)',
  ),
  'a loss': (lambda m: m.compile('adam', loss='mse'), '`loss` compares predictions with labels'),
  'metrics': (lambda m: m.compile('adam', metrics=['mae']), '`metrics` compares'),
}


@pytest.mark.parametrize('what', REFUSALS)
def test_what_is_no_data_of_a_density_is_said_in_one_sentence(what, shared):
  call, message = REFUSALS[what]
  before = weights(shared)
  with pytest.raises(ValueError, match=message):
    call(shared)
  np.testing.assert_array_equal(weights(shared), before)


BAD = {
  'NaN': (lambda x, w: (np.where(NUMBERS[:, None] == 13, np.nan, x), w), 'NaN or infinity'),
  'negative': (lambda x, w: (x, np.where(NUMBERS == 13, -1.0, w)), 'not negative'),
  'NaN weights': (lambda x, w: (x, np.where(NUMBERS == 13, np.nan, w)), 'finite'),
  'infinite weights': (lambda x, w: (x, np.where(NUMBERS == 13, np.inf, w)), 'finite'),
}
# How a stream hands on batches of ten: row 13 is row 3 of the second.
STREAMS = {
  'data set': lambda x, w: tf.data.Dataset.from_tensor_slices((x, w)).batch(10),
  'unknown shapes': lambda x, w: tf.data.Dataset.from_generator(
    lambda: ((x[k : k + 10], w[k : k + 10]) for k in range(0, 50, 10)),
    output_types=(tf.float64, tf.float64),
  ),
  'generator': lambda x, w: ((x[k : k + 10], w[k : k + 10]) for k in range(0, 50, 10)),
}


@pytest.fixture(scope='module', params=[False, True], ids=['graph', 'XLA'])
def compiled(request):
  made = model()
  made.compile('sgd', jit_compile=request.param)
  return made


@pytest.mark.slow
@pytest.mark.parametrize('what', BAD)
def test_a_bad_row_of_a_stream_is_named_with_xla_and_without(what, compiled):
  """XLA drops assertions within a step: they are made before the batch enters it."""
  stream, message = STREAMS['data set'](*BAD[what][0](X, W + 1)), BAD[what][1]
  start = compiled.get_weights()
  with pytest.raises(tf.errors.OpError, match=rf'(?s){message}.*row of the batch.*3'):
    compiled.fit(stream, verbose=0)
  compiled.set_weights(start)


@pytest.mark.slow
@pytest.mark.parametrize('form', ['unknown shapes', 'generator'])
def test_a_bad_row_of_any_stream_is_named(form, shared):
  stream, message = STREAMS[form](*BAD['NaN'][0](X, W + 1)), BAD['NaN'][1]
  with pytest.raises(tf.errors.OpError, match=rf'(?s){message}.*row of the batch.*3'):
    shared.fit(stream, verbose=0)


@pytest.mark.parametrize('what', BAD)
def test_a_bad_row_of_a_table_is_named_before_the_first_step(what, compiled):
  x, w = BAD[what][0](X, W + 1)
  before = weights(compiled)
  for verb in (compiled.fit, compiled.evaluate, compiled.train_on_batch, compiled.test_on_batch):
    with pytest.raises(ValueError, match=r'row\s+13'):
      verb(x, sample_weight=w)
  np.testing.assert_array_equal(weights(compiled), before)


@pytest.mark.slow
@pytest.mark.parametrize('jit_compile', [False, True], ids=['graph', 'XLA'])
def test_rows_outside_the_support_train_nothing(jit_compile):
  """Steps say so, of any rows; XLA, which drops what they assert, has tables looked at before."""
  made = model(preprocessing=tfb.Exp())
  made.compile('sgd', jit_compile=jit_compile)
  before, x = weights(made), np.exp(X)
  x[13, 1] = -0.1
  table, stream = x, tf.data.Dataset.from_tensor_slices(x).batch(50)
  for rows in (table, stream) if jit_compile else (stream,):
    with pytest.raises((ValueError, tf.errors.OpError), match='outside the support'):
      made.fit(rows, batch_size=50 if rows is table else None, verbose=0)
  np.testing.assert_array_equal(weights(made), before)


@pytest.mark.slow
def test_a_pair_that_looks_like_rows_and_labels_is_doubted(shared):
  """Floating labels cannot be told from weights: classes and counts are whole numbers."""
  with pytest.warns(UserWarning, match=r'whole numbers, 0 to 3.*Labels must be left out.*sample_w'):
    shared.evaluate((X, W), verbose=0)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    for pair in ((X, W + 0.5), (X, np.ones(50))):
      shared.evaluate(pair, verbose=0)
    shared.evaluate(X, sample_weight=W, verbose=0)


def test_losses_and_metrics_that_no_step_would_see_are_refused(shared):
  for name, call in {'add_loss': shared.add_loss, 'add_metric': shared.add_metric}.items():
    with pytest.raises(NotImplementedError, match=f'`{name}`.*`train_step`'):
      call(lambda: 0.0)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_without_compile_the_call_is_named():
  potential = ma_keras.potentials.OneHiddenLayer(N, 4, seed=1)
  made = training.MaximumLikelihood(ma_keras.MongeAmpereBijector(potential, 3, 0.2, 'heun'))
  for verb in (made.fit, made.evaluate, made.train_on_batch):
    with pytest.raises(RuntimeError, match=r"model.compile\(optimizer='adam'\)"):
      verb(X)
  assert made.predict(X, verbose=0).shape == (50,)


def test_a_base_of_other_events_is_refused():
  for base in (tfd.Normal(np.float64(0), 1.0), tfd.Sample(tfd.Normal(0.0, 1.0), N)):
    with pytest.raises(ValueError, match='`base` must have events'):
      model(base=base)


@pytest.mark.parametrize('size', [0, -1, 2.5, 'few'])
def test_a_batch_size_that_is_none_is_refused(size, shared):
  for verb in (shared.fit, shared.evaluate, shared.predict):
    with pytest.raises(ValueError, match='`batch_size` must be positive and whole'):
      verb(X, batch_size=size)
