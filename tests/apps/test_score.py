"""`ma-keras score`: the log density of every row under its own label, or no file at all."""

import os

import numpy as np
import pytest
from absl import flags

import ma_keras
from ma_keras.saving import model_file
from tests.integration import apps

X = np.random.default_rng(0).normal(size=(23, 2)) * [1.0, 3.0]


def score(folder, *arguments):
  """The app's module, its flags parsed; one process imports it once."""
  from ma_keras.apps import score as app

  flags.FLAGS.unparse_flags()
  flags.FLAGS(['score', f'--model={folder}/model.npz', f'--output={folder}/scores.csv', *arguments])
  return app


def saved(folder, columns=None):
  potential = ma_keras.potentials.Quadratic(np.diag([0.1, -0.4]))
  model = model_file.Model(ma_keras.MongeAmpereBijector(potential, 8, 0.1), columns=columns)
  model_file.save(folder / 'model.npz', model)
  return ma_keras.load(folder / 'model.npz').flow()


def scores(folder, *arguments):
  """First column as text, and log densities, of scores.csv."""
  score(folder, *arguments).work()
  lines = [line.split(',') for line in (folder / 'scores.csv').read_text().split()]
  return [line[0] for line in lines], np.array([float(line[1]) for line in lines[1:]])


def check_names(folder):
  """Field case 8: columns in another order gave -12726 nats for -1.16."""
  flow = saved(folder, ('length', 'width'))
  expected = flow.log_prob(X.astype(np.float32)).numpy()
  lines = [f'{k},{y!r},{x!r}' for k, (x, y) in enumerate(X.tolist())]
  (folder / 'x.csv').write_text('\n'.join(['name,width,length', *lines]))
  labels, found = scores(folder, f'--input={folder}/x.csv', '--batch_size=7')
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert labels == ['row', *map(str, range(23))]
  np.savetxt(folder / 'y.csv', X, delimiter=',')
  np.testing.assert_allclose(scores(folder, f'--input={folder}/y.csv')[1], expected, rtol=1e-5)
  (folder / 'z.csv').write_text('length,height\n1,2\n')
  with pytest.raises(ValueError, match="no column 'width', which the model was trained on"):
    scores(folder, f'--input={folder}/z.csv')


def test_columns_are_put_in_the_order_of_the_model_or_refused(tmp_path):
  apps.passes(check_names, tmp_path)


def check_ids(folder):
  flow = saved(folder)
  lines = [f'id-{k},{x!r},{y!r}' for k, (x, y) in enumerate(X.tolist())]
  lines[3], lines[17] = 'id-3,,1', 'id-17,nan,1'
  (folder / 'x.csv').write_text('\n'.join(['who,a,b', *lines]), encoding='utf-8-sig')
  arguments = (f'--input={folder}/x.csv', '--id_column=who', '--batch_size=5')
  with pytest.raises(ValueError, match=r"2 rows, the first of them \['id-3', 'id-17'\]"):
    scores(folder, *arguments)
  assert not (folder / 'scores.csv').exists()
  labels, found = scores(folder, *arguments, '--missing=drop')
  whole = [k for k in range(23) if k not in (3, 17)]
  assert labels == ['who', *(f'id-{k}' for k in whole)]
  np.testing.assert_allclose(found, flow.log_prob(X[whole].astype(np.float32)), rtol=1e-5)


def test_ids_go_through_in_order_and_dropped_rows_leave_a_gap(tmp_path):
  apps.passes(check_ids, tmp_path)


def check_nan(folder):
  """A density that is not a number is an error, and zero density is -inf."""
  saved(folder)
  np.save(folder / 'x.npy', X)
  app = score(folder, f'--input={folder}/x.npy', '--batch_size=10')
  for value in (np.nan, -np.inf):
    app.log_prob = lambda model, value=value: lambda x: np.where(x[:, 0] == X[12, 0], value, 0.0)
    if np.isnan(value):
      with pytest.raises(ValueError, match=r'row 12 of .* is not a number'):
        app.work()
      assert not (folder / 'scores.csv').exists()
    else:
      app.work()
      assert '12,-inf' in (folder / 'scores.csv').read_text()


def test_no_file_holds_nan(tmp_path):
  apps.passes(check_nan, tmp_path)


def check_apart(folder):
  """Field case 13: the data were replaced by their scores, under any name of the same file."""
  saved(folder)
  np.savetxt(folder / 'x.csv', X, delimiter=',')
  before = (folder / 'x.csv').read_bytes(), (folder / 'model.npz').read_bytes()
  os.symlink(folder / 'x.csv', folder / 'link.csv')
  os.link(folder / 'x.csv', folder / 'hard.csv')
  os.symlink(folder / 'model.npz', folder / 'model.csv')
  names = ('x.csv', './x.csv', f'../{folder.name}/x.csv', 'link.csv', 'hard.csv', 'model.csv')
  for name in names:
    with pytest.raises(ValueError, match='would be lost'):
      score(folder, f'--input={folder}/x.csv', f'--output={folder}/{name}').work()
  with pytest.raises(ValueError, match='within the folder'):
    score(folder, f'--input={folder}', f'--output={folder}/new.csv').work()
  assert ((folder / 'x.csv').read_bytes(), (folder / 'model.npz').read_bytes()) == before


def test_no_output_is_an_input(tmp_path):
  apps.passes(check_apart, tmp_path)
