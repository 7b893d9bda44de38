"""`ma-keras eval` measures a model on its own target or data, and says when it is in doubt."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import data, targets, training, transport
from ma_keras.apps import density_classes, density_data, evaluate
from ma_keras.apps.configuration import EvaluateConfig
from tests.support.configurations import parsed

NOTES = {'target': 'ising', 'side': 2, 'coupling': 0.3, 'boundary': 'open', 'dtype': 'float64'}


def saved(path, notes, preprocessing=None, dtype=tf.float64):
  potential = ma_keras.potentials.Quadratic(np.diag([0.1, 0.2, 0.3, 0.4]), dtype)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector, preprocessing, notes=notes))
  return bijector


@pytest.mark.slow
def test_a_free_energy_is_that_of_the_target_the_model_was_trained_for(tmp_path):
  path = tmp_path / 'model.npz'
  bijector = saved(path, NOTES)
  measured = evaluate.measure(EvaluateConfig(model=str(path), n=200, batch_size=100))
  target = targets.Ising(2, 0.3, 'open', tf.float64)
  expected = training.measure(bijector, target, 200, 100, 0)
  assert measured.exact_per_site == pytest.approx(-target.exact_log_partition() / 4, rel=1e-12)
  assert measured.free_energy_per_site == pytest.approx(expected.free_energy_per_site, rel=1e-9)


@pytest.mark.slow
def test_a_likelihood_is_that_of_points_the_model_never_saw(tmp_path):
  """Test points are those of the split that the model was trained with: it saw all others."""
  file, path = tmp_path / 'x.npy', tmp_path / 'model.npz'
  np.save(file, np.random.default_rng(0).normal(size=(60, 4)))
  points = data.load_file(file, seed=3)
  saved(path, {'split_seed': 3}, data.for_dataset(points), tf.float32)
  config = EvaluateConfig(model=str(path), dataset_file=str(file), draws=1)
  model = ma_keras.load(path)
  expected = training.measure_likelihood(model.bijector, model.preprocessing, points.test)
  assert evaluate.likelihood(model, config).nll == pytest.approx(expected.nll, rel=1e-6)


@pytest.mark.slow
def test_eval_remembers_where_its_data_were(tmp_path):
  """The training's file is found again, split and header as then; or one sentence.

  A model without preprocessing, too.
  """
  file, path = tmp_path / 'table', tmp_path / 'model.npz'
  rows = np.random.default_rng(0).normal(size=(60, 4)).round(6)
  np.savetxt(file, rows, delimiter=';')
  where = {'dataset_file': str(file), 'split_seed': 3, 'header': 'no'}
  config = EvaluateConfig(model=str(path), **where, draws=1)
  saved(path, density_data.notes(config), dtype=tf.float32)
  model = ma_keras.load(path)
  expected = evaluate.likelihood(model, config).nll
  config = EvaluateConfig(model=str(path), draws=1)
  assert evaluate.likelihood(model, config).nll == expected
  restored = density_data.restored(config, model.notes)
  assert (restored.split_seed, restored.header) == (3, 'no')
  given = parsed(EvaluateConfig, f'--model={path}', '--split_seed=0', '--header=auto')
  restored = density_data.restored(given, model.notes)
  assert (restored.split_seed, restored.header) == (0, 'auto')  # Defaults that somebody chose.
  for change, message in (
    (lambda: np.savetxt(file, rows + 1), 'changed since'),
    (file.unlink, 'gone'),
  ):
    change()
    with pytest.raises(ValueError, match=f'{file}.*{message}.*--dataset_file'):
      evaluate.likelihood(model, config)


@pytest.mark.slow
@pytest.mark.parametrize(
  'notes, kind', [(NOTES, training.FreeEnergy), ({}, training.Likelihood)], ids=['F', 'NLL']
)
def test_a_result_in_doubt_has_its_own_exit_code(tmp_path, notes, kind, monkeypatch, capsys):
  path = tmp_path / 'model.npz'
  saved(path, notes)
  monkeypatch.setattr(kind, 'doubts', lambda self, *arguments, **options: 'Not to be trusted.')
  result = kind(*range(len(kind.__dataclass_fields__)))
  monkeypatch.setattr(evaluate, 'test_data', lambda model, config: None)
  monkeypatch.setattr(evaluate, 'likelihood', lambda model, config, points: result)
  with pytest.raises(SystemExit) as ending:
    evaluate.main(EvaluateConfig(model=str(path), n=20, dataset='digits'))
  assert ending.value.code == 3 and 'Not to be trusted.' in capsys.readouterr().err


@pytest.mark.slow
def test_paths_in_doubt_have_the_same_exit_code_where_the_likelihood_is_sure(tmp_path, capsys):
  """One step of Euler moves x by 0.1 x, two by 0.1025 x: 2.5 % in length, 0.01 nats in density."""
  path, file, output = tmp_path / 'model.npz', tmp_path / 'x.npy', tmp_path / 'eval.json'
  potential = ma_keras.potentials.Quadratic(0.1 * np.eye(4), tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 1.0, 'euler')
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector))
  np.save(file, np.random.default_rng(0).normal(size=(60, 4)))
  options = {'dataset_file': str(file), 'draws': 1, 'n': 20, 'output': str(output)}
  evaluate.work(EvaluateConfig(model=str(path), paths=0, **options))
  with pytest.raises(SystemExit) as ending:
    evaluate.work(EvaluateConfig(model=str(path), paths=64, **options))
  written = json.loads(output.read_text())
  assert ending.value.code == 3 and written['doubts'] == ''
  assert written['transport']['doubts'] in capsys.readouterr().err


def test_flags_out_of_bounds_are_refused():
  words = ('--n=0', '--draws=1', '--tolerance=0')
  parsed(EvaluateConfig, '--model=model.npz', *words)
  for flag in ('n=-1', 'draws=0', 'tolerance=-0.1', 'num_steps=-1', 'batch_size=0', 'seed=-1'):
    with pytest.raises(flags.IllegalFlagValueError):
      parsed(EvaluateConfig, '--model=model.npz', f'--{flag}')


@pytest.mark.slow
@pytest.mark.parametrize('notes', [NOTES, {}], ids=['F', 'NLL'])
def test_the_cost_of_the_paths_is_measured_and_written(tmp_path, notes, capsys):
  path, output = tmp_path / 'model.npz', tmp_path / 'eval.json'
  bijector = saved(path, notes)
  file = tmp_path / 'x.npy'
  np.save(file, np.random.default_rng(0).normal(size=(60, 4)))
  options = {} if notes else {'dataset_file': str(file)}
  evaluate.work(
    EvaluateConfig(model=str(path), n=20, paths=64, output=str(output), draws=1, **options)
  )
  written = json.loads(output.read_text())
  expected = transport.transport_cost(bijector, 64, 64)
  assert written['transport'] == {**expected.summary(), 'doubts': ''}
  assert written['doubts'] == '' and ('nll' in written['measured']) != bool(notes)
  assert f'path energy = {expected.path_energy}' in capsys.readouterr().out


def test_the_paths_can_be_left_out_and_the_model_is_not_overwritten(tmp_path):
  path = tmp_path / 'model.npz'
  saved(path, NOTES)
  model = ma_keras.load(path)
  assert evaluate.transport_cost(model, EvaluateConfig(model=str(path), paths=0)) is None
  with pytest.raises(ValueError, match='is the input'):
    evaluate.work(EvaluateConfig(model=str(path), output=str(path)))
  with pytest.raises(ValueError, match='at least 16, got 3'):
    EvaluateConfig(model=str(path), paths=3)


def test_classes_of_test_points_are_told_by_bayes_rule(tmp_path, rng, capsys):
  """Two unit Gaussians, three apart, at shares 1/4 and 3/4: what is right is known.

  sum_k P_k Phi(d/2 + ln(P_k / P_other) / d).
  """
  classes, path = (rng.random(4000) < 0.75).astype(int), tmp_path / 'model.npz'
  x = 3.0 * classes + rng.normal(size=4000)
  lines = [f'{"ab"[k]},{value:.8f}' for k, value in zip(classes, x)]
  (tmp_path / 'table.csv').write_text('\n'.join(['g,x', *lines]))
  potential = ma_keras.potentials.Quadratic(np.zeros([1, 1]), context_kernel=[[3.0]])
  model = ma_keras.model_file.Model(
    ma_keras.MongeAmpereBijector(potential, 2, 0.5),
    columns=('x',),
    contexts=(data.context_columns.ContextColumn('g', ('a', 'b'), 0.0, 1.0),),
  )
  ma_keras.model_file.save(path, model)
  options = {'model': str(path), 'dataset_file': str(tmp_path / 'table.csv'), 'paths': 0}
  output = tmp_path / 'eval.json'
  evaluate.work(EvaluateConfig(**options, classify=1000, output=str(output)))
  figures = json.loads(output.read_text())['classes']
  log_odds = np.log(np.array([1 / 3, 3.0]))
  right = [0.5 * math.erfc(-(1.5 + value / 3) / math.sqrt(2)) for value in log_odds]
  assert abs(figures['accuracy'] - np.dot([0.25, 0.75], right)) < 3 * figures['accuracy_error']
  assert 0.005 < figures['accuracy_error'] < 0.02
  assert figures['cross_entropy'] < 0.3 < figures['chance'] == pytest.approx(0.562, abs=0.02)
  percent = f"classes by Bayes' rule right in {100 * figures['accuracy']:.1f} +- "
  assert percent in capsys.readouterr().out


def test_a_model_without_classes_tells_none(tmp_path):
  path = tmp_path / 'model.npz'
  saved(path, NOTES)
  with pytest.raises(ValueError, match='`--classify` 10 needs a model whose context is one column'):
    evaluate.measure(EvaluateConfig(model=str(path), classify=10))


def test_a_density_that_knows_no_classes_is_in_doubt():
  told = density_classes.ClassAccuracy(100, 0.5, 0.05, 0.8, 0.69)
  assert 'is no less than the 0.69 of their frequencies' in told.doubts()
  assert density_classes.ClassAccuracy(100, 0.5, 0.05, 0.6, 0.69).doubts() == ''
  nowhere = density_classes.ClassAccuracy(100, 0.5, 0.05, math.inf, 0.69)
  assert 'zero under its own class' in nowhere.doubts()
