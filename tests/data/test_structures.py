"""Structures in XYZ: what is written is read, and is what the format says."""

import sys

import numpy as np
import pytest

pytest.importorskip('ase')

from ma_keras.data import structures


@pytest.mark.parametrize('dimensions', [2, 3])
def test_what_is_written_is_read(tmp_path, rng, dimensions):
  positions = rng.normal(size=(4, 5, dimensions))
  structures.write(tmp_path / 'a.xyz', positions)
  read = structures.read(tmp_path / 'a.xyz')
  np.testing.assert_allclose(read[..., :dimensions], positions, atol=1e-7)
  assert read.shape == (4, 5, 3) and np.all(read[..., dimensions:] == 0.0)


def test_the_file_is_what_the_format_says(tmp_path):
  """A number, a comment, and a line of symbol and coordinates for every particle."""
  structures.write(tmp_path / 'a.xyz', np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]]), 'Ar')
  count, _, *rows = (tmp_path / 'a.xyz').read_text().splitlines()
  assert int(count) == 2 and len(rows) == 2
  symbol, *numbers = rows[1].split()
  assert symbol == 'Ar' and list(map(float, numbers)) == [0.0, -1.0, 0.5]


@pytest.mark.parametrize('box', [(4.0, 5.0), (4.0, 5.0, 6.0)])
def test_kinds_and_the_box_are_in_the_file(tmp_path, rng, box):
  positions = rng.normal(size=(2, 3, len(box)))
  structures.write(tmp_path / 'a.xyz', positions, species=(0, 1, 0), box=box)
  ase, missing = pytest.importorskip('ase.io'), 3 - len(box)
  for frame in ase.read(tmp_path / 'a.xyz', index=':'):
    assert list(frame.numbers) == [1, 2, 1]
    np.testing.assert_allclose(frame.cell.lengths(), [*box, *[0.0] * missing])
    assert list(frame.pbc) == [True] * len(box) + [False] * missing
  for wrong in ({'species': (0, 1)}, {'box': (4.0,)}):
    with pytest.raises(ValueError, match=rf'`{next(iter(wrong))}` must hold \d numbers'):
      structures.write(tmp_path / 'a.xyz', positions, **wrong)


def test_a_file_written_by_hand_is_read(tmp_path):
  (tmp_path / 'b.xyz').write_text('2\nwater\nO 0 0 0\nH 0 0 1.5\n2\n\nO 1 0 0\nH 0 2 0\n')
  np.testing.assert_allclose(
    structures.read(tmp_path / 'b.xyz'),
    [[[0, 0, 0], [0, 0, 1.5]], [[1, 0, 0], [0, 2, 0]]],
  )


@pytest.mark.parametrize('bad', [np.zeros(3), np.zeros([2, 3, 4]), np.full([1, 2, 3], np.inf)])
def test_what_are_no_positions_is_refused_and_leaves_the_file(tmp_path, bad):
  (tmp_path / 'a.xyz').write_text('before')
  with pytest.raises(ValueError, match='`positions` must be finite'):
    structures.write(tmp_path / 'a.xyz', bad)
  assert (tmp_path / 'a.xyz').read_text() == 'before'


@pytest.mark.parametrize(
  'text, message',
  [
    ('1\n\nO 0 0 0\n2\n\nO 0 0 0\nO 1 0 0\n', r'one number of particles, got \[1, 2\]'),
    ('nothing\n', 'no structures that ase can read'),
    ('', 'no structures that ase can read|got none'),
  ],
)
def test_bad_files_are_told_by_name(tmp_path, text, message):
  (tmp_path / 'a.xyz').write_text(text)
  with pytest.raises(ValueError, match=message):
    structures.read(tmp_path / 'a.xyz')


def test_a_missing_file_and_a_missing_package_are_told(tmp_path, monkeypatch):
  with pytest.raises(ValueError, match='no structures that ase can read'):
    structures.read(tmp_path / 'none.xyz')
  monkeypatch.setitem(sys.modules, 'ase', None)
  with pytest.raises(ImportError, match='ma_keras\\[particles\\]'):
    structures.read(tmp_path / 'none.xyz')
