"""Context columns are read beside the others, row by row, whatever file they are in."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ma_keras.data import sources, tables
from ma_keras.data.context_columns import ContextColumn
from ma_keras.data.context_reading import doubts

TOWNS = ('Łódź, north', 'a=b', 'x "y"')
COUNT = 60


def columns():
  """x, age, town and region of every row, the last a number that is a name."""
  k = np.arange(COUNT)
  return k / 4, 20.0 + k % 7, [TOWNS[i % 3] for i in k.tolist()], 10 * (1 + k % 2)


def quoted(word):
  return '"' + word.replace('"', '""') + '"'


def written_as_csv(folder):
  rows = zip(*columns())
  lines = [f'{x};{age};{quoted(town)};{region}'.replace('.', ',') for x, age, town, region in rows]
  path = folder / 'people.csv'
  path.write_text('\n'.join(['x;age in years;home town;region', *lines]), encoding='utf-8-sig')
  return path


def written_as_parquet(folder):
  x, age, town, region = columns()
  names = ['x', 'age in years', 'home town', 'region']
  table = pa.table([x, age, pa.array(town).dictionary_encode(), region], names=names)
  pa.parquet.write_table(table, folder / 'people.parquet', row_group_size=7)
  return folder / 'people.parquet'


def written_as_npz(folder):
  x, age, town, region = columns()
  named = {'x': x, 'age in years': age, 'home town': np.array(town), 'region': region}
  np.savez(folder / 'people.npz', **named)
  return folder / 'people.npz'


NAMES = ['home town', 'age in years', 'region']


@pytest.mark.parametrize('write', [written_as_csv, written_as_parquet, written_as_npz])
def test_numbers_and_codes_of_words_stand_before_the_other_columns(tmp_path, write):
  path = write(tmp_path)
  table = tables.open_table(path, context_columns=NAMES, categorical=['region'])
  x, age, town, region = columns()
  codes = [sorted(TOWNS).index(name) for name in town]
  expected = np.stack([codes, age, region / 10 - 1, x], axis=-1)
  np.testing.assert_array_equal(np.concatenate(list(table.read(7))), expected)
  assert table.contexts == (
    ContextColumn('home town', tuple(sorted(TOWNS)), 0.0, 2.0),
    ContextColumn('age in years', None, 20.0, 26.0),
    ContextColumn('region', ('10', '20'), 0.0, 1.0),
  )
  assert table.names == ('x',) and table.event_size == 1 and table.row_size == 4
  assert 'given home town, age in years, region' in table.understood
  points = sources.load_file(path, context_columns=NAMES, categorical=['region'])
  contexts, rows = points.parts(points.train)
  assert points.event_shape == (1,) and contexts.shape[1] == 3 and rows.shape[1] == 1
  order = np.rint(4 * rows[:, 0]).astype(int)
  np.testing.assert_array_equal(contexts, expected[order, :3])


def table_of(folder, text, **options):
  (folder / 'table.csv').write_text(text)
  return tables.open_table(folder / 'table.csv', **{'context_columns': ['c'], **options})


ROWS = 'x,c\n1.5,a\n2.5,b\n' + '3.5,a\n4.5,b\n' * 5


@pytest.mark.parametrize(
  'text, options, message',
  [
    (ROWS, {'context_columns': ['k']}, "no column 'k' of --context_columns: it has x, c"),
    (ROWS, {'columns': ['x', 'c']}, "'c' of --context_columns that is in --columns, too"),
    (ROWS, {'ignore_columns': ['c']}, 'that is in --ignore_columns, too'),
    (ROWS, {'ids': 'c'}, 'that is in --id_column, too'),
    (ROWS, {'context_columns': ['c', 'c']}, 'that is in --context_columns twice, too'),
    (ROWS, {'context_columns': ['c', 'x']}, 'has no column left to take'),
    (ROWS.replace('b', 'a'), {}, "has 'a' alone in context column 'c'"),
    ('x,c\n1.5,a\n2.5,b\n3.5,d\n', {}, '3 different words in 3 rows .* names and no categories'),
    ('x,c\n1.5,3\n2.5,3\n', {}, "has 3 alone in context column 'c'"),
    ('x,c\n1.5,2020-01-01\n2.5,2020-01-02\n', {}, "has dates in context column 'c': write num"),
    (ROWS, {'levels': 9}, 'holds levels of pixels'),
  ],
)
def test_columns_that_cannot_be_given_are_refused_by_name(tmp_path, text, options, message):
  with pytest.raises(ValueError, match=message):
    table_of(tmp_path, text, **options)


def test_missing_words_are_missing_values_and_rows_without_them_stay_together(tmp_path):
  text = ROWS.replace('2.5,b', '2.5,NA').replace('4.5,b', '4.5,', 1)
  with pytest.raises(ValueError, match=r"column 'c' of row 1 .* is missing"):
    list(table_of(tmp_path, text).read(100))
  table = table_of(tmp_path, text, missing='drop')
  (rows,) = table.read(100)
  assert table.dropped == [1, 3] and table.contexts[0].categories == ('a', 'b')
  np.testing.assert_array_equal(rows[:3], [[0, 1.5], [0, 3.5], [0, 3.5]])


def test_what_a_model_was_not_trained_on_is_refused_with_its_row(tmp_path):
  known = {'context_columns': (), 'contexts': (ContextColumn('c', ('a', 'bb'), 0.0, 1.0),)}
  with pytest.raises(ValueError, match=r"has 'b' in context column 'c', .* 'bb'\?\), in row 1 "):
    list(table_of(tmp_path, ROWS, **known).read(100))
  with pytest.raises(ValueError, match=r'no column .c. of --context_columns'):
    table_of(tmp_path, ROWS.replace('x,c', 'x,d'), **known)
  known['contexts'] = (ContextColumn('c', None, 0.0, 1.0),)
  with pytest.raises(ValueError, match=r'has text.* in context column .c., of which the model'):
    list(table_of(tmp_path, ROWS, **known).read(100))


def test_rare_categories_are_in_doubt():
  column = ContextColumn('c', ('a', 'b'), 0.0, 1.0)
  assert doubts(column, np.array([0.0] * 20 + [1.0] * 3)).endswith("little of them: 'b' (3)")
  assert not doubts(column, np.array([0.0, 1.0] * 20))
  assert not doubts(ContextColumn('c', None, 0.0, 1.0), np.array([0.0]))
