"""A fingerprint is that of the content: not of the name, the time, or the way it is read."""

import hashlib
import os

import numpy as np

from ma_keras.data import fingerprint


def test_of_a_file_it_is_the_sha256_of_its_bytes(tmp_path, monkeypatch):
  content = np.random.default_rng(0).bytes(10_007)
  (tmp_path / 'x').write_bytes(content)
  monkeypatch.setattr(fingerprint, 'BLOCK', 100)
  assert fingerprint.of_file(tmp_path / 'x') == hashlib.sha256(content).hexdigest()
  os.utime(tmp_path / 'x', (0, 0))
  (tmp_path / 'x').rename(tmp_path / 'y')
  assert fingerprint.of_file(tmp_path / 'y') == hashlib.sha256(content).hexdigest()


def test_of_arrays_it_knows_values_shapes_dtypes_and_their_order():
  x = np.arange(6, dtype=np.uint8)
  distinct = [
    (x,), (x.reshape(2, 3),), (x.reshape(3, 2),), (x[::-1],), (x.astype(np.int8),),
    (x[:3], x[3:]), (x[:2], x[2:]), (x[3:], x[:3]),
  ]  # fmt: skip
  assert len({fingerprint.of_arrays(*arrays) for arrays in distinct}) == len(distinct)
  columns = np.asfortranarray(x.reshape(2, 3))
  assert fingerprint.of_arrays(columns) == fingerprint.of_arrays(x.reshape(2, 3))
