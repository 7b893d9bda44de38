"""Text tables of any separator, quote, encoding and decimal mark are the numbers they say."""

import bz2
import gzip

import numpy as np
import pyarrow as pa
import pytest

from ma_keras.data import dialect, tables

ROWS = [[1.5, -2.25], [0.125, 3e5], [-4.0, 0.5]]


def read(path, **options):
  """All rows, and the table."""
  table = tables.open_table(path, **options)
  return np.concatenate(list(table.read(1000))), table


def write(path, text, encoding='utf-8'):
  path.write_bytes(text.encode(encoding))
  return path


def text(separator, mark, quote='', header=(), end='\n'):
  lines = [[f'{x:g}'.replace('.', mark) for x in row] for row in ROWS]
  lines = [list(header)] * bool(header) + lines
  return end.join(separator.join(f'{quote}{c}{quote}' for c in line) for line in lines) + end


@pytest.mark.parametrize('header', [(), ('a', 'b')])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize(
  'separator, mark, quote',
  [
    (',', '.', ''),
    (',', '.', '"'),
    (',', ',', '"'),
    (';', ',', ''),
    (';', '.', ''),
    ('\t', ',', ''),
    ('|', '.', ''),
    (' ', '.', ''),
    ('   ', ',', ''),
    (', ', '.', ''),
    (';', ',', "'"),
  ],
)
def test_separators_quotes_and_decimal_marks(tmp_path, separator, mark, quote, header, end):
  """Field case 6: semicolons and tabs were refused, decimal commas made two columns of one."""
  rows, table = read(write(tmp_path / 'x.txt', text(separator, mark, quote, header, end)))
  np.testing.assert_array_equal(rows, ROWS)
  assert table.names == (header or None)


@pytest.mark.parametrize(
  'encoding, name',
  [
    ('utf-8', 'UTF-8,'),
    ('utf-8-sig', 'UTF-8 with byte order mark'),
    ('utf-16', 'UTF-16'),
    ('utf-16-le', 'UTF-16'),
    ('utf-16-be', 'UTF-16'),
    ('utf-32', 'UTF-32'),
    ('latin-1', 'Latin-1'),
    ('cp1252', 'Latin-1'),
  ],
)
@pytest.mark.parametrize('separator', [';', ' '])
def test_encodings(tmp_path, encoding, name, separator):
  content = text(separator, ',', header=('l\u00e4nge', 'h\u00f6he'))
  rows, table = read(write(tmp_path / 'x.csv', content, encoding))
  np.testing.assert_array_equal(rows, ROWS)
  assert table.names == ('l\u00e4nge', 'h\u00f6he') and name in table.understood


def test_a_byte_order_mark_is_no_header(tmp_path):
  """Field case 5: the first row was dropped, and every label one off."""
  table = tables.open_table(write(tmp_path / 'x.csv', '1,2\n3,4\n5,6\n7,8\n', 'utf-8-sig'))
  ((labels, rows),) = table.labelled(9)
  np.testing.assert_array_equal(rows, [[1, 2], [3, 4], [5, 6], [7, 8]])
  assert list(labels) == [0, 1, 2, 3] and 'no header' in table.understood


@pytest.mark.parametrize(
  'name, pack',
  [
    ('x.csv.gz', gzip.compress),
    ('X.CSV.GZ', gzip.compress),
    ('x.csv.bz2', bz2.compress),
    ('x.csv.zst', pa.Codec('zstd').compress),
    ('x.gz', lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:])),
  ],
)
def test_packed_files(tmp_path, name, pack):
  content = pack(text(',', '.').encode())
  (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.to_pybytes())
  np.testing.assert_array_equal(read(tmp_path / name)[0], ROWS)


