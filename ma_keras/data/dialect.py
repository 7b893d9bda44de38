"""Dialect of a text table: encoding, separator, quotes, decimal mark, guessed from a sample."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence

from ma_keras.data import cells

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 1000
SAMPLE_CELLS = 100_000
SCORED_BYTES = 1 << 16
SCORED_CELLS = 10_000
MANY_DIGITS = 16  # No whole number of so many is exact in double precision.
SEPARATORS = {'tab': '\t', 'semicolon': ';', 'pipe': '|', 'comma': ',', 'blanks': ' '}
DECIMALS = {'point': '.', 'comma': ','}
_MARKS = {
  codecs.BOM_UTF8: ('utf-8-sig', 'UTF-8 with byte order mark'),
  codecs.BOM_UTF32_LE: ('utf-32', 'UTF-32'),
  codecs.BOM_UTF32_BE: ('utf-32', 'UTF-32'),
  codecs.BOM_UTF16_LE: ('utf-16', 'UTF-16'),
  codecs.BOM_UTF16_BE: ('utf-16', 'UTF-16'),
}
_COMMENT = re.compile(r'(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|$))*')
_HINT = re.compile(r'sep=(.)(?:\r\n|\n|\r)')  # Excel's own first line.
_THOUSANDS = re.compile(
  r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d*|(?:\.\d{3})+,\d+|(?:,\d{3}){2,}|(?:\.\d{3}){2,}|(?:['\u2019]\d{3})+"
  r'(?:[.,]\d+)?|(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?)'
)
_THREE = re.compile(r'[+-]?[1-9]\d{0,2},\d{3}')
_POINT = re.compile(r'[+-]?\d*\.\d+(?:[eE][+-]?\d+)?')
_COMMA = re.compile(r'[+-]?\d*,\d+(?:[eE][+-]?\d+)?')
_WHOLE = re.compile(r'[+-]?\d+')
_FRACTION = re.compile(r'\d+(?:[eE][+-]?\d+)?')


@dataclasses.dataclass(frozen=True)
class Dialect:
  """Way in which a text table is written.

  Attributes:
    encoding: Name of a codec of Python's.
    encoding_name: The same in words.
    separator: One character; ' ' stands for runs of blanks and tabs.
    quote: One character.
    decimal: '.' or ','.
    first_line: Number of lines before the first row: comments, a hint for Excel.
    comment: The last of these lines without its '#', which may be a header.
    rows: The first rows of the table as cells, a header among them.
    lines: Number of physical lines behind the first row.
    longest: Length of the longest line of the sample, characters.
    multiline: Whether there are quotes, hence perhaps line ends within cells.
    blank_lines: Whether there are empty lines between rows.
  """

  encoding: str
  encoding_name: str
  separator: str
  quote: str
  decimal: str
  first_line: int
  comment: str
  rows: list[list[str]]
  lines: int
  longest: int
  multiline: bool
  blank_lines: bool

  def split(self, text: str) -> list[list[str]]:
    """Rows of cells of a text in this dialect."""
    return split(text, self.separator, self.quote)

  def __str__(self) -> str:
    """Says in words how the file was understood."""
    names = {' ': 'blanks', '\t': 'tab'}
    width = max(map(len, self.rows), default=1)
    between = f', separator {names.get(self.separator, repr(self.separator))}' if width > 1 else ''
    return self.encoding_name + between + ', decimal comma' * (self.decimal == ',')


def sniff(
  sample: bytes, whole: bool, suffix: str, separator: str = 'auto', decimal: str = 'auto'
) -> Dialect:
  """Guesses the dialect of a text table, or takes what is given.

  Args:
    sample: The first bytes of the file.
    whole: Whether these are all.
    suffix: Of the file, '.tsv' say.
    separator: 'auto', a name of `SEPARATORS`, or a character.
    decimal: 'auto', 'point' or 'comma'.

  Raises:
    ValueError: It is no text, is empty, or can be read in two ways; the message is a clause
      that goes on after the name of the file.
  """
  encoding, name = _encoding(sample)
  text = _decoded(sample, encoding, whole)
  hint = _HINT.match(text)
  body = text[hint.end() :] if hint else text
  comments = _COMMENT.match(body)
  start = comments.end() if comments else 0
  comment, table = body[:start], body[start:]
  if not table.strip():
    raise ValueError('is empty: one point a line, numbers between commas')
  quote = _quote(table)
  given = SEPARATORS.get(separator, hint[1] if hint and separator == 'auto' else separator)
  mark, rows = _separated(table, quote, given, suffix)
  told = separator != 'auto'
  point = DECIMALS.get(decimal) or _decimal(rows, mark, quoted=quote in table, told=told)
  if point == ',' and mark == ',' and quote not in table:
    if told:
      raise ValueError(
        f'has decimal commas, as in {",".join(rows[-1])!r}, or columns between commas, not both: '
        'leave out --separator, or pass --decimal=point'
      )
    mark = ';'
    rows = split(table, mark, quote, SAMPLE_ROWS)
  lines = table.splitlines()
  reader = csv.reader(io.StringIO(table, newline=''), delimiter=mark, quotechar=quote)
  next(reader, None)
  return Dialect(
    encoding=encoding,
    encoding_name=name,
    separator=mark,
    quote=quote,
    decimal=point,
    first_line=bool(hint) + len(comment.splitlines()),
    comment=next((c.strip()[1:] for c in reversed(comment.splitlines()) if c.strip()), ''),
    rows=rows,
    lines=reader.line_num,
    longest=max(map(len, lines)),
    multiline=quote in table,
    blank_lines=any(not line.strip() for line in table.rstrip().splitlines()),
  )


def split(text: str, separator: str, quote: str, most: int | None = None) -> list[list[str]]:
  """Rows of cells, at most so many; empty lines are left out."""
  if separator == ' ':
    text, separator = squeezed(text), '\t'
  lines = csv.reader(io.StringIO(text, newline=''), delimiter=separator, quotechar=quote)
  return [row for row in itertools.islice(lines, most) if row]


def _split_if_possible(text: str, separator: str, quote: str) -> list[list[str]]:
  """The first rows; none where cells by this separator are longer than any."""
  try:
    return split(text, separator, quote, SAMPLE_ROWS)
  except csv.Error:
    return []


def squeezed(text: str) -> str:
  """The text with one tab for every run of blanks and tabs, and none at either end of a line."""
  return re.sub(r'[ \t]+', '\t', re.sub(r'(?m)^[ \t]+|[ \t]+(?=[\r\n]|\Z)', '', text))


def _encoding(sample: bytes) -> tuple[str, str]:
  for mark, names in _MARKS.items():
    if sample.startswith(mark):
      return names
  half = max(len(sample) // 2, 1)
  for start, name in ((1, 'utf-16-le'), (0, 'utf-16-be')):
    if sample[start::2].count(0) > 0.4 * half:
      return name, 'UTF-16'
  if 0 in sample:
    raise ValueError('is no text')
  try:
    codecs.getincrementaldecoder('utf-8')().decode(sample)
  except UnicodeDecodeError:
    return ('latin-1' if set(sample) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else 'cp1252'), 'Latin-1'
  return 'utf-8', 'UTF-8'


def _decoded(sample: bytes, encoding: str, whole: bool) -> str:
  """The text of the sample, up to the end of its last line if there is more."""
  text = codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
  if whole:
    return text
  end = max(text.rfind('\n'), text.rfind('\r')) + 1
  return text[:end] if end else text


def _quote(table: str) -> str:
  """A single quote where cells stand in such, and no double one is to be seen."""
  single = re.search(r"(?m)(?:^|[,;\t|])'[^'\n]*'(?:[,;\t|\r\n]|$)", table[:10_000])
  return "'" if single and '"' not in table else '"'


def _separated(table: str, quote: str, given: str, suffix: str) -> tuple[str, list[list[str]]]:
  """The separator, and rows by it: the one that gives most rows one width, most cells numbers."""
  if given != 'auto':
    return given, split(table, given, quote, SAMPLE_ROWS)
  preferred = '\t' if suffix in ('.tsv', '.tab') else ','
  marks = sorted(SEPARATORS.values(), key=lambda mark: mark != preferred)
  end = table.rfind(table[-1], 0, SCORED_BYTES) + 1  # Whole lines, where there are some.
  beginning = table[:end] if end and table[-1] in '\r\n' else table
  scores = {mark: _score(_split_if_possible(beginning, mark, quote)) for mark in marks}
  best = max(marks, key=lambda mark: scores[mark])
  mark = best if scores[best] > (0.0, 0.0) else ','
  rows = split(table, mark, quote, SAMPLE_ROWS)
  return mark, rows[: max(SAMPLE_CELLS // len(rows[0]), 20)]


def _score(rows: Sequence[Sequence[str]]) -> tuple[float, float]:
  """Scores a separator: share of rows of the usual width; then share of numbers."""
  widths = Counter(map(len, rows)) or Counter([0])
  width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
  if width < 2:
    return 0.0, 0.0
  body = [cell for row in rows if len(row) == width for cell in row][:SCORED_CELLS]
  numbers = sum(map(_is_any_number, body))
  return round(count / len(rows), 1) * (0.05 + numbers / len(body)), count / len(rows)


def _is_any_number(cell: str) -> bool:
  word = cell.strip()
  written = any(cells.is_number(word, mark) for mark in '.,')
  return written or _THOUSANDS.fullmatch(word) is not None


def _decimal(
  rows: Sequence[Sequence[str]], separator: str, quoted: bool, told: bool = False
) -> str:
  """The decimal mark; raises ValueError where there are thousands separators or two readings."""
  words = [cell.strip() for row in rows for cell in row]
  for word in words:
    if _THOUSANDS.fullmatch(word):
      raise ValueError(f'has thousands separators, {cells.shown(word)}: write numbers without them')
  if separator == ',' and not quoted:
    _check_apart(rows)
    if max(map(len, rows)) == 2 and _one_number_a_line(rows, told):
      return ','
  commas = [word for word in words if _COMMA.fullmatch(word)]
  if not commas:
    return '.'
  points = next((word for word in words if _POINT.fullmatch(word)), None)
  if points is not None:
    raise ValueError(
      f'has decimal points and decimal commas, {points!r} and {commas[0]!r}: write all alike'
    )
  if all(map(_THREE.fullmatch, commas)):
    raise ValueError(
      f'may mean a thousand or a decimal comma by {commas[0]!r}: pass --decimal=comma, or write '
      'numbers without thousands separators'
    )
  return ','


def _one_number_a_line(rows: Sequence[Sequence[str]], told: bool) -> bool:
  """Tells decimal commas, 0,13, from two columns of whole numbers, 10,13.

  A leading zero or an exponent after the comma, -0 before it, or more digits than whole numbers
  have, are a fraction's. Without any such sign, digits of one length, or of several lengths and
  never with a zero at the end, could be either: so printed fractions are. Then they are columns
  where somebody told that commas separate such.
  """
  has_header = not _WHOLE.fullmatch(rows[0][0].strip())
  spaced = any(row[-1][:1] == ' ' for row in rows)
  body = [[cell.strip() for cell in row] for row in rows[has_header:]]
  if not body or spaced or (has_header and len(rows[0]) > 1):
    return False
  pairs = [row for row in body if len(row) == 2]
  if not all(_WHOLE.fullmatch(row[0]) and len(row) < 3 for row in body):
    return False
  if not all(_FRACTION.fullmatch(row[1]) for row in pairs):
    return False
  if has_header or any(map(_is_fraction, pairs)):
    return True
  lengths = {len(second) for _, second in pairs}
  rounded = any(len(second) > 1 and second.endswith('0') for _, second in pairs)
  if told or len(pairs) < len(body) or lengths == {1} or (len(lengths) > 1 and rounded):
    return False
  raise ValueError(
    f'has either decimal commas or two columns of whole numbers, {",".join(pairs[0])!r}: pass '
    '--decimal=comma or --decimal=point'
  )


def _check_apart(rows: Sequence[Sequence[str]]) -> None:
  """Raises ValueError where decimal commas cannot be told from those between columns: 1,26,0,05."""
  width = len(rows[0])
  even = width > 2 and width % 2 == 0 and all(len(row) == width for row in rows)
  if not even or not all(_WHOLE.fullmatch(cell) for row in rows for cell in row):
    return
  pairs = [row[k : k + 2] for row in rows for k in range(0, width, 2)]
  zeros = next((pair for pair in pairs if len(pair[1]) > 1 and pair[1].startswith('0')), None)
  if zeros and all(second.isdigit() for _, second in pairs):
    raise ValueError(
      f'seems to have decimal commas, {",".join(zeros)!r}, and commas between columns: put '
      'semicolons between them; or pass --decimal=point'
    )


def _is_fraction(row: Sequence[str]) -> bool:
  """Tells if two runs of digits are what stands before and behind a decimal comma."""
  first, second = row
  zero = len(second) > 1 and second.startswith('0')
  return zero or not second.isdigit() or len(second) >= MANY_DIGITS or first in ('-0', '+0')
