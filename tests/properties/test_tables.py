"""A text table, however written, is read to the bit or refused with a remedy, never misread."""

import numpy as np
import pytest

from ma_keras.data import tables

FORMS = [
  repr,
  '{:.2f}'.format,
  '{:.3f}'.format,
  '{:g}'.format,
  '{:.4e}'.format,
  lambda x: str(int(10 * x)),
  lambda x: str(int(x > 0)),
]
REMEDIES = ('--decimal=', '--header=', '--separator', 'without them')


def written(rng):
  """Cells of a random table, a header or None, and the text of a random dialect."""
  num_rows, num_columns = int(rng.integers(1, 40)), int(rng.integers(1, 6))
  forms = [FORMS[k] for k in rng.integers(0, len(FORMS), num_columns)]
  numbers = rng.normal(size=(num_rows, num_columns)) * float(rng.choice([1, 10, 1000]))
  cells = [[form(x) for form, x in zip(forms, row)] for row in numbers.tolist()]
  header = [f'c{k}' for k in range(num_columns)] if rng.random() < 0.5 else None
  separator, decimal = (
    str(rng.choice([',', ';', '\t', '|', ' ', '  '])),
    str(rng.choice(['.', ','])),
  )
  # Commas for both need quotes; of a single column nobody separates anything.
  quoted = rng.random() < 0.5 or (separator == decimal == ',' and num_columns > 1)
  quote, end = '"' if quoted else '', str(rng.choice(['\n', '\r\n', '\r']))
  lines = [[cell.replace('.', decimal) for cell in row] for row in cells]
  lines = [header, *lines] if header else lines
  text = ''.join(separator.join(f'{quote}{c}{quote}' for c in row) + end for row in lines)
  encoding = str(rng.choice(['utf-8', 'utf-8-sig', 'utf-16', 'latin-1']))
  return cells, header, text.encode(encoding)


@pytest.mark.parametrize('seed', range(4))
def test_random_tables_in_random_dialects(tmp_path, seed):
  rng, refusals = np.random.default_rng(seed), 0
  for _ in range(50):
    cells, header, content = written(rng)
    (tmp_path / 'x.csv').write_bytes(content)
    try:
      table = tables.open_table(tmp_path / 'x.csv')
      rows = np.concatenate(list(table.read(100)))
    except ValueError as error:
      assert any(remedy in str(error) for remedy in REMEDIES), (content, error)
      refusals += 1
      continue
    np.testing.assert_array_equal(rows, np.array(cells, np.float64), err_msg=str(content[:200]))
    assert table.names == (tuple(header) if header else None)
  assert refusals <= 5
