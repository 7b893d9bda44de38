"""Tables whose columns are given others: trained, scored, drawn, certified, or refused by name."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import data, potentials, training
from ma_keras.apps import certify, density, density_experiment, evaluate, plot, sample, score
from ma_keras.apps.configuration import (
  CertifyConfig,
  DensityConfig,
  EvaluateConfig,
  PlotConfig,
  SampleConfig,
  ScoreConfig,
)
from ma_keras.data.context_columns import ContextColumn
from ma_keras.layers.context_columns import ContextColumns
from ma_keras.saving import model_file

CONTEXTS = (
  ContextColumn('age, years', None, 0.0, 90.0),
  ContextColumn('town', ('A, north', 'B'), 0.0, 1.0),
)
TABLE = 'town;x;note;"age, years"\n"A, north";1.5;u;10\nB;-0.5;v;20\n"A, north";0.5;w;95\n'
ROWS = np.array([[10.0, 0.0], [20.0, 1.0], [95.0, 0.0]])  # Contexts of the table,
X = np.array([[1.5], [-0.5], [0.5]], np.float32)  # and its points.


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A table, and a model of x given age and town."""
  path = tmp_path_factory.mktemp('contexts')
  columns = ContextColumns(['real', 'category'], centre=[40, 0], scale=[20, 1], sizes=[1, 2])
  layers = [tf_keras.Input((2,)), columns, tf_keras.layers.Dense(3, 'tanh')]
  potential = potentials.OneHiddenLayer(1, 8, context_size=3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 0.1)
  encoder = tf_keras.Sequential(layers)
  model = model_file.Model(bijector, columns=('x',), encoder=encoder, contexts=CONTEXTS)
  model_file.save(path / 'model.npz', model)
  model_file.save(path / 'nameless.npz', dataclasses.replace(model, contexts=None))
  (path / 'table.csv').write_text(TABLE)
  (path / 'other.csv').write_text(TABLE.replace('B;', 'C;'))
  (path / 'given.csv').write_text('town;"age, years"\nB;30\n"A, north";20\nB;30\n')
  return path


def files(folder, model='model', **options):
  outputs = {'output': str(folder / 'out.csv')} if 'output' not in options else {}
  return {'model': str(folder / f'{model}.npz'), **outputs, **options}


@pytest.mark.slow
def test_scores_are_log_densities_under_the_context_of_each_row(folder, capsys):
  score.work(ScoreConfig(**files(folder, input=str(folder / 'table.csv'))))
  found = np.loadtxt(folder / 'out.csv', delimiter=',', skiprows=1)[:, 1]
  flow = ma_keras.load(folder / 'model.npz').flow()
  np.testing.assert_allclose(found, flow.log_prob(X, context=ROWS), rtol=1e-5)
  assert 'age, years is outside of 0 to 90' in capsys.readouterr().err
  certify.work(CertifyConfig(model=files(folder)['model'], input=str(folder / 'table.csv')))
  assert 'log_prob, 3 points, 8 steps against 16' in capsys.readouterr().out


@pytest.mark.slow
def test_samples_are_those_of_their_contexts(folder):
  """One context for all, or one row of a table each: batches of equal seeds have equal latents."""
  own = {'seed': 3, 'batch_size': 3}
  sample.work(SampleConfig(**files(folder, n=3, context='"town=A, north","age, years=20"', **own)))
  first = np.loadtxt(folder / 'out.csv', skiprows=1)
  sample.work(SampleConfig(**files(folder, context_file=str(folder / 'given.csv'), **own)))
  rows = np.loadtxt(folder / 'out.csv', skiprows=1)
  assert rows.shape == (3,) and rows[1] == pytest.approx(first[1], rel=1e-5)
  assert rows[0] != pytest.approx(first[0], rel=1e-4)
  assert rows[2] != pytest.approx(first[2], rel=1e-4)


