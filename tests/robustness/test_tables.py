"""Tables and pictures that are not what a model takes, or leave open what they hold."""

import pathlib
import sys

import numpy as np
import PIL.Image
import pytest

from ma_keras import potentials
from ma_keras.apps import score as score_app
from ma_keras.apps.exit_code import ExitCode
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.data import pictures, preprocessing, tables
from ma_keras.data.context_columns import ContextColumn
from ma_keras.data.picture_files import PictureError
from ma_keras.saving import model_file
from tests.apps import test_score
from tests.integration import apps
from tests.robustness.row import Row

COLOURS = np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8)
GREY = COLOURS[..., 0]


def table(content, **options):
  with open('x.csv', 'w') as file:
    file.write(content)
  opened = tables.open_table('x.csv', **options)
  return np.concatenate(list(opened.read(100)))


def picture(array, mode=None, shape=(28, 28, 1), levels=256, **options):
  made = PIL.Image.fromarray(array)
  (made if mode is None else made.convert(mode)).save('x.png', **options)
  return np.concatenate(list(pictures.open_pictures('x.png', shape, levels).read(2)))


def in_another_mode(mode):
  np.testing.assert_array_equal(picture(GREY, mode)[0, ..., 0], GREY)


def transparent():
  alpha = np.full((28, 28), 255, np.uint8)
  alpha[3, 4] = 254
  picture(np.dstack([GREY, alpha]))


def frames():
  PIL.Image.fromarray(GREY).save(
    'x.gif', save_all=True, append_images=[PIL.Image.fromarray(GREY[::-1].copy())]
  )
  list(pictures.open_pictures('x.gif', (28, 28, 1), 256).read(2))


def two_sizes():
  for name, shape in (('a', (4, 6)), ('b', (4, 6)), ('c', (4, 6)), ('d', (6, 4))):
    PIL.Image.fromarray(GREY[: shape[0], : shape[1]].copy()).save(f'{name}.png')
  pictures.open_pictures('.')


def damaged():
  with open('x.png', 'w') as file:
    file.write('no picture')
  pictures.open_pictures('x.png')


GIVEN = 'x,town\n' + '1.5,A\n2.5,B\n' * 4


def given(content=GIVEN, **options):
  return table(content, **{'context_columns': ['town'], **options})


def given_to_a_model(content):
  return given(content, contexts=(ContextColumn('town', ('A', 'B'), 0.0, 1.0),))


def in_order():
  found = table('width,length\n2,1\n4,3\n', model_columns=['length', 'width'])
  np.testing.assert_array_equal(found, [[1, 2], [3, 4]])


def without(row):
  found = table(f'a,b\n1,2\n{row}\n3,4\n', missing='drop')
  np.testing.assert_array_equal(found, [[1, 2], [3, 4]])


def score(name, *flags):
  return apps.run_command(pathlib.Path.cwd(), 'score', '--input=' + name, *flags)


def score_pixels(*pixels):
  """Of 2 x 2 pictures of 256 levels."""
  bijector = MongeAmpereBijector(potentials.Quadratic(0.1 * np.eye(4)), 4, 0.1)
  model_file.save('m.npz', model_file.Model(bijector, preprocessing.Pixels(), (2, 2, 1)))
  np.save('x.npy', np.array(pixels))
  return score('x.npy', '--model=m.npz')


def nan_scores(folder):
  sys.argv = ['ma-keras score']
  test_score.saved(folder)
  np.save('x.npy', test_score.X)
  config = test_score.config(folder, '--input=x.npy', '--batch_size=10')
  values = lambda x: np.where(x[:, 0] == test_score.X[12, 0], np.nan, 0.0)  # noqa: E731
  score_app.log_prob = lambda *arguments: values
  score_app.main(config)


def score_to_nan():
  done = apps.call(nan_scores, pathlib.Path.cwd(), folder=pathlib.Path.cwd())
  assert not pathlib.Path('scores.csv').exists()
  return done


def score_points(*flags):
  np.savetxt('points.csv', np.linspace(-2.0, 2.0, 320).reshape(5, 64), delimiter=',')
  return score('points.csv', '--model=ising_l8', *flags)