@pytest.mark.parametrize(
  'content',
  [
    *('1,26\n0,13\n-0,05\n', 'x\n1,26\n0,13\n', '1,26e1\n3,5e2\n', '4\n1,25\n3,05\n'),
    *('-0,13\n1,25\n', '+0,13\n1,25\n'),
    '1,2345678901234567\n2,3456789012345678\n',  # Sixteen digits: no whole number is so exact.
  ],
)
def test_a_column_of_decimal_commas_is_one_column(tmp_path, content):
  """Field case 6: [1, 26] for 1.26."""
  rows, _ = read(write(tmp_path / 'x.csv', content))
  lines = [line for line in content.split() if line != 'x']
  np.testing.assert_array_equal(rows, [[float(line.replace(',', '.'))] for line in lines])


@pytest.mark.parametrize(
  'first, second',
  [('26', '13'), ('50', '20'), ('2125', '31'), ('123456789012345', '234567890123456')],
)
def test_what_could_be_one_column_or_two_is_refused_until_someone_says(tmp_path, first, second):
  path = write(tmp_path / 'x.csv', f'1,{first}\n3,{second}\n')
  with pytest.raises(ValueError, match='--decimal=comma or --decimal=point'):
    read(path)
  rows, _ = read(path, decimal='comma')
  np.testing.assert_array_equal(rows, [[float(f'1.{first}')], [float(f'3.{second}')]])
  np.testing.assert_array_equal(read(path, decimal='point')[0], [[1, int(first)], [3, int(second)]])


@pytest.mark.parametrize('content', ['1,2\n3,4\n', '1,20\n3,4\n', '7,26\n3,130\n'])
def test_whole_numbers_that_no_fraction_is_printed_as_are_two_columns(tmp_path, content):
  assert read(write(tmp_path / 'x.csv', content))[0].shape == (2, 2)


@pytest.mark.parametrize(
  'content',
  ['a;b\n1.234,5;2\n', 'a,b\n"1,234.5",2\n', 'a;b\n1,234,567;2\n', "a;b\n1'234.5;2\n"],
)
def test_thousands_separators_are_refused(tmp_path, content):
  with pytest.raises(ValueError, match='thousands separators'):
    read(write(tmp_path / 'x.csv', content))


def test_three_digits_behind_every_comma_are_refused_until_someone_says(tmp_path):
  path = write(tmp_path / 'x.csv', 'a;b\n1,234;2\n12,345;3\n')
  with pytest.raises(ValueError, match=r'a thousand or a decimal comma .*--decimal=comma'):
    read(path)
  np.testing.assert_array_equal(read(path, decimal='comma')[0], [[1.234, 2], [12.345, 3]])


def test_points_and_commas_do_not_mix(tmp_path):
  with pytest.raises(ValueError, match=r"decimal points and decimal commas, '2.5' and '1,5'"):
    read(write(tmp_path / 'x.csv', 'a;b\n1,5;2.5\n'))


@pytest.mark.parametrize(
  'content, names, count',
  [
    ('x,y\n1,2\n', ('x', 'y'), 1),
    ('1,2\n3,4\n', None, 2),
    ('2019,2020\n1.5,2.5\n', None, 2),
    ('x,y\n1,\n2,3\n', ('x', 'y'), 2),
    ('# x,y\n1.0,2.0\n', ('x', 'y'), 1),
    ('# made by nobody\n# x y\n1.0 2.0\n', ('x', 'y'), 1),
    ('# a, b, c\n1.0,2.0\n', None, 1),
    ('\n\n"x","y"\n1,2\n', ('x', 'y'), 1),
    ('"two\nlines",y\n1,2\n', ('two\nlines', 'y'), 1),
    ('sep=;\nx;y\n1,5;2\n', ('x', 'y'), 1),
    (',x,y\n0,1.5,2\n1,2.5,3\n', ('x', 'y'), 2),
    (',0,1\n0,1.5,2\n1,2.5,3\n', ('0', '1'), 2),
    ('"x" "y"\n"1" 1.5 2\n"2" 2.5 3\n', ('x', 'y'), 2),
    ('x,y,\n1,2,\n3,4,\n', ('x', 'y'), 2),
    ('flag,x\ntrue,1\nFalse,2\n', ('flag', 'x'), 2),
    ('| x | y |\n| 1 | 2 |\n', ('x', 'y'), 1),
    ('1, 26\n0, 13\n', None, 2),
    ('1,-26\n0,13\n', None, 2),
    ('zip,n\n02139,12\n10001,25\n', ('zip', 'n'), 2),
  ],
)
def test_headers_name_columns_and_no_row_is_taken_for_one(tmp_path, content, names, count):
  rows, table = read(write(tmp_path / 'x.csv', content), missing='drop')
  assert table.names == names and table.num_rows == count and rows.shape[1] == 2


