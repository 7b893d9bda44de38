"""The scikit-learn face: its own contract, and densities against known ones."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas
import polars
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import ma_keras


def quick(**settings):
  """Without a flow, whose training takes a while."""
  return ma_keras.MongeAmpereDensity(**{'max_steps': 0, 'random_state': 0, **settings})


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_scikit_learns_own_checks_pass():
  """A Gaussian is fitted: to choose a mixture takes half a second in each of a hundred fits."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    results = check_estimator(quick(base='normal'), on_fail=None)
  assert len(results) > 40
  assert [r['check_name'] for r in results if r['status'] == 'failed'] == []


# What a training or a mixture could spoil: repetition, state, rows one by one, and their weights.
WITH_A_FLOW = (
  'check_dict_unchanged',
  'check_estimators_pickle',
  'check_fit2d_1sample',
  'check_fit_idempotent',
  'check_methods_subset_invariance',
)
WITH_A_MIXTURE = (
  'check_fit_idempotent',
  'check_methods_subset_invariance',
  'check_sample_weight_equivalence_on_dense_data',
)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize(
  'settings, names',
  [({'base': 'normal', 'max_steps': 1, 'num_steps': 2}, WITH_A_FLOW), ({}, WITH_A_MIXTURE)],
  ids=['flow', 'mixture'],
)
def test_scikit_learns_own_checks_pass_with_a_flow_and_a_mixture(settings, names, monkeypatch):
  """Flows are trained for tables as small as those of the checks."""
  monkeypatch.setattr(ma_keras.estimator, 'LEAST_ROWS', 10)
  density = quick(hidden_units=2, n_init=1, **settings)
  checks = {check.func.__name__: check for _, check in estimator_checks_generator(density)}
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    for name in names:
      checks[name](clone(density))


@pytest.fixture(scope='module')
def fitted():
  """A flow that gains: three columns on a curve."""
  rng = np.random.default_rng(0)
  t = rng.uniform(size=600)
  x = np.stack([np.cos(5 * t), np.sin(5 * t), t], axis=1) + rng.normal(size=(600, 3)) * 0.2
  frame = pandas.DataFrame(x, columns=['a', 'b', 'c'])
  estimator = ma_keras.MongeAmpereDensity(
    base='normal',
    hidden_units=16,
    num_steps=4,
    max_steps=100,
    n_init=1,
    learning_rate=0.05,
    random_state=1,
  )
  return estimator.fit(frame[:500]), frame[500:]


