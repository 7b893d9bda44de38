"""Folders of pictures as rows of numbers."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ma_keras.data.reader import Blocks, Reader

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')
PICTURES_AT_ONCE = 100


def open_pictures(folder: pathlib.Path) -> Reader:
  """Pictures of one size in the order of their names, which label them."""
  files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
  if not files:
    raise ValueError(f'holds no table and no picture, {", ".join(SUFFIXES)}')
  shape = _pixels(files[0]).shape

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    del ids
    for k in range(0, len(files), PICTURES_AT_ONCE):
      some = files[k : k + PICTURES_AT_ONCE]
      rows = np.stack([_alike(file, files[0], shape).ravel() for file in some])
      yield rows[:, list(numbers)].astype(np.float64), [file.name for file in some]

  return Reader(
    path=folder,
    form=f'pictures {list(shape)}',
    width=math.prod(shape),
    read=read,
    num_rows=len(files),
    event_shape=shape,
    quantised=True,
  )


def _alike(file: pathlib.Path, first: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
  pixels = _pixels(file)
  if pixels.shape != shape:
    raise ValueError(
      f'`path` {file} is {list(pixels.shape)}, and {first.name} {list(shape)}: all must be alike.'
    )
  return pixels


def _pixels(file: pathlib.Path) -> np.ndarray:
  try:
    return tf.io.decode_image(file.read_bytes(), expand_animations=False).numpy()
  except tf.errors.InvalidArgumentError as error:
    raise ValueError(f'`path` {file} is no picture, or is damaged.') from error