ROWS = [
  Row(
    'a column of `--context_columns` that is one of `--columns`, or left out, as well',
    lambda options: given(**options),
    ValueError,
    "... has a column 'town' of --context_columns that is in ..., too: name it once.",
    inputs=({'columns': ['x', 'town']}, {'ignore_columns': ['town']}, {'ids': 'town'}),
  ),
  Row(
    'a context column that is not there',
    lambda: given(context_columns=['twon']),
    ValueError,
    "... has no column 'twon' of --context_columns: did you mean 'town'?",
  ),
  Row(
    'a context column of names, one a row',
    lambda: given('x,town\n1.5,A\n2.5,B\n3.5,C\n'),
    ValueError,
    "... has 3 different words in 3 rows of context column 'town': these are names and no ...",
  ),
  Row(
    'a missing word among contexts',
    lambda: given(GIVEN.replace('B', 'NA', 1)),
    ValueError,
    "... column 'town' of row 1 (from 0, without header) is missing or NaN: mend them, or ...",
  ),
  Row(
    'a word that no training row had, to a model that is given words',
    lambda: given_to_a_model(GIVEN.replace('B', 'C', 1)),
    ValueError,
    "... has 'C' in context column 'town', and the model was trained on 'A', 'B', in row 1 ...",
  ),
  Row(
    'rows of another size than the model takes',
    lambda: table('1,2,3\n4,5,6\n', event_size=64),
    ValueError,
    '`path` x.csv has 3 numbers in a row, and the model takes 64: choose columns by --columns or '
    '--ignore_columns.',
  ),
  Row("columns in another order than the model's", in_order, None, 'put in order, by their names'),
  Row(
    'a column of the model that is not there',
    lambda: table('length,height\n1,2\n', model_columns=['length', 'width']),
    ValueError,
    "`path` x.csv has no column 'width', which the model was trained on; it has length, height: "
    'rename columns, or name them in order by --columns.',
  ),
  Row(
    'columns of text or dates',
    lambda: table('name,a,b\nanna,1,2\nbob,3,4\n'),
    ValueError,
    "`path` x.csv has columns that are no numbers, 'name' holds text, 'anna' in row 0: leave them "
    'out by --ignore_columns=name.',
  ),
  Row(
    'a column of --columns, --ignore_columns or --id_column that is not there',
    lambda: table('name,a\nanna,1\n', ignore_columns=['nam']),
    ValueError,
    "`path` x.csv has no column 'nam' of --ignore_columns: did you mean 'name'...",
  ),
  Row(
    'two columns of one name',
    lambda: table('a,a,b\n1,2,3\n'),
    ValueError,
    "`path` x.csv has several columns 'a'...",
  ),
  Row(
    'nothing, or a header alone',
    table,
    ValueError,
    '`path` x.csv is empty...',
    ('', '\n \n', 'x,y\n'),
  ),
  Row(
    'a row shorter or longer than others',
    lambda row: table(f'1,2,3\n{row}\n4,5,6\n'),
    ValueError,
    '`path` x.csv has ... cells in row 1 (from 0, without header; line 2), and 3 in others: give '
    'every row as many, or pass --separator.',
    ('3', '3,4', '3,4,5,6'),
  ),
  Row(
    '`--array` of a file that holds no arrays by name',
    lambda content: table(content, array='x'),
    ValueError,
    '`path` x.csv is no .npz, of which --array=x would choose an array: leave it out.',
    ('1,2\n3,4\n', 'x,y\n1,2\n'),
  ),
  Row(
    'decimal commas beside whole numbers',
    table,
    ValueError,
    '`path` x.csv has ... cells in row 1 (from 0, without header; line 2), and ... in others: give '
    'every row as many, or pass --decimal=comma if 1,26 is one number.',
    ('1,26\n3\n4,13\n', '3\n1,26\n4\n'),
  ),
  Row(
    'a word among the numbers',
    lambda: table('1,2\n3,four\n5,6\n'),
    ValueError,
    "`path` x.csv, row 1 (from 0, without header; line 2): 'four' in column 1 is no number: mend "
    'it, or leave the column out by --ignore_columns=1.',
  ),
  Row(
    'a missing or infinite value',
    lambda cell: table(f'a,b\n1,2\n3,{cell}\n'),
    ValueError,
    '`path` x.csv holds missing values, NaN or infinity in 1 row, the first of them [1]; column '
    "'b' of row 1 (from 0, without header) is ...: mend them, or leave such rows out by "
    '--missing=drop.',
    ('', 'NA', 'nan', '?', '#DIV/0!', 'inf', '-Infinity'),
  ),
  Row(
    'the same with --missing=drop',
    without,
    None,
    'the row is left out, and counted',
    ('5,', ',5', 'NA,1'),
  ),
  Row(
    'a first row that could be a header or data',
    table,
    ValueError,
    "`path` x.csv has a first row of words and numbers, 'x,2020': pass --header=yes if it names "
    'the columns, --header=no if it is data.',
    ('x,2020\n1.5,2.5\n',),
  ),
  Row(
    'decimal commas that could be separators',
    table,
    ValueError,
    "`path` x.csv has either decimal commas or two columns of whole numbers, '1,26': pass "
    '--decimal=comma or --decimal=point.',
    ('1,26\n3,13\n',),
  ),
  Row(
    'the same with `--separator=comma`',
    lambda content: np.testing.assert_array_equal(
      table(content, separator='comma'), [[1, 26], [3, 13]]
    ),
    None,
    'two columns',
    ('1,26\n3,13\n',),
  ),
  Row(
    '`--separator=comma` of decimal commas beyond doubt, or with `--decimal=comma`',
    lambda decimal: table('1,05\n3,13\n', separator='comma', decimal=decimal),
    ValueError,
    "`path` x.csv has decimal commas, as in '3,13', or columns between commas, not both: leave out "
    '--separator, or pass --decimal=point.',
    ('auto', 'comma'),
  ),
  Row(
    'decimal points and decimal commas',
    table,
    ValueError,
    "`path` x.csv ... decimal points and decimal commas, '2.5' and '1,5'...",
    ('a;b\n1,5;2.5\n',),
  ),
  Row(
    'thousands separators',
    table,
    ValueError,
    '`path` x.csv ... thousands separators...',
    ('a;b\n1.234,5;2\n', 'a,b\n"1,234.5",2\n', 'a;b\n1,234,567;2\n', "a;b\n1'234.5;2\n"),
  ),
  Row(
    'whole numbers beyond 2^53',
    table,
    ValueError,
    "`path` x.csv has columns that are no numbers, 'id' holds whole numbers beyond 2^53, "
    '12345678901234567891 in row 0: leave them out by --ignore_columns=id.',
    ('id,x\n12345678901234567891,1\n',),
  ),
  Row(
    '3.5 for a level of --levels=12',
    lambda: table('a,c\n1,2\n3,3.5\n0,-1\n', levels=12),
    ValueError,
    '`path` x.csv has 3.5 in row 1 (from 0), column c, and 2 such numbers: --levels=12 takes '
    'whole numbers 0 to 11.',
  ),
  Row('a damaged picture', damaged, PictureError, '`path` x.png is no picture (.png, ...), or ...'),
  Row(
    'pictures of two sizes',
    two_sizes,
    ValueError,
    '`path` . holds pictures of several sizes, 3 4 x 6 (a.png), 1 6 x 4 (d.png): bring them to '
    'one.',
  ),
  Row(
    'a picture 14 x 56 for a model of 28 x 28',
    lambda: picture(GREY.reshape(14, 56)),
    ValueError,
    '`path` x.png is 14 x 56, and the model takes 28 x 28 x 1.',
  ),
  Row(
    'a picture for a model of vectors',
    lambda: picture(GREY, shape=(784,)),
    ValueError,
    '`path` x.png is a picture, and the model takes vectors of 784 numbers...',
  ),
  Row(
    'grey stored as RGB, with opaque alpha, by palette',
    in_another_mode,
    None,
    'it is converted, and the line of what was understood says so',
    ('RGB', 'RGBA', 'LA', 'P'),
  ),
  Row(
    'colours for a model of grey pictures',
    lambda: picture(COLOURS),
    ValueError,
    '`path` x.png has colours, and the model takes grey: convert it, '
    "PIL.Image.open(file).convert('L').save(file).",
  ),
  Row('transparent pixels', transparent, PictureError, '`path` x.png has transparent pixels, ...'),
  Row('several frames', frames, PictureError, '`path` x.gif has 2 frames: ...'),
  Row(
    '16 bits for 256 levels',
    lambda: picture(257 * GREY.astype(np.uint16)),
    ValueError,
    '`path` x.png has 16 bits, and pixels of 256 levels have 8: ...',
  ),
  Row(
    'pixels 300 or -1, to `score`',
    lambda: score_pixels([0, 1, 2, 255], [0, 300, 2, 3], [-1, 0, 0, 0]),
    ExitCode.DONE,
    '3 rows, 2 of them of density 0, outside the support of the model; the others: mean log_prob '
    '... nats: scores.csv',
  ),
  Row(
    'a log density that is not a number, whatever made it so',
    score_to_nan,
    ExitCode.USAGE,
    'ma-keras score: The log density of row 12 of x.npy is not a number: nothing was written. ...',
  ),
  Row(
    '`--model` of nothing',
    lambda: score('x.csv', '--model=none.npz'),
    ExitCode.USAGE,
    "ma-keras score: `--model` none.npz is neither a file nor one of ['dw4', ...]: pass the "
    'model.npz of a run directory.',
  ),
  Row(
    '`--output` into no folder',
    lambda: score_points('--output=no/x.csv'),
    ExitCode.USAGE,
    'ma-keras score: `path` ...no/x.csv: there is no folder ...no; make it first.',
  ),
  Row(
    '`--output` that is the input, by name or link',
    lambda: score_points('--output=points.csv'),
    ExitCode.USAGE,
    'ma-keras score: `--output` points.csv is the input points.csv, which would be lost.',
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_a_table(row):
  row.check()