@pytest.mark.parametrize(
  'command, config, options, message',
  [
    (score, ScoreConfig, {'input': 'other.csv'}, "has 'C' in context column 'town', .* in row 1"),
    (score, ScoreConfig, {'input': 'given.csv'}, "has no column 'x', which the model"),
    (score, ScoreConfig, {'input': 'table.csv', 'model': 'nameless'}, 'whose columns nobody has'),
    (sample, SampleConfig, {}, 'draws samples under a context: --context="age, years=0","town=A,'),
    (sample, SampleConfig, {'context': 'town=B'}, "'town=B' lacks age, years: an example"),
    (sample, SampleConfig, {'context': 'town=B,town=B'}, "has a column twice, 'town=B'"),
    (sample, SampleConfig, {'context': 'city=B'}, "names no context column, 'city=B'"),
    (sample, SampleConfig, {'context': '"age, years=old",town=B'}, 'age, years=old is no number'),
    (sample, SampleConfig, {'context': 'town=b,"age, years=1"'}, "has 'b' in context column"),
    (certify, CertifyConfig, {}, r'under contexts \(age, years, town\): certify it at rows'),
    (plot, PlotConfig, {'output': 'a.png'}, 'draw samples under one by'),
    (evaluate, EvaluateConfig, {'model': 'nameless', 'dataset': 'digits'}, 'nobody has named'),
  ],
)
def test_contexts_that_are_none_are_refused_by_name(folder, command, config, options, message):
  paths = {k: str(folder / v) for k, v in options.items() if v.endswith(('.csv', '.png'))}
  given = files(folder, **{**options, **paths})
  fields = {field.name for field in dataclasses.fields(config)}
  with pytest.raises(ValueError, match=message):
    command.work(config(**{name: value for name, value in given.items() if name in fields}))


def test_samples_have_one_source_of_contexts():
  with pytest.raises(ValueError, match='say the same: give one of them'):
    SampleConfig(model='m', context='a=1', context_file='c.csv')
  with pytest.raises(ValueError, match='there is one sample for every row'):
    SampleConfig(model='m', n=3, context_file='c.csv')


SIZES = {'hidden_units': 8, 'num_steps': 4, 'context_units': 4, 'integrator': 'heun'}
TRAINING = {'epochs': 6, 'batch_size': 50, 'learning_rate': 0.03}
OPTIONS = {**SIZES, **TRAINING, 'figures': False, 'saved_model': False}


@pytest.mark.slow
def test_a_table_is_trained_given_other_columns(tmp_path, rng, capsys):
  """x of two groups, each a Gaussian: the entropy under the group is less than that of both.

  H = ln(2 pi e s^2)/2 with s = 1 under the group, and s = 3.2 of the Gaussian of all rows.
  """
  group, k = rng.choice(['a', 'b'], 900), rng.integers(1, 3, 900)
  x = np.where(group == 'a', -3.0, 3.0) + rng.normal(size=900)
  lines = [f'{g},{value:.6f},{region}' for g, value, region in zip(group, x, k)]
  (tmp_path / 'table.csv').write_text('\n'.join(['g,x,region', *lines]))
  config = DensityConfig(
    dataset_file=str(tmp_path / 'table.csv'),
    run_dir=str(tmp_path / 'run'),
    context_columns=('g', 'region'),
    column_kind='region:category',
    base='normal',
    **OPTIONS,
  )
  density.carry_out(config)
  told = capsys.readouterr().out
  assert 'Given: g, a = 0, b = 1; region, 1 = 0, 2 = 1.' in told
  model = ma_keras.load(tmp_path / 'run' / 'model.npz')
  assert [column.name for column in model.contexts] == ['g', 'region'] and model.columns == ('x',)
  result = evaluate.measure(EvaluateConfig(model=str(tmp_path / 'run' / 'model.npz')))
  assert result.nll == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=0.25)
  assert f'NLL = {result.nll:.2f}' in told
  restored = training.RunDirectory(tmp_path / 'run')
  assert 'context_columns=g,region' in restored.flagfile.read_text()


@pytest.mark.slow
def test_images_are_trained_given_their_labels_and_to_tell_them(tmp_path, capsys):
  options = {**OPTIONS, 'epochs': 1, 'context_columns': ('label',), 'eval_draws': 1}
  options |= {'dataset': 'digits', 'discrimination': 5.0, 'rivals': 1, 'validation_points': 30}
  config = DensityConfig(run_dir=str(tmp_path / 'run'), eval_points=20, **options)
  with pytest.raises(training.TrainingStopped, match='it knows nothing of these data'):
    density.carry_out(config)  # Of one epoch; the model is kept for all that.
  assert 'Given: label, 0 = 0, 1 = 1' in capsys.readouterr().out
  path = str(tmp_path / 'run' / 'model.npz')
  model, points = ma_keras.load(path), data.load('digits', labelled=True)
  assert model.contexts == points.contexts and model.contexts[0].categories == tuple('0123456789')
  labels, pixels = points.parts(points.test[:20])
  assert labels.max() <= 9 and points.event_shape == (8, 8, 1) and pixels.shape == (20, 64)
  images = data.dequantised(pixels, seed=0).reshape(-1, 8, 8, 1)
  log_prob = model.flow().log_prob(images, context=labels.astype(np.float32))
  assert log_prob.shape == (20,) and np.all(np.isfinite(log_prob))
  sample.work(
    SampleConfig(model=path, n=2, context='label=3', output=str(tmp_path / 'x.npy'), batch_size=2)
  )
  assert np.load(tmp_path / 'x.npy').shape == (2, 8, 8, 1)
  logs = training.RunDirectory(tmp_path / 'run').read_metrics()
  assert logs['cross_entropy'][0] > 0 and 0 <= logs['val_accuracy'][0] <= 1
  assert model.notes['classified_points'] == len(points.test) and model.notes['cross_entropy'] > 0
  objective = logs['val_certified_nll'] + 5 * logs['val_cross_entropy']
  np.testing.assert_allclose(logs['val_objective'], objective)
  begins_with_the_weights_of_another(path, model, tmp_path / 'next', options)


