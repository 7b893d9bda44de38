"""`ma-keras score` of pictures: those of the model, by shape, channels and bits; -inf outside."""

import contextlib
import io
import re

import numpy as np
import PIL.Image
import pytest

import ma_keras
from ma_keras import data
from ma_keras.apps import score
from ma_keras.apps.model_app import dequantised
from ma_keras.data.context_columns import ContextColumn
from ma_keras.saving import model_file
from tests.apps.test_score import config, scores

pytestmark = pytest.mark.usefixtures('eagerly')

GREY = np.random.default_rng(0).integers(0, 256, (3, 4, 6), np.uint8)


def saved(folder, event_shape=(4, 6, 1), levels=256):
  size = int(np.prod(event_shape))
  potential = ma_keras.potentials.Quadratic(0.1 * np.eye(size))
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1)
  model_file.save(
    folder / 'model.npz', model_file.Model(bijector, data.Pixels(levels), event_shape)
  )


@pytest.mark.slow
def test_pictures_of_the_shape_of_the_model(tmp_path):
  """Case 15: grey stored as RGB is converted and said so; 6 x 4 is no 4 x 6; labels are paths."""
  saved(tmp_path)
  for mode in ('L', 'RGB'):
    (tmp_path / mode / 'sub').mkdir(parents=True)
    for k, name in enumerate(('a.png', 'b.png', 'sub/c.png')):
      PIL.Image.fromarray(GREY[k]).convert(mode).save(tmp_path / mode / name)
  labels, grey = scores(tmp_path, f'--input={tmp_path}/L')
  assert labels == ['row', 'a.png', 'b.png', 'sub/c.png'] and np.all(np.isfinite(grey))
  np.testing.assert_array_equal(scores(tmp_path, f'--input={tmp_path}/RGB')[1], grey)
  np.testing.assert_array_equal(scores(tmp_path, f'--input={tmp_path}/L/a.png')[1], grey[:1])
  np.save(tmp_path / 'x.npy', GREY)
  np.testing.assert_array_equal(scores(tmp_path, f'--input={tmp_path}/x.npy')[1], grey)
  np.save(tmp_path / 'turned.npy', GREY.reshape(3, 6, 4))
  PIL.Image.fromarray(GREY[0].T.copy()).save(tmp_path / 'turned.png')
  for name in ('turned.npy', 'turned.png'):
    with pytest.raises(ValueError, match=rf'{name} is 6 x 4( x 1)?, and the model takes 4 x 6 x 1'):
      score.work(config(tmp_path, f'--input={tmp_path}/{name}'))


@pytest.mark.slow
def test_outside_the_support_the_density_is_zero(tmp_path):
  """Case 14: pixels 300 or -1 have density 0, -inf and not NaN, constrained or not."""
  saved(tmp_path)
  rows = GREY.reshape(3, 24).astype(int)
  rows[0, 3], rows[2, 5] = 300, -1
  for kind in (np.int64, np.float64):
    np.save(tmp_path / 'x.npy', rows.astype(kind))
    for flag in ('--nounconstrained', '--unconstrained'):
      with contextlib.redirect_stdout(io.StringIO()) as out:
        found = scores(tmp_path, f'--input={tmp_path}/x.npy', flag)[1]
      np.testing.assert_array_equal(np.isneginf(found), [True, False, True])
      assert np.isfinite(found[1])
      line = r'3 rows, 2 of them of density 0, .*; the others: mean log_prob -\d+\.\d+ nats'
      assert re.search(line, out.getvalue())


@pytest.mark.slow
def test_pixels_that_were_scaled_are_doubted(tmp_path):
  """Pixels within [0, 1] are black for a model of 0 to 255: a doubt, said once."""
  saved(tmp_path)
  for rows, doubted in ((GREY / 255, True), (GREY > 99, True), (GREY, False), (GREY + 0.5, False)):
    np.save(tmp_path / 'x.npy', rows.reshape(3, 24).astype(float))
    with contextlib.redirect_stderr(io.StringIO()) as lines:
      scores(tmp_path, f'--input={tmp_path}/x.npy')
    assert lines.getvalue().count('multiply them by 255') == doubted


def test_a_model_of_vectors_takes_no_pictures(tmp_path):
  saved(tmp_path, (24,))
  PIL.Image.fromarray(GREY[0]).save(tmp_path / 'a.png')
  with pytest.raises(ValueError, match='is a picture, and the model takes vectors of 24 numbers'):
    score.work(config(tmp_path, f'--input={tmp_path}/a.png'))


def test_pixels_and_pictures_with_labels_are_scored_under_them(tmp_path):
  """phi = x.(A x/2 + V'c) moves the pixels by their label, and no noise is added to that."""
  kernel = np.linspace(-1.0, 1.0, 6)[np.newaxis]
  potential = ma_keras.potentials.Quadratic(np.zeros([6, 6]), context_kernel=kernel)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1)
  label = ContextColumn('label', ('cat', 'dog', 'owl'), 0.0, 2.0)
  model = model_file.Model(bijector, data.Pixels(256), (2, 3, 1), contexts=(label,))
  model_file.save(tmp_path / 'model.npz', model)
  pixels = GREY[:, :2, :3].reshape(3, 6)
  lines = [','.join([word, *map(str, row)]) for word, row in zip(('owl', 'cat', 'dog'), pixels)]
  names = ','.join(['label', *(f'p{k}' for k in range(6))])
  (tmp_path / 'x.csv').write_text('\n'.join([names, *lines]))
  found = scores(tmp_path, f'--input={tmp_path}/x.csv')[1]
  np.testing.assert_allclose(found, log_prob(pixels, [2, 0, 1], kernel), rtol=1e-4)
  for k, word in enumerate(('owl', 'cat', 'dog')):  # The same, as pictures in folders of classes.
    (tmp_path / 'pictures' / word).mkdir(parents=True)
    PIL.Image.fromarray(pixels[k].reshape(2, 3)).save(tmp_path / 'pictures' / word / 'a.png')
  labels, found = scores(tmp_path, f'--input={tmp_path}/pictures')
  assert labels == ['row', 'cat/a.png', 'dog/a.png', 'owl/a.png']
  np.testing.assert_allclose(found, log_prob(pixels[[1, 2, 0]], [0, 1, 2], kernel), rtol=1e-4)


def log_prob(pixels, codes, kernel):
  """ln p of pixels under z = y - 0.4 c V, whose log-det is that of the logit alone."""
  noisy = dequantised(pixels, 0, 0)
  z = data.Pixels(256).inverse(noisy.astype(np.float32)) - 0.4 * np.outer(codes, kernel)
  log_det = data.Pixels(256).inverse_log_det_jacobian(noisy, 1)
  return -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=-1) + log_det
