"""Selection of columns of a table: which are taken, in which order, and why others are not."""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ma_keras.data.reader import Reader

SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Selection:
  """Columns of a reader.

  Attributes:
    numbers: Their numbers, in order.
    names: Their names, or None.
    ids: Number of the column of ids, or None.
    left_out: Name -> reason.
    by_position: The model's names of the columns where these have others, or none.
    contexts: Numbers of the context columns, which are none of the others.
    context_names: Their names, or numbers as text.
  """

  numbers: tuple[int, ...]
  names: tuple[str, ...] | None
  ids: int | None = None
  left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
  by_position: tuple[str, ...] | None = None
  contexts: tuple[int, ...] = ()
  context_names: tuple[str, ...] = ()

  def __str__(self) -> str:
    """Says in words which columns are taken and which are left out."""
    count = len(self.numbers)
    line = f'{count:,} column{"s" * (count != 1)}'
    if self.names:
      line += f': {listed(self.names)}'
    if self.by_position:
      line += f', by position for {listed(self.by_position)} of the model'
    if self.contexts:
      line += f'; given {listed(self.context_names)}'
    if self.left_out:
      reasons = [f'{name} ({why})' if why else name for name, why in self.left_out.items()]
      line += f'; left out: {listed(reasons)}'
    return line


def select(
  reader: Reader,
  columns: Sequence[str] | None = None,
  ignore_columns: Sequence[str] = (),
  ids: str | None = None,
  model_columns: Sequence[str] | None = None,
  contexts: Sequence[str] = (),
) -> Selection:
  """Columns by name, those without by number from 0.

  Without `columns` all are taken that are not ignored; a model that knows names takes its own, in
  its order. Where a model's names are all unlike those of `columns`, or the table has none, they
  are taken by position.

  Args:
    reader: The table.
    columns: Those to take, in order, () for contexts alone; None for all.
    ignore_columns: Those to leave out.
    ids: The column of labels, which holds no number.
    model_columns: What the columns of a model are called.
    contexts: Columns that are given beside the others, in order, words or numbers.

  Raises:
    ValueError: A name is unknown, missing or stands twice, or a column that is taken holds text
      or dates; the message goes on after the name of the file.
  """
  ignored = {j for name in ignore_columns for j in _numbers(reader, name, '--ignore_columns')}
  label = _numbers(reader, ids, '--id_column')[0] if ids else None
  given = _contexts(reader, contexts, ignored, label, columns or ())
  out = {*ignored, *reader.spare, label, *given}
  rest = [j for j in range(reader.width) if j not in out]
  by_position = None
  if columns is not None:
    numbers = [_one(reader, name, '--columns') for name in columns]
    if model_columns and set(columns) & set(model_columns):
      numbers = _of_model(reader, numbers, model_columns)
    elif model_columns:
      by_position = tuple(model_columns)
  elif model_columns and reader.names:
    numbers = _of_model(reader, rest, model_columns)
  else:
    numbers, by_position = rest, tuple(model_columns or ()) or None
  if numbers or not given or columns is None:  # Contexts may be all that is wanted.
    _check(reader, numbers)
  width = reader.width - bool(reader.label)  # Nobody misses classes that nobody has asked for.
  remaining = sorted(set(range(width)) - set(numbers) - set(given))
  left_out = {reader.name(j): _reason(reader, j, label) for j in remaining}
  names = tuple(reader.names[j] for j in numbers) if reader.names else None
  return Selection(
    tuple(numbers), names, label, left_out, by_position, tuple(given), tuple(contexts)
  )


def _contexts(
  reader: Reader,
  names: Sequence[str],
  ignored: Collection[int],
  label: int | None,
  columns: Sequence[str],
) -> list[int]:
  """Numbers of the context columns; raises ValueError where one is something else as well."""
  numbers = [_one(reader, name, '--context_columns') for name in names]
  for name, number in zip(names, numbers):
    roles = {
      '--ignore_columns': number in ignored,
      '--id_column': number == label,
      '--columns': name in columns,
      '--context_columns twice': names.count(name) > 1,
    }
    for flag, also in roles.items():
      if also:
        raise ValueError(
          f'has a column {name!r} of --context_columns that is in {flag}, too: name it once'
        )
  return numbers


def listed(names: Sequence[str]) -> str:
  """Names in one line, the first ones where there are many."""
  first = ', '.join(names[:SHOWN])
  return first if len(names) <= SHOWN else f'{first}, ... ({len(names):,} in all)'


def _numbers(reader: Reader, name: str, flag: str) -> list[int]:
  """Numbers of the columns of a name; raises ValueError if there is none."""
  names = [reader.name(j) for j in range(reader.width)]
  numbers = [j for j, other in enumerate(names) if other == name]
  if not numbers:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'it has {listed(names)}'
    nameless = '' if reader.names else '; it has no header, columns go by number from 0'
    raise ValueError(f'has no column {name!r} of {flag}: {hint}{nameless}')
  return numbers


def _one(reader: Reader, name: str, flag: str) -> int:
  numbers = _numbers(reader, name, flag)
  if len(numbers) > 1:
    raise ValueError(f'has several columns {name!r}, {numbers}: names must differ')
  return numbers[0]


def _of_model(reader: Reader, numbers: Sequence[int], names: Sequence[str]) -> list[int]:
  """The numbers of these columns, among those given."""
  available = [reader.name(j) for j in numbers]
  names_available = set(available)
  missing = [name for name in names if name not in names_available]
  if missing:
    raise ValueError(
      f'has no column {listed([repr(name) for name in missing])}, which the model was trained on; '
      f'it has {listed(available)}: rename columns, or name them in order by --columns'
    )
  counts = Counter(available)
  twice = [name for name in names if counts[name] > 1]
  if twice:
    raise ValueError(f'has several columns {twice[0]!r}: names must differ')
  position = dict(zip(available, numbers))
  return [position[name] for name in names]


def _check(reader: Reader, numbers: Sequence[int]) -> None:
  """Raises ValueError on columns without numbers, names that stand twice, or no column at all."""
  bad = {reader.name(j): reader.unfit[j] for j in numbers if j in reader.unfit}
  if bad:
    told = listed([f'{name!r} holds {what}' for name, what in bad.items()])
    raise ValueError(
      f'has columns that are no numbers, {told}: leave them out by --ignore_columns={",".join(bad)}'
    )
  names = [reader.name(j) for j in numbers]
  twice = next((name for name, count in Counter(names).items() if count > 1), None)
  if twice is not None:
    raise ValueError(
      f'has several columns {twice!r}: names must differ; rename them, or leave them out by '
      f'--ignore_columns={twice}'
    )
  if not numbers:
    raise ValueError('has no column left to take')


def _reason(reader: Reader, number: int, label: int | None) -> str:
  if number == label:
    return 'ids'
  if number in reader.spare:
    return reader.spare[number]
  return reader.unfit.get(number, '').partition(',')[0]
