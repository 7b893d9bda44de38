"""Model files that are damaged, written by hand, or none."""

import functools
import io
import json
import os
import pathlib
import zipfile

import numpy as np
import pytest

import ma_keras
from ma_keras import potentials
from ma_keras.saving import model_file
from tests.robustness.row import Row

NAN = float('nan')
NONE = (
  '`path` model.npz is no model file of ma_keras, or is damaged (...): write one with '
  'ma_keras.model_file.save.'
)
BY_HAND = '`path` model.npz is damaged, or was written by hand ({}).'


@functools.cache
def content():
  """Bytes of a model file."""
  bijector = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(4, 3), 3, 0.2)
  model_file.save('model.npz', model_file.Model(bijector))
  return pathlib.Path('model.npz').read_bytes()


def saved():
  pathlib.Path('model.npz').write_bytes(content())


def load():
  return ma_keras.load('model.npz')


def of_bytes(junk):
  pathlib.Path('model.npz').write_bytes(junk)
  load()


def cut_off(count):
  of_bytes(content()[:-count])


def another_archive():
  np.savez('model.npz', x=np.zeros(3))
  load()


def described(change):
  """The file with its description changed."""
  saved()
  with np.load('model.npz') as file:
    arrays = {key: file[key] for key in file.files}
  description = json.loads(str(arrays.pop('model')))
  change(description)
  np.savez('model.npz', model=json.dumps(description), **arrays)
  load()


def with_argument(name, value):
  described(lambda d: d['potential']['arguments'].update({name: value}))


def with_key(name, value):
  described(lambda d: d.update({name: value}))


def npy(array, **options):
  stream = io.BytesIO()
  np.save(stream, array, **options)
  return stream.getvalue()


def with_weights(array):
  """The file with another first array, as it stands in the archive."""
  saved()
  with zipfile.ZipFile('model.npz') as file:
    members = {name: file.read(name) for name in file.namelist()}
  with zipfile.ZipFile('model.npz', 'w', zipfile.ZIP_DEFLATED) as file:
    for name, before in members.items():
      file.writestr(name, array if name == 'variable_0.npy' else before)
  load()


def pipe():
  os.mkfifo('model.npz')
  load()


def saved_with_nan():
  potential = potentials.OneHiddenLayer(4, 3)
  potential.bias.assign([1.0, NAN, 1.0])
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.2)
  model_file.save('other.npz', model_file.Model(bijector))


ZEROS = np.zeros(3, np.float32)

ROWS = [
  Row('missing', load, ValueError, NONE),
  Row('empty, or text', of_bytes, ValueError, NONE, (b'', b'no model', b'PK\x03\x04 cut off')),
  Row('cut off', cut_off, ValueError, NONE, (1, 200, 1000)),
  Row('another `.npz`', another_archive, ValueError, NONE),
  Row('a pipe', pipe, ValueError, NONE),
  Row('a folder', lambda: os.mkdir('model.npz') or load(), ValueError, NONE),
  Row(
    'of a newer format',
    lambda number: with_key('format', number),
    ValueError,
    '`path` model.npz has format {!r}, and this version reads (1, 2, 3, 4): install the newest '
    'ma_keras.',
    (99, '2', None),
  ),
  Row(
    'a class that is none of ours',
    lambda name: described(lambda d: d['potential'].update({'class': name})),
    ValueError,
    BY_HAND.format('...asks for {!r}...'),
    ('os.system', 'Potential'),
  ),
  Row(
    'a key that nobody knows',
    lambda name: with_key(name, 'red'),
    ValueError,
    BY_HAND.format("keys [] are missing, ['{}'] unknown: perhaps of a newer version"),
    ('colour',),
  ),
  Row(
    'an argument that nobody knows',
    lambda name: with_argument(name, 'red'),
    ValueError,
    BY_HAND.format('...{}...'),
    ('colour',),
  ),
  Row(
    'sizes that are not those of the weights',
    lambda number: with_argument('hidden_units', number),
    ValueError,
    BY_HAND.format('variable_0 is float32 [3], and is described as float32 [{}]'),
    (300_000_000, 7, 1),
  ),
  Row(
    'sizes that are no sizes',
    lambda value: with_argument('hidden_units', value),
    ValueError,
    BY_HAND.format('...'),
    (-3, 0, 2.5, '3', True, None, NAN, [3], 10**30),
  ),
  Row(
    '1e9 steps, or none',
    lambda number: with_key('num_steps', number),
    ValueError,
    BY_HAND.format('`num_steps` is {}, of 1 to 1000000'),
    (10**9, 0, -1),
  ),
  Row(
    'weights of another shape or dtype',
    lambda array: with_weights(npy(array)),
    ValueError,
    BY_HAND.format('variable_0 is ..., and is described as float32 [3]'),
    (ZEROS[:, np.newaxis], ZEROS.astype(float), ZEROS.astype('>f4'), ZEROS[:0]),
  ),
  Row(
    'NaN or infinity among the weights',
    lambda value: with_weights(npy(ZEROS + np.float32(value))),
    ValueError,
    BY_HAND.format('variable_0 of the model, of shape [3], holds NaN or infinity'),
    (NAN, np.inf, -np.inf),
  ),
  Row(
    'weights that are Python objects, or no array',
    with_weights,
    ValueError,
    NONE,
    (npy(np.array([{}] * 3), allow_pickle=True), b'', b'no header', npy(ZEROS) + b'x'),
  ),
  Row(
    'a zip bomb',
    lambda: with_weights(npy(np.zeros((5000, 5000), np.float32))),
    ValueError,
    '`path` model.npz is no model file of ma_keras, or is damaged (... bytes that would become '
    '...: no model compresses so): write one ...',
  ),
  Row(
    'to save NaN among the weights',
    saved_with_nan,
    ValueError,
    'variable_1 of the model, of shape [3], holds NaN or infinity',
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_a_model_file(row):
  row.check()
