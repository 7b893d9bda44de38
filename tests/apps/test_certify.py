"""`ma-keras certify` measures what `ma-keras score` writes, and names the steps that it takes."""

import re

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import data, pretrained
from ma_keras.apps import certify, model_app
from ma_keras.apps.configuration import CertifyConfig
from ma_keras.saving import model_file

pytestmark = pytest.mark.slow

MATRIX = np.array([[1.5, 0.4], [0.4, -1.0]])


def saved(path, preprocessing, event_shape=None):
  """A flow whose error in two steps is some tenths of a nat."""
  potential = ma_keras.potentials.Quadratic(MATRIX)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.9, 'midpoint')
  model_file.save(path, model_file.Model(bijector, preprocessing, event_shape))
  return ma_keras.load(path)


@pytest.mark.parametrize(
  'preprocessing',
  [None, data.Standardised([8.0, 7.0], [4.0, 6.0]), data.Pixels(16)],
  ids=['none', 'table', 'pixels'],
)
def test_the_change_is_that_of_the_scores_that_are_written(tmp_path, preprocessing):
  """The change at rows of a table is that of the data's log_prob, as scores are written."""
  path, rows = tmp_path / 'model.npz', np.random.default_rng(0).integers(0, 16, size=(30, 2))
  model = saved(path, preprocessing, (2, 1) if isinstance(preprocessing, data.Pixels) else None)
  np.save(tmp_path / 'x.npy', rows)
  config = CertifyConfig(model=str(path), input=str(tmp_path / 'x.npy'), n=20, batch_size=7)
  start = certify.points(model, config)
  (result,) = certify.certificates(model, start, config).values()
  x = rows[:20].astype(np.float32)
  if isinstance(preprocessing, data.Pixels):  # Whole numbers: dequantised as `score` does.
    x = model_app.dequantised(x, 0, seed=0).astype(np.float32).reshape(20, 2, 1)
  fine = model_file.Model(model.bijector.refined(), preprocessing, model.event_shape)
  change = model.flow().log_prob(x) - fine.flow().log_prob(x)
  np.testing.assert_allclose(result.log_prob_change, change, rtol=1e-3, atol=1e-4)
  assert abs(np.mean(change)) > 0.01


def certified(path, **options):
  """Exit code of the command."""
  saved(path, None)
  try:
    certify.main(CertifyConfig(model=str(path), n=50, **options))
  except SystemExit as ending:
    return ending.code
  return 0


def test_the_steps_that_are_named_pass_and_half_of_them_do_not(tmp_path, capsys):
  path = tmp_path / 'model.npz'
  assert certified(path) == 3
  stdout, stderr = capsys.readouterr()
  assert re.search(r'2 steps against 4: changes by .* nats on average, .* root mean', stdout)
  named = int(re.search(r'use --num_steps=(\d+), the first doubling', stderr)[1])
  assert named > 2 and '--tolerance=0.1 at 2 steps' in stderr
  assert certified(path, num_steps=named) == 0
  assert certified(path, num_steps=named // 2) == 3


def test_a_tolerance_that_no_depth_meets_ends_in_advice(tmp_path, capsys):
  assert certified(tmp_path / 'model.npz', tolerance=0) == 3
  assert 'so it is at 128 steps: train anew' in capsys.readouterr().err


def failures(result):
  return certify.failures(result, CertifyConfig(model='', tolerance=0.1, doubted=0.05))


def test_mean_spread_quantile_and_doubt_each_stop_it():
  """Each of the four numbers stops it alone; NaN stops it, too."""
  changes = {
    '': [0.0] * 100,
    'mean': [0.12] * 100,
    'root mean square': [2.0, -2.0] + [0.0] * 98,
    '95 % quantile': [0.2, -0.2] * 5 + [0.0] * 90,
  }
  for name, change in changes.items():
    change = np.array(change)
    result = ma_keras.Certificate(change, change, 0 * change, change, change)
    named = [phrase.rsplit(' ', 1)[0] for phrase in failures(result)]
    assert (name in named) if name else not named, (name, named)
    assert set(named) <= {name, 'root mean square', '95 % quantile'}
  zero, doubt = np.zeros(100), np.where(np.arange(100) < 6, np.inf, 0.0)
  doubtful = ma_keras.Certificate(zero, zero, doubt, zero, zero)
  assert failures(doubtful) == ['6.0% of the points in doubt']
  doubt[0] = 0.0
  assert not failures(doubtful)
  unknown = doubtful._replace(log_prob_change=np.where(np.arange(100) < 1, np.nan, 0.0))
  assert len(failures(unknown)) == 3


@pytest.mark.parametrize('name', ['mnist', 'dw4', 'ising_l8'])  # One of every kind.
def test_certificates_of_pretrained_models_are_the_change_on_halving(name):
  """Both directions, up to rounding of ln p in float32; in few steps, which take less time."""
  model = pretrained.load(name)
  bijector, base = model.bijector.in_steps(8), model.base
  coarse, fine = (
    ma_keras.distributions.flow_from(base, flow) for flow in (bijector, bijector.refined())
  )
  z = coarse.distribution.sample(2, seed=[1, 2])
  y, log_prob = ma_keras.distributions.push_forward(coarse, z)
  certificate = bijector.certificate
  drawn, scored = certificate(z, base=base), certificate(y, reverse=True, base=base)
  rounding = 1e-6 * np.max(np.abs(log_prob))
  halved = fine.log_prob(tf.identity(y))
  np.testing.assert_allclose(drawn.log_prob_change, log_prob - halved, atol=rounding)
  change = coarse.log_prob(tf.identity(y)) - halved
  np.testing.assert_allclose(scored.log_prob_change, change, atol=rounding)
