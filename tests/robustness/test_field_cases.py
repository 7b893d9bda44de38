"""Cases of people's own data whose right value no other test holds, and the list of all cases."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn import datasets

import ma_keras
from ma_keras import data
from ma_keras.saving import export
from tests.integration import apps
from tests.robustness import field_cases

NORMAL = np.random.default_rng(7).normal(size=600)
LARGE = {
  'Unix seconds': 1.7e9 + np.arange(600.0),
  'thousandths at 1e5': 1e5 + 1e-3 * NORMAL,
  'beyond float32': 1e39 * NORMAL,
}


def fitted(x, base='auto'):
  """The estimator without a flow, whose training takes a while."""
  return ma_keras.MongeAmpereDensity(base=base, max_steps=0, random_state=0).fit(x)


@pytest.mark.parametrize('name', LARGE)
def test_case_7_columns_that_float32_cannot_tell_apart(name):
  """Six values were left of 600 seconds, thousandths did not vary, and 1e39 was infinite.

  A Gaussian fit has minus the entropy of its Gaussian, ln(sigma) + ln(2 pi e)/2.
  """
  x = LARGE[name]
  entropy = np.log(np.std(x)) + np.log(2 * np.pi * np.e) / 2
  score = fitted(x[:, np.newaxis], 'normal').score(x[:, np.newaxis])
  assert score == pytest.approx(-entropy, abs=0.02)


@pytest.mark.slow
def test_case_7_scores_and_exports_say_the_same(tmp_path):
  x = np.stack(list(LARGE.values()), axis=1)
  estimator = fitted(x, 'normal')
  expected = estimator.score_samples(x)
  estimator.save(tmp_path / 'model.npz')
  model = ma_keras.load(tmp_path / 'model.npz')
  np.testing.assert_allclose(model.flow().log_prob(x), expected, rtol=1e-6)
  export.save(model.flow(), tmp_path / 'saved_model')
  exported = tf.saved_model.load(str(tmp_path / 'saved_model'))
  log_prob = exported.log_prob(tf.constant(x))['log_prob']
  np.testing.assert_allclose(log_prob, expected, rtol=1e-6)
  np.savetxt(tmp_path / 'x.csv', x, '%.17g', ',')
  done = apps.run_command(tmp_path, 'score', '--model=model.npz', '--input=x.csv')
  assert done.returncode == 0, done.stderr
  scores = np.loadtxt(tmp_path / 'scores.csv', delimiter=',', skiprows=1)[:, 1]
  np.testing.assert_allclose(scores, expected, rtol=1e-6)


def correlated_normals():
  rng = np.random.default_rng(0)
  return rng.normal(size=(1000, 6)) @ rng.normal(size=(6, 6))


# Table -> (points, a Gaussian's NLL as it was stated or None, nats by which the start is better at
# least). Where it is None, the stated rows or their standardisation are not known.
SMALL = {
  'wine': (lambda: datasets.load_wine().data, 14.92, 0.5),
  'breast cancer': (lambda: datasets.load_breast_cancer().data, None, 4.0),
  'six correlated normals': (correlated_normals, None, 0.0),
  'two moons': (lambda: datasets.make_moons(1000, noise=0.1, random_state=0)[0], 2.75, 0.7),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', SMALL)
def test_case_12_small_tables_in_standardised_nats(name):
  """Held-out rows of the split: no worse than a Gaussian, up to its shrinking in 0.01 nats."""
  make, expected, gain = SMALL[name]
  rows = data.split(name, make())
  centre, scale = rows.train.mean(axis=0), rows.train.std(axis=0)
  train = (np.concatenate([rows.train, rows.validation]) - centre) / scale
  test = (rows.test - centre) / scale
  gaussian = stats.multivariate_normal(train.mean(axis=0), np.cov(train.T, bias=True))
  nll = -np.mean(gaussian.logpdf(test))
  assert expected is None or nll == pytest.approx(expected, abs=0.03)
  assert -fitted(train).score(test) <= nll - gain + 0.01


def test_every_case_has_tests_and_all_of_them_are_there():
  assert sorted(field_cases.CASES) == list(range(1, 30))
  for case, (_, tests) in field_cases.CASES.items():
    assert tests and all(map(field_cases.exists, tests)), (case, tests)


def test_a_test_that_is_not_there_is_noticed():
  assert field_cases.exists(
    'tests/robustness/test_field_cases.py::test_a_test_that_is_not_there_is_noticed'
  )
  assert not field_cases.exists('tests/robustness/test_field_cases.py::test_nothing')
  assert not field_cases.exists('tests/nothing.py::test_nothing')
  assert not field_cases.exists('tests/robustness/test_apps.py::test_an_app[nothing]')