def test_words_beside_numbers_are_data_and_no_header(tmp_path):
  path = write(tmp_path / 'x.csv', 'anna,1,2\nbob,3,4\n')
  rows, table = read(path, ids='0')
  assert table.names is None
  np.testing.assert_array_equal(rows, [[1, 2], [3, 4]])


@pytest.mark.parametrize('content', ['x,2020\n1.5,2.5\n', '0,1\n1.5,2.5\n'])
def test_a_first_row_that_could_be_either_is_refused_until_someone_says(tmp_path, content):
  path = write(tmp_path / 'x.csv', content)
  with pytest.raises(ValueError, match=r'--header=yes .*--header=no'):
    read(path)
  rows, table = read(path, header='yes')
  np.testing.assert_array_equal(rows, [[1.5, 2.5]])
  assert table.names == tuple(content.split()[0].split(','))


def test_numbers_over_fractions_may_be_names(tmp_path):
  path = write(tmp_path / 'x.csv', '0,1,2\n1.5,2.5,3.5\n')
  with pytest.raises(ValueError, match=r'a first row 0, \.\.\., 2 over fractions'):
    read(path)


def test_numbers_below_zero_are_no_digits_behind_a_comma(tmp_path):
  """1,05 may be a fraction, and 1,-2 is none: four columns."""
  rows, _ = read(write(tmp_path / 'x.csv', '1,-2,0,05\n3,4,5,06\n'))
  np.testing.assert_array_equal(rows, [[1, -2, 0, 5], [3, 4, 5, 6]])


def test_an_apostrophe_is_no_quote_where_there_are_others(tmp_path):
  path = write(tmp_path / 'x.csv', 'x,name\n1,\'a\'\n2,"b,c"\n')
  ((labels, rows),) = tables.open_table(path, ids='name').labelled(9)
  assert list(labels) == ["'a'", 'b,c'] and rows.tolist() == [[1.0], [2.0]]


def test_single_quotes_begin_lines_too(tmp_path):
  path = write(tmp_path / 'x.csv', "name,x\n'a,b',1\n'c',2\n")
  ((labels, rows),) = tables.open_table(path, ids='name').labelled(9)
  assert list(labels) == ['a,b', 'c'] and rows.tolist() == [[1.0], [2.0]]


def test_a_column_without_a_name_is_an_index_where_no_value_recurs(tmp_path):
  assert read(write(tmp_path / 'x.csv', ',x\n1,2.5\n2,3.5\n3,4.5\n'))[1].names == ('x',)
  rows, table = read(write(tmp_path / 'y.csv', ',x\n1,2.5\n1,3.5\n3,4.5\n'))
  assert table.names == ('0', 'x')
  np.testing.assert_array_equal(rows, [[1, 2.5], [1, 3.5], [3, 4.5]])


def test_words_over_words_alone_are_names(tmp_path):
  path = write(tmp_path / 'x.csv', 'name,city\nanna,bonn\nbob,kiel\n')
  with pytest.raises(ValueError, match=r"'name' holds text, 'anna' in row 0.*'city' holds text"):
    read(path)


def test_a_header_that_is_said_not_to_be_one_is_data(tmp_path):
  with pytest.raises(ValueError, match=r"'0' holds text|'x' in column 0"):
    read(write(tmp_path / 'x.csv', 'x,y\n1,2\n'), header='no')