@pytest.mark.slow
def test_a_flow_is_kept_where_held_out_rows_gain(fitted):
  estimator, test = fitted
  assert estimator.gain_ > 3 * estimator.gain_error_ > 0 and estimator.start_ == 'Gaussian'
  start = quick(base='normal').fit(pandas.DataFrame(test, columns=list('abc')))
  assert estimator.score(test) > start.score(test)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_latents_and_densities_belong_together(fitted):
  """x -> z -> x; ln p(x) = ln N(z) + ln|det dz/dx|, the latter by differences."""
  estimator, test = fitted
  x = test.to_numpy()[:4]
  steps = 1e-5 * np.concatenate([np.zeros([1, 3]), np.eye(3), -np.eye(3)])
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    moved = estimator.transform((x[:, np.newaxis] + steps).reshape(-1, 3)).reshape(4, 7, 3)
    log_prob = estimator.score_samples(x)
  z, jacobian = moved[:, 0], (moved[:, 1:4] - moved[:, 4:]) / 2e-5
  expected = stats.norm.logpdf(z).sum(axis=1) + np.linalg.slogdet(jacobian)[1]
  np.testing.assert_allclose(log_prob, expected, atol=1e-3)
  np.testing.assert_allclose(estimator.inverse_transform(z), x, atol=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_it_is_saved_in_every_way_to_the_bit(fitted, tmp_path):
  estimator, test = fitted
  expected = estimator.score_samples(test)
  joblib.dump(estimator, tmp_path / 'joblib')
  for other in (
    pickle.loads(pickle.dumps(estimator)),
    copy.deepcopy(estimator),
    joblib.load(tmp_path / 'joblib'),
  ):
    np.testing.assert_array_equal(other.score_samples(test), expected)
    np.testing.assert_array_equal(other.sample(3, 1), estimator.sample(3, 1))
  estimator.save(tmp_path / 'model.npz')
  model = ma_keras.load(tmp_path / 'model.npz')
  assert model.columns == ('a', 'b', 'c')
  np.testing.assert_allclose(model.flow().log_prob(test.to_numpy()), expected, rtol=1e-12)


@pytest.mark.slow
def test_names_are_kept_and_checked(fitted):
  estimator, test = fitted
  assert list(estimator.feature_names_in_) == ['a', 'b', 'c']
  with pytest.raises(ValueError, match='feature names should match'):
    estimator.score_samples(test[['b', 'a', 'c']])
  frame = polars.DataFrame(test.to_numpy(), schema=['a', 'b', 'c'])
  np.testing.assert_array_equal(estimator.score_samples(frame), estimator.score_samples(test))


@pytest.mark.slow
def test_a_gaussian_is_found_to_be_one(rng):
  mix = rng.normal(size=(4, 4))
  x = rng.normal(size=(2000, 4)) @ mix
  estimator = quick().fit(x[:1500])
  truth = stats.multivariate_normal(cov=mix.T @ mix).logpdf(x[1500:])
  assert estimator.start_ == 'Gaussian'
  assert abs(estimator.score(x[1500:]) - truth.mean()) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
  'draw, truth',
  [
    (lambda rng: rng.standard_cauchy((1500, 2)), lambda x: stats.cauchy.logpdf(x).sum(1)),
    (
      lambda rng: np.exp(2 * rng.normal(size=(1500, 2))),
      lambda x: stats.lognorm(2).logpdf(x).sum(1),
    ),
    (
      lambda rng: np.concatenate([rng.normal(size=(1499, 2)), [[1e6, -1e6]]]),
      lambda x: stats.norm.logpdf(x).sum(1),
    ),
  ],
)
def test_tails_do_not_spoil_the_rest(draw, truth, rng):
  """Cauchy, lognormal, and one outlier at a million deviations (which stays in training)."""
  x = draw(rng)
  train, test = np.concatenate([x[:1000], x[-1:]]), x[1000:-1]
  score = quick().fit(train).score_samples(test)
  assert abs(np.median(score - truth(test))) < 0.2
  assert np.mean(score - truth(test)) > -0.25


@pytest.mark.slow
def test_case_10_one_row_at_a_million_leaves_1200_others_their_entropy():
  """They got -12.95 nats each of -ln(2 pi e) = -2.84; the row itself is improbable and counts."""
  x = np.random.default_rng(1).normal(size=(1200, 2))
  estimator = quick().fit(np.concatenate([x, [[1e6, -1e6]]]))
  truth = stats.norm.logpdf(x).sum(axis=1)
  assert np.mean(truth) == pytest.approx(-2.84, abs=0.02)
  assert abs(estimator.score(x) - np.mean(truth)) < 0.15
  assert estimator.score_samples([[1e6, -1e6]])[0] < -20


def test_numbers_that_vary_little_around_a_large_one(rng):
  x = 1.7e9 + rng.normal(size=(500, 2)) * 1e-3
  truth = stats.norm(1.7e9, 1e-3).logpdf(x).sum(1)
  assert abs(quick(base='normal').fit(x).score(x) - truth.mean()) < 0.05


def test_outside_the_support_the_density_is_zero(rng):
  x = np.exp(2 * rng.normal(size=(300, 1)))
  estimator = quick(base='normal').fit(x)
  assert estimator.score_samples([[-1.0]])[0] == -np.inf
  assert np.all(estimator.sample(100, 0) > 0)


@pytest.mark.slow
def test_values_with_ties_get_no_spike(rng):
  """Dice: the density of a cell of width 1 is the probability of its number."""
  x = rng.integers(1, 7, size=(600, 1)).astype(float)
  score = quick().fit(x).score_samples(np.arange(1.0, 7.0)[:, np.newaxis])
  np.testing.assert_allclose(np.exp(score), np.full(6, 1 / 6), atol=0.05)


