"""`ma-keras score`: the log density of every row under its own label, or no file at all."""

import os

import numpy as np
import pytest

import ma_keras
from ma_keras import data, distributions
from ma_keras.apps import score
from ma_keras.apps.configuration import ScoreConfig
from ma_keras.saving import model_file
from tests.support.configurations import parsed

X = np.random.default_rng(0).normal(size=(23, 2)) * [1.0, 3.0]


def config(folder, *words):
  defaults = (f'--model={folder}/model.npz', f'--output={folder}/scores.csv')
  return parsed(ScoreConfig, *defaults, *words)


def saved(folder, columns=None):
  potential = ma_keras.potentials.Quadratic(np.diag([0.1, -0.4]))
  model = model_file.Model(ma_keras.MongeAmpereBijector(potential, 8, 0.1), columns=columns)
  model_file.save(folder / 'model.npz', model)
  return ma_keras.load(folder / 'model.npz').flow()


def scores(folder, *arguments):
  """First column as text, and log densities, of scores.csv."""
  score.work(config(folder, *arguments))
  lines = [line.split(',') for line in (folder / 'scores.csv').read_text().split()]
  return [line[0] for line in lines], np.array([float(line[1]) for line in lines[1:]])


@pytest.mark.slow
def test_a_chain_of_flows_is_scored_in_any_number_of_steps(tmp_path):
  made = [
    ma_keras.MongeAmpereBijector(ma_keras.potentials.Quadratic(np.diag(slopes)), 8, 0.1)
    for slopes in ([0.1, -0.4], [0.2, 0.3])
  ]
  normalisation = distributions.BatchNormalisation(2)
  normalisation.moving_variance.assign([4.0, 0.25])
  chain = distributions.FlowChain([made[0], normalisation, made[1]])
  model_file.save(tmp_path / 'model.npz', model_file.Model(chain))
  np.save(tmp_path / 'x.npy', X.astype(np.float32))
  deviation = np.exp([0.24, -0.08]) * np.sqrt(np.array([4.0, 0.25]) + 1e-3)
  exact = -0.5 * np.sum((X / deviation) ** 2 + np.log(2 * np.pi * deviation**2), axis=-1)
  found = scores(tmp_path, f'--input={tmp_path}/x.npy')[1]
  np.testing.assert_allclose(found, exact, rtol=1e-4)
  finer = scores(tmp_path, f'--input={tmp_path}/x.npy', '--num_steps=32')[1]
  np.testing.assert_allclose(finer, exact, rtol=1e-5)


@pytest.mark.slow
def test_columns_are_put_in_the_order_of_the_model_or_refused(tmp_path):
  """Field case 8: columns in another order gave -12726 nats for -1.16."""
  flow = saved(tmp_path, ('length', 'width'))
  expected = flow.log_prob(X.astype(np.float32)).numpy()
  lines = [f'{k},{y!r},{x!r}' for k, (x, y) in enumerate(X.tolist())]
  (tmp_path / 'x.csv').write_text('\n'.join(['name,width,length', *lines]))
  labels, found = scores(tmp_path, f'--input={tmp_path}/x.csv', '--batch_size=7')
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert labels == ['row', *map(str, range(23))]
  np.savetxt(tmp_path / 'y.csv', X, delimiter=',')
  np.testing.assert_allclose(scores(tmp_path, f'--input={tmp_path}/y.csv')[1], expected, rtol=1e-5)
  (tmp_path / 'z.csv').write_text('length,height\n1,2\n')
  with pytest.raises(ValueError, match="no column 'width', which the model was trained on"):
    scores(tmp_path, f'--input={tmp_path}/z.csv')