@pytest.mark.parametrize(
  'content, message',
  [
    ('', 'empty'),
    ('\n \n', 'empty'),
    ('x,y\n', 'empty'),
    ('1,2\n3\n', '1 cells in row 1 .*line 2'),
    ('x,y\n1,2\n3,4,5\n', '3 cells in row 1 .*line 3'),
    ('1,2\n3,four\n5,6\n', "row 1 .*'four' in column 1"),
    ('x,y\n1,2\n3,4 kg\n5,6\n', "row 1 .*line 3.*'4 kg' in column 'y'.*--ignore_columns=y"),
    ('x,when\n1,2020-01-01\n2,2020-01-02\n', "'when' holds dates, '2020-01-01' in row 0"),
    ('a,b\n1,2\n"3\n', 'row 1'),
    ('1,26,0,13\n2,50,1,05\n', "decimal commas, '1,05', and commas between columns"),
    ('a,b\n1,26,0,13\n', '2 names in its header, and 4 cells .* decimal commas'),
    ('id,x\n12345678901234567891,1\n', "'id' holds whole numbers beyond"),
    ('id,x\n9007199254740993,1\n', "'id' holds whole numbers beyond"),
  ],
)
def test_what_is_wrong_with_a_text_table_is_said(tmp_path, content, message):
  with pytest.raises(ValueError, match=message) as refusal:
    read(write(tmp_path / 'x.csv', content))
  assert '\n' not in str(refusal.value)


@pytest.mark.parametrize('end', [b'\n', b'\r'])
def test_a_sample_ends_with_its_last_whole_line(end):
  """A table is guessed from its first megabyte, which may end within a number."""
  lines = [b'x,y', b'1,2', b'3,42', b'5,6']
  cut = dialect.sniff(end.join(lines), whole=False, suffix='.csv')
  assert cut.rows == [['x', 'y'], ['1', '2'], ['3', '42']]
  assert len(dialect.sniff(end.join(lines), whole=True, suffix='.csv').rows) == 4


@pytest.mark.slow
def test_a_word_far_behind_the_first_rows_is_named(tmp_path):
  lines = [f'{k},{k / 8}' for k in range(120_000)]
  lines[100_000] = '100000,oops'
  with pytest.raises(ValueError, match=r"row 100000 .*line 100001.*'oops' in column 1"):
    read(write(tmp_path / 'x.csv', '\n'.join(lines)))


def test_comments_between_rows_and_empty_lines_are_left_out(tmp_path):
  rows, _ = read(write(tmp_path / 'x.csv', '1,2\n# half\n\n3,4\n\n'))
  np.testing.assert_array_equal(rows, [[1, 2], [3, 4]])


def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path):
  path = write(tmp_path / 'x.csv', 'x\n1\n\n3\n')
  with pytest.raises(ValueError, match="column 'x' of row 1"):
    read(path)
  ((labels, _),) = tables.open_table(path, missing='drop').labelled(9)
  assert list(labels) == [0, 2]


def test_double_precision_is_kept(tmp_path):
  """Field case 7: six different values were left of 600 Unix seconds."""
  seconds = 1.7e9 + np.arange(600) / 8
  np.savetxt(tmp_path / 't.csv', seconds, fmt='%.17g')
  np.testing.assert_array_equal(read(tmp_path / 't.csv')[0][:, 0], seconds)


def test_any_printed_number_is_read_to_the_bit(tmp_path):
  x = np.random.default_rng(0).normal(size=(500, 3)) * 10.0 ** np.arange(-150, 151, 150)
  for name, form in (('repr', '%r'), ('plus', '%+.17e')):
    np.savetxt(tmp_path / f'{name}.csv', x, fmt=form.replace('%r', '%.17g'), delimiter=';')
    np.testing.assert_array_equal(read(tmp_path / f'{name}.csv')[0], x)


@pytest.mark.slow
def test_more_columns_than_a_block_has_bytes(tmp_path, monkeypatch):
  monkeypatch.setattr(dialect, 'SAMPLE_BYTES', 1 << 10)
  x = np.random.default_rng(0).normal(size=(4, 20_000))
  np.savetxt(tmp_path / 'x.csv', x, fmt='%.17g', delimiter=',')
  np.testing.assert_array_equal(read(tmp_path / 'x.csv')[0], x)