def test_samples_are_rounded_as_the_data_are(rng):
  """Every cell has the samples that fell into it; 0.3 is 0.3; latents keep their place."""
  age = rng.poisson(30, 800) + 18.0
  x = np.stack([age, np.round(age / 60 + rng.normal(size=800) / 9, 1), rng.normal(size=800)], 1)
  estimator = quick(base='normal', column_kinds={'0': 'integer+positive'}).fit(x)
  samples = estimator.sample(500, 3)
  assert set(samples[:, 1]) < set(np.arange(-20, 60) / 10)
  np.testing.assert_array_equal(samples[:, 0], np.floor(samples[:, 0]))
  z = estimator.transform(samples)
  np.testing.assert_allclose(estimator.inverse_transform(z + 0.0), samples, rtol=1e-12)
  assert np.all(np.abs(samples[:, 2] - np.round(samples[:, 2], 3)) > 0)
  assert np.all(np.isfinite(estimator.score_samples(samples)))


@pytest.mark.slow
def test_pipelines_and_searches(rng):
  x = rng.normal(size=(60, 2))
  normal = quick(base='normal')
  assert np.isfinite(make_pipeline(StandardScaler(), normal).fit(x).score(x))
  kinds = [{'0': 'heavy'}, None]
  search = GridSearchCV(normal, {'column_kinds': kinds}, cv=2).fit(x)
  assert set(search.best_params_) == {'column_kinds'}
  assert clone(search.best_estimator_).column_kinds in kinds


@pytest.mark.slow
def test_it_beats_a_mixture_on_modes(rng):
  centres = rng.normal(size=(5, 3)) * 6
  x = centres[rng.integers(5, size=900)] + rng.normal(size=(900, 3))
  mixture = GaussianMixture(5, n_init=3, random_state=0).fit(x[:600])
  assert quick().fit(x[:600]).score(x[600:]) > mixture.score(x[600:]) - 0.05


def test_codes_of_missing_values_are_doubted(rng):
  x = np.concatenate([rng.normal(size=(180, 1)), np.full((20, 1), -9999.0)])
  with pytest.warns(UserWarning, match='-9999 in 10.0% of the rows, far outside: a code for miss'):
    quick(base='normal').fit(x)


def test_bad_settings_name_themselves(rng):
  x = rng.normal(size=(30, 2))
  for settings, message in (
    ({'hidden_units': 0}, '`hidden_units` must be a whole number from 1'),
    ({'validation_fraction': 1.0}, '`validation_fraction` must be in'),
    ({'base': 'cauchy'}, "`base` must be 'auto' or 'normal'"),
    ({'column_kinds': {'7': 'real'}}, "names '7', and the columns are 0, 1"),
  ):
    with pytest.raises(ValueError, match=message):
      quick(**settings).fit(x)
  with pytest.raises(ValueError, match='do not vary'):
    quick().fit(np.c_[x, np.ones(30)])


@pytest.mark.parametrize(
  'settings, message',
  [
    ({'learning_rate': 'fast'}, '`learning_rate` must be positive'),
    ({'max_steps': float('nan')}, '`max_steps` must be a whole number'),
    ({'hidden_units': 'few'}, '`hidden_units` must be a whole number'),
    ({'validation_fraction': None}, r'`validation_fraction` must be in \(0, 1\)'),
    ({'column_kinds': 3}, '`column_kinds` must be a mapping'),
  ],
)
def test_settings_of_another_type_are_named(settings, message):
  with pytest.raises(ValueError, match=message):
    ma_keras.MongeAmpereDensity(**settings).fit(np.random.default_rng(0).normal(size=(20, 2)))


def test_rows_and_weights_that_nobody_can_mean_are_named():
  rows = np.random.default_rng(0).normal(size=(20, 2))
  density = quick(base='normal')
  with pytest.raises(ValueError, match='masked'):
    density.fit(np.ma.masked_greater(rows, 1.0))
  with pytest.raises(ValueError, match='one weight for each of the 20 rows'):
    density.fit(rows, sample_weight=np.ones(3))
  density.fit(rows)
  with pytest.raises(ValueError, match='masked'):
    density.score_samples(np.ma.masked_greater(rows, 1.0))
  with pytest.raises(ValueError, match='with NaN'):
    density.inverse_transform(np.full([2, 2], np.nan))
  with pytest.raises(ValueError, match='`n_samples` must be a positive'):
    density.sample(None)
