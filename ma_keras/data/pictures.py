"""Pictures of one size as quantised points: one reader for training and for scores.

docs/pictures.md says what is read, and what is refused.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from ma_keras.data import picture_files
from ma_keras.data.picture_files import Header

BYTE_LEVELS, SHORT_LEVELS = 256, 65536
SHOWN = 5
SPLITS = {'train', 'test', 'val', 'valid', 'validation', 'dev'}  # Names of folders, not of classes.


@dataclasses.dataclass(frozen=True)
class Pictures:
  """Pictures on disk, of which sizes and modes are known and no pixel is.

  Attributes:
    path: Folder, or file of a single picture.
    labels: Paths of the files within the folder, rising.
    shape: (h, w, c) of every picture, once converted.
    levels: Number of values that a pixel takes, 0..levels-1.
    remarks: Phrases on what is converted and left out.
  """

  path: pathlib.Path
  labels: tuple[str, ...]
  shape: tuple[int, int, int]
  levels: int
  remarks: tuple[str, ...] = ()

  def __len__(self) -> int:
    """Number of pictures."""
    return len(self.labels)

  @property
  def dtype(self) -> np.dtype:
    """The smallest type that holds a pixel."""
    return np.dtype(np.uint8 if self.levels <= BYTE_LEVELS else np.uint16)

  @property
  def form(self) -> str:
    """Says how the files were understood: 'pictures 28 x 28, grey; left out: notes.txt'."""
    height, width, channels = self.shape
    colours = {1: 'grey', 3: 'RGB'}[channels]
    line = f'pictures {height} x {width}, {colours}, {self.levels} levels'
    return '; '.join([line, *self.remarks])

  @property
  def classes(self) -> tuple[str, ...] | None:
    """Name of the first folder of each, '3' of 3/a.png and of label=3/a.png.

    None where a picture lies in no folder, or the folders are those of splits: train, test, ...
    """
    folders = [label.partition('/')[0].removeprefix('label=') for label in self.labels]
    if not all('/' in label for label in self.labels) or SPLITS.issuperset(folders):
      return None
    return tuple(folders)

  def read(self, size: int) -> Iterator[np.ndarray]:
    """Blocks of up to `size` pictures in turn, [b, h, w, c].

    Raises:
      ValueError: A file is damaged, has other channels or bits, or a pixel beyond the levels.
    """
    for k in range(0, len(self), size):
      yield np.stack([self._pixels(label) for label in self.labels[k : k + size]])

  def _pixels(self, label: str) -> np.ndarray:
    file = self.path / label if self.path.is_dir() else self.path
    array = picture_files.pixels(file)
    _check_depth(file, array, self.levels)
    array = _with_channels(file, array, self.shape[-1])
    if array.shape != self.shape:
      raise ValueError(f'`path` {file} is {_sized(array.shape)}, not {_sized(self.shape)}.')
    if array.max(initial=0) >= self.levels:
      raise ValueError(
        f'`path` {file} has pixels up to {array.max()}, and {self.levels} levels are 0 to '
        f'{self.levels - 1}: scale it as those that the model was trained on.'
      )
    return array


def is_pictures(path: pathlib.Path, rivals: int = 0) -> bool:
  """Tells if this is a picture, or a folder with more of them, at any depth, than `rivals`."""
  if not path.is_dir():
    return picture_files.is_picture(path)
  return sum(picture_files.is_picture(file) for file in _files(path)) > rivals


def open_pictures(
  path: str | pathlib.Path,
  event_shape: Sequence[int] | None = None,
  levels: int | None = None,
) -> Pictures:
  """A folder of pictures with all folders below, or the file of one.

  Args:
    path: The folder or file.
    event_shape: (h, w, c) of a model, to which grey pictures are converted in whatever mode; by
      default that of the pictures: one channel where all are grey.
    levels: Number of values of a model's pixels, that pictures must have the bits for; by default
      256, or 65536 of 16 bits.

  Returns:
    The pictures; all headers were read.

  Raises:
    ValueError: There is none, a file is none, sizes differ, or they are not the model's.
  """
  path = pathlib.Path(path)
  files = list(_files(path)) if path.is_dir() else [path]
  headers = {file: picture_files.header(file) for file in files if picture_files.is_picture(file)}
  if not headers:
    raise ValueError(f'`path` {path} holds no picture: {", ".join(picture_files.SUFFIXES)}.')
  size = _common_size(path, headers)
  channels = _channels(headers, size, event_shape)
  left_out = [_label(path, file) for file in files if file not in headers]
  return Pictures(
    path=path,
    labels=tuple(_label(path, file) for file in headers),
    shape=(*size, channels),
    levels=levels or _levels(next(iter(headers))),
    remarks=(*_conversions(headers, channels), *_left_out(left_out)),
  )


def _channels(
  headers: dict[pathlib.Path, Header], size: tuple[int, int], event_shape: Sequence[int] | None
) -> int:
  """1 or 3: those of a model, whose height and width must be these, or of the pictures."""
  if event_shape is None:
    return 1 if _all_grey(headers) else 3
  check_shape(next(iter(headers)), size, event_shape)
  return (*event_shape, 1)[2]


def _levels(file: pathlib.Path) -> int:
  """Number of values that the bits of a picture have room for."""
  return SHORT_LEVELS if picture_files.pixels(file).dtype == np.uint16 else BYTE_LEVELS


def check_shape(
  where: str | pathlib.Path, shape: Sequence[int], event_shape: Sequence[int] | None
) -> None:
  """Checks the height and width of pictures, and the channels if known, against a model's.

  Args:
    where: File, for the message.
    shape: (h, w) or (h, w, c).
    event_shape: Of the model; None where it takes vectors.

  Raises:
    ValueError: They differ.
  """
  if event_shape is None or len(event_shape) < 2:
    size = '' if event_shape is None else f' of {event_shape[0]} numbers'
    raise ValueError(
      f'`path` {where} is a picture, and the model takes vectors{size}: give it rows of numbers, '
      'or a model that was trained on pictures.'
    )
  expected = (*event_shape, 1)[:3]
  if tuple(shape) != expected[: len(shape)] or expected[2] not in (1, 3):
    raise ValueError(f'`path` {where} is {_sized(shape)}, and the model takes {_sized(expected)}.')


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Files at any depth but hidden ones, folder by folder, by name; links are followed once."""
  visited = set()
  for root, folders, names in os.walk(folder, followlinks=True):
    real = os.path.realpath(root)
    folders[:] = sorted(name for name in folders if not picture_files.is_hidden(name))
    if real in visited:
      folders.clear()
      continue
    visited.add(real)
    for name in sorted(names):
      if not picture_files.is_hidden(name):
        yield pathlib.Path(root, name)


