"""The index of a folder of trained models: what there is, how large, how good, and its hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import pathlib
import re
import sys
from typing import Any

from ma_keras.files.replacing import replacing
from ma_keras.pretrained.content import printable

INDEX = 'index.json'
FORMAT = 1
NAME = re.compile(r'[A-Za-z0-9][\w.-]{0,99}', re.ASCII)  # A part of addresses and of file names.
SHA256 = re.compile(r'[0-9a-f]{64}')
MOST = 1 << 32  # Bytes of a file, weights, and coordinates along an axis.
# Figures of merit that training writes into the notes of a model, and how they are read.
FIGURES = {
  'nll': 'NLL {:.2f} nats',
  'bits_per_dimension': '{:.4f} bits per dimension',
  'total_kl': 'KL {:.3f} nats',
  'effective_sample_size': 'ESS {:.1%}',
}
HEADER = ('name', 'density of', 'event', 'parameters', 'bytes', 'figures')


@dataclasses.dataclass(frozen=True)
class Entry:
  """One trained model of an index.

  Attributes:
    name: The stem of its files, NAME.npz and NAME.md, the card.
    about: Its subject in a few words; '' where the card has no title.
    event_shape: Shape of one data point.
    parameters: Number of weights that are trained.
    size: Bytes of NAME.npz.
    sha256: Hash of NAME.npz.
    figures: Figures of merit of its notes, by the names of `FIGURES`.
  """

  name: str
  about: str
  event_shape: tuple[int, ...]
  parameters: int
  size: int
  sha256: str
  figures: dict[str, float]

  def row(self) -> tuple[str, ...]:
    """Texts below `HEADER`."""
    figures = [FIGURES[key].format(value) for key, value in self.figures.items()]
    shape = ' x '.join(map(str, self.event_shape))
    return (
      self.name,
      printable(self.about),
      shape,
      f'{self.parameters:,}',
      f'{self.size:,}',
      ', '.join(figures).replace('%', ' %'),
    )


class Table(tuple[Entry, ...]):
  """Entries by name; as a text it is a table with a line for every model."""

  def __str__(self) -> str:
    """The table."""
    rows = [HEADER, *(entry.row() for entry in self)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER))]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return '\n'.join(line.rstrip() for line in lines)


def read(content: bytes, where: str) -> Table:
  """Entries of an index.json.

  Args:
    content: Its bytes, of anybody's making.
    where: Its address, for errors.

  Raises:
    ValueError: It is no index that this version reads.
  """
  try:
    described = json.loads(content)
    if described['format'] != FORMAT:
      raise ValueError(f'its format is {described["format"]!r}, not {FORMAT}')
    return Table(_entry(name, values) for name, values in sorted(described['models'].items()))
  except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
    reason = str(error).splitlines()[0][:200]
    raise ValueError(
      f'{where} is no index of models ({type(error).__name__}: {reason}): write one with '
      'ma_keras.pretrained.write_index(folder).'
    ) from error


def write(folder: str | pathlib.Path) -> Table:
  """Writes the index.json of a folder of model files, and returns its entries.

  The folder, put on any web server, is then a `source` of `ma_keras.pretrained`.

  Args:
    folder: It holds NAME.npz of `ma_keras.model_file.save`, and beside them NAME.md, the cards,
      whose first line is a title, `# NAME: a Monge-Ampere flow of SUBJECT`.

  Raises:
    ValueError: There is none, or one is no model file.
  """
  folder = pathlib.Path(folder)
  entries = Table(describe(path) for path in sorted(folder.glob('*.npz')))
  if not entries:
    raise ValueError(f'`folder` {folder} holds no .npz: save models there first.')
  with replacing(folder / INDEX) as beside:  # A server may be reading it.
    beside.write_text(_json(entries), encoding='utf-8')
  return entries


def describe(path: pathlib.Path) -> Entry:
  """The entry of a model file, whose card lies beside it."""
  from ma_keras.saving import model_file  # Imports TensorFlow, which listing models needs not.

  if not NAME.fullmatch(path.stem):
    raise ValueError(f'{path} cannot be part of an address: use letters, digits, "_", "-", ".".')
  model, content = model_file.load(path), path.read_bytes()
  return Entry(
    name=path.stem,
    about=_about(path.with_suffix('.md')),
    event_shape=model.event_shape or (model.event_size,),
    parameters=sum(math.prod(v.shape) for v in model.bijector.trainable_variables),
    size=len(content),
    sha256=hashlib.sha256(content).hexdigest(),
    figures=_figures(model.notes),
  )


def _about(card: pathlib.Path) -> str:
  """The subject in the title of a card."""
  if not card.is_file():
    return ''
  title = card.read_text(encoding='utf-8', errors='replace').partition('\n')[0].partition(': ')[2]
  return title.removeprefix('a Monge-Ampere flow of ').strip()


def _figures(values: dict[str, Any]) -> dict[str, float]:
  """Figures that are finite numbers; training notes None for those that it has not measured."""
  numbers = {key: values[key] for key in FIGURES if type(values.get(key)) in (int, float)}
  largest = sys.float_info.max
  return {key: float(value) for key, value in numbers.items() if abs(value) <= largest}


def _json(entries: Table) -> str:
  models = {}
  for entry in entries:
    models[entry.name] = dataclasses.asdict(entry)
    del models[entry.name]['name']
  return json.dumps({'format': FORMAT, 'models': models}, indent=2) + '\n'


def _entry(name: str, values: dict[str, Any]) -> Entry:
  """The entry; raises one of the errors that `read` catches."""
  entry = Entry(
    name=name,
    about=str(values['about'])[:100],
    event_shape=tuple(_whole(size) for size in values['event_shape']),
    parameters=_whole(values['parameters'], least=0),
    size=_whole(values['size']),
    sha256=values['sha256'],
    figures=_figures(values['figures']),
  )
  if not NAME.fullmatch(name) or not SHA256.fullmatch(entry.sha256):
    raise ValueError(f'the entry {name[:100]!r} has no good name or hash')
  return entry


def _whole(value: Any, least: int = 1) -> int:
  """The number; raises ValueError if it is not whole, or not from `least` to `MOST`."""
  if type(value) is not int or not least <= value <= MOST:
    raise ValueError(f'{repr(value)[:40]} is no whole number from {least} to {MOST:,}')
  return value