def begins_with_the_weights_of_another(path, other, folder, options):
  """A run with --start_from, which other flags of the potential refuse."""
  config = DensityConfig(run_dir=str(folder), start_from=path, **options)
  begun = density_experiment.set_up(config, training.RunDirectory(folder)).model
  for before, after in zip(other.bijector.variables, begun.bijector.variables, strict=True):
    np.testing.assert_array_equal(after, before)
  pairs = zip(other.encoder.variables, begun.conditional.encoder.variables, strict=True)
  for before, after in pairs:
    np.testing.assert_array_equal(after, before)
  config = dataclasses.replace(config, hidden_units=3)
  with pytest.raises(ValueError, match=r'has a variable .* where these flags make amplitude \[3\]'):
    density_experiment.set_up(config, training.RunDirectory(folder))


@pytest.mark.parametrize(
  'options, message',
  [
    (
      {'context_columns': ('x',), 'discrimination': 1.0},
      '`--discrimination` needs one context column of two or more categories, got x',
    ),
    (
      {'context_columns': ('x',), 'discrimination': 1.0, 'column_kind': 'x:category', 'rivals': 9},
      '`--rivals` 9: 4 classes have 3 others at most',
    ),
    ({'discrimination': 1.0}, '`--discrimination` needs --context_columns, the class'),
    ({'rivals': 1}, '`--rivals` 1 needs a positive --discrimination'),
    ({'start_from': 'model.npz'}, '`--start_from` goes with images'),
    (
      {'context_columns': ('x',), 'latent_units': 4, 'latent_components': 1},
      '`--latent_components` 1 goes with images',
    ),
    ({'shift_pixels': 1}, r'`--shift_pixels` 1 needs images .* got points of shape \('),
    ({'context_columns': ('t',)}, '`--context_columns` t varies by .* subtract 1700000000 in'),
    ({'column_kind': 'x:category'}, 'columns of --context_columns may be of kind category'),
    ({'context_columns': ('t',), 'dataset_file': None}, 'are columns of a table: say which'),
    (
      {'context_columns': ('t',), 'strategy': 'parameter_server'},
      'choose another --strategy|parameter',
    ),
  ],
)
def test_options_that_go_with_no_context_are_refused(tmp_path, options, message):
  lines = [f'{1_700_000_000 + k},{k * k % 7}.5' for k in range(60)]
  (tmp_path / 'table.csv').write_text('\n'.join(['t,x', *lines]))
  files = {'dataset_file': str(tmp_path / 'table.csv'), 'run_dir': str(tmp_path / 'run')}
  with pytest.raises(ValueError, match=message):
    density.carry_out(DensityConfig(**{**files, **OPTIONS, **options}))


@pytest.mark.slow
def test_a_run_and_eval_tell_the_same_classes_by_components_of_the_latents(tmp_path):
  options = {**OPTIONS, 'epochs': 1, 'context_columns': ('label',), 'saved_model': True}
  options |= {'dataset': 'digits', 'discrimination': 5.0, 'validation_points': 30}
  config = DensityConfig(
    run_dir=str(tmp_path / 'run'), latent_units=6, latent_components=5, eval_points=20, **options
  )
  with pytest.raises(training.TrainingStopped, match='it knows nothing of these data'):
    density.carry_out(config)  # Of one epoch; the model is kept for all that.
  run = training.RunDirectory(tmp_path / 'run')
  model = ma_keras.load(run.model)
  assert model.bijector.flows[-1].potential.directions.shape == (64, 5)
  _, told = evaluate.measured(model, EvaluateConfig(model=str(run.model), n=20, classify=1000))
  assert told.classified_points == model.notes['classified_points'] > 200
  assert told.accuracy == pytest.approx(model.notes['accuracy'], abs=0.01)
  assert told.cross_entropy == pytest.approx(model.notes['cross_entropy'], rel=1e-2)
  served = tf.saved_model.load(str(run.saved_model))
  images = np.full([2, 8, 8, 1], 3.5, np.float32)
  codes = np.array([[3.0], [7.0]], np.float32)
  expected = model.flow().log_prob(images, context=codes)
  np.testing.assert_allclose(served.log_prob(images, codes)['log_prob'], expected, rtol=1e-5)