def _label(path: pathlib.Path, file: pathlib.Path) -> str:
  return file.name if file == path else file.relative_to(path).as_posix()


def _common_size(path: pathlib.Path, headers: dict[pathlib.Path, Header]) -> tuple[int, int]:
  """(h, w) of all pictures; the most frequent other sizes are named with a file each."""
  sizes = collections.Counter(header.size for header in headers.values())
  if len(sizes) > 1:
    examples = {header.size: file for file, header in reversed(headers.items())}
    named = [
      f'{count} {_sized(size)} ({examples[size].name})' for size, count in sizes.most_common(SHOWN)
    ]
    raise ValueError(
      f'`path` {path} holds pictures of several sizes, {", ".join(named)}: bring them to one.'
    )
  return next(iter(sizes))


def _all_grey(headers: dict[pathlib.Path, Header]) -> bool:
  """True if every picture is grey; those stored in colours are read up to the first that is not."""
  return all(
    header.is_grey or _is_grey(picture_files.pixels(file)) for file, header in headers.items()
  )


def _is_grey(array: np.ndarray) -> bool:
  return bool(np.all(array == array[..., :1]))


def _with_channels(file: pathlib.Path, array: np.ndarray, channels: int) -> np.ndarray:
  if array.shape[-1] == channels:
    return array
  if channels == 1 and not _is_grey(array):
    raise ValueError(
      f'`path` {file} has colours, and the model takes grey: convert it, '
      "PIL.Image.open(file).convert('L').save(file)."
    )
  return np.repeat(array[..., :1], channels, axis=-1)


def _check_depth(file: pathlib.Path, array: np.ndarray, levels: int) -> None:
  """A picture of 16 bits is not one of 8 with larger numbers."""
  bits = 8 * array.dtype.itemsize
  expected = 8 if levels <= BYTE_LEVELS else 16
  if bits != expected:
    raise ValueError(
      f'`path` {file} has {bits} bits, and pixels of {levels} levels have {expected}: save it '
      f'with {expected} bits.'
    )


def _conversions(headers: dict[pathlib.Path, Header], channels: int) -> list[str]:
  """Modes of the files that are converted, with their numbers."""
  modes = collections.Counter(
    header.mode for header in headers.values() if header.is_grey != (channels == 1)
  )
  colours = {1: 'grey', 3: 'RGB'}.get(channels, f'{channels} channels')
  return [f'{count} of mode {mode} taken as {colours}' for mode, count in sorted(modes.items())]


def _left_out(labels: Sequence[str]) -> list[str]:
  if not labels:
    return []
  rest = f', ... ({len(labels)} in all)' if len(labels) > SHOWN else ''
  return [f'left out: {", ".join(labels[:SHOWN])}{rest}']


def _sized(shape: Sequence[int]) -> str:
  return ' x '.join(map(str, shape))