@pytest.mark.slow
def test_case_8_width_before_length_scores_minus_1_16_and_not_minus_12726(tmp_path):
  """Means over rows (m_0 +- s, m_1 +- s) of -ln(2 pi e s^2), and of its columns exchanged.

  The latter is less by (m_0 - m_1)^2/s^2.
  """
  s = np.exp((1.16 - np.log(2 * np.pi * np.e)) / 2)
  centre = np.array([0.0, s * np.sqrt(12726 - 1.16)])
  x = centre + s * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
  potential = ma_keras.potentials.Quadratic(np.zeros([2, 2]))
  model = model_file.Model(
    ma_keras.MongeAmpereBijector(potential, 1, 0.1),
    data.Standardised(centre, [s, s]),
    columns=('length', 'width'),
  )
  model_file.save(tmp_path / 'model.npz', model)
  np.savetxt(tmp_path / 'x.csv', x[:, ::-1], delimiter=',', header='width,length', comments='')
  found = scores(tmp_path, f'--input={tmp_path}/x.csv')[1]
  assert np.mean(found) == pytest.approx(-1.16, abs=1e-3)
  exchanged = ma_keras.load(tmp_path / 'model.npz').flow().log_prob(x[:, ::-1].astype(np.float32))
  assert np.mean(exchanged) == pytest.approx(-12726, rel=1e-4)


@pytest.mark.slow
def test_ids_go_through_in_order_and_dropped_rows_leave_a_gap(tmp_path):
  flow = saved(tmp_path)
  lines = [f'id-{k},{x!r},{y!r}' for k, (x, y) in enumerate(X.tolist())]
  lines[3], lines[17] = 'id-3,,1', 'id-17,nan,1'
  (tmp_path / 'x.csv').write_text('\n'.join(['who,a,b', *lines]), encoding='utf-8-sig')
  arguments = (f'--input={tmp_path}/x.csv', '--id_column=who', '--batch_size=5')
  with pytest.raises(ValueError, match=r"2 rows, the first of them \['id-3', 'id-17'\]"):
    scores(tmp_path, *arguments)
  assert not (tmp_path / 'scores.csv').exists()
  labels, found = scores(tmp_path, *arguments, '--missing=drop')
  whole = [k for k in range(23) if k not in (3, 17)]
  assert labels == ['who', *(f'id-{k}' for k in whole)]
  np.testing.assert_allclose(found, flow.log_prob(X[whole].astype(np.float32)), rtol=1e-5)


def test_no_file_holds_nan(tmp_path, monkeypatch):
  """A density that is not a number is an error, and zero density is -inf."""
  saved(tmp_path)
  np.save(tmp_path / 'x.npy', X)
  given = config(tmp_path, f'--input={tmp_path}/x.npy', '--batch_size=10')
  for value in (np.nan, -np.inf):
    scored = lambda x, value=value: np.where(x[:, 0] == X[12, 0], value, 0.0)  # noqa: E731
    monkeypatch.setattr(score, 'log_prob', lambda *arguments, scored=scored: scored)
    if np.isnan(value):
      with pytest.raises(ValueError, match=r'row 12 of .* is not a number'):
        score.work(given)
      assert not (tmp_path / 'scores.csv').exists()
    else:
      score.work(given)
      assert '12,-inf' in (tmp_path / 'scores.csv').read_text()


def test_no_output_is_an_input(tmp_path):
  """Field case 13: the data were replaced by their scores, under any name of the same file."""
  saved(tmp_path)
  np.savetxt(tmp_path / 'x.csv', X, delimiter=',')
  before = (tmp_path / 'x.csv').read_bytes(), (tmp_path / 'model.npz').read_bytes()
  os.symlink(tmp_path / 'x.csv', tmp_path / 'link.csv')
  os.link(tmp_path / 'x.csv', tmp_path / 'hard.csv')
  os.symlink(tmp_path / 'model.npz', tmp_path / 'model.csv')
  names = ('x.csv', './x.csv', f'../{tmp_path.name}/x.csv', 'link.csv', 'hard.csv', 'model.csv')
  for name in names:
    with pytest.raises(ValueError, match='would be lost'):
      score.work(config(tmp_path, f'--input={tmp_path}/x.csv', f'--output={tmp_path}/{name}'))
  with pytest.raises(ValueError, match='within the folder'):
    score.work(config(tmp_path, f'--input={tmp_path}', f'--output={tmp_path}/new.csv'))
  assert ((tmp_path / 'x.csv').read_bytes(), (tmp_path / 'model.npz').read_bytes()) == before
