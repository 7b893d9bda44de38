"""Sources of data: tensorflow-datasets, a file, or a set that scikit-learn carries along."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ma_keras.data import byte_streams, dataset, fingerprint, gathering, readers, tables
from ma_keras.data.context_columns import LABEL, ContextColumn
from ma_keras.data.dataset import Dataset

EMBEDDED = 'digits'
IMAGE_LEVELS = 256
DIGIT_LEVELS = 17
MOST_BYTES = 4 << 30


def load(name: str, data_dir: str | None = None, seed: int = 0, labelled: bool = False) -> Dataset:
  """An image data set by name.

  Args:
    name: 'digits' (8 x 8 pictures out of scikit-learn, no download), or any image data set of
      tensorflow-datasets with the splits train and test: mnist, fashion_mnist, kmnist, cifar10, ...
    data_dir: Where tensorflow-datasets finds or keeps its data; None for its default.
    seed: Of the draw of validation images.
    labelled: Whether the class of an image is its context column 'label'.

  Returns:
    The data set, uint8.

  Raises:
    ValueError: It is neither prepared nor to be downloaded, has no images, or does not fit; or it
      has no labels where they are asked for.
  """
  if name == EMBEDDED:
    return _digits(seed, labelled)
  train, test, names = _tfds(name, data_dir)
  if not labelled:
    return dataset.split(name, train.images, test.images, IMAGE_LEVELS, seed)
  if names is None or len(names) > IMAGE_LEVELS:
    raise ValueError(
      f'`dataset` {name!r} has no labels of up to {IMAGE_LEVELS} classes to be the context of its '
      'images: leave --context_columns out.'
    )
  parts = (train.rows(), test.rows())
  shape = train.images.shape[1:]
  contexts = (_label_column(names),)
  return dataset.split(name, *parts, IMAGE_LEVELS, seed, event_shape=shape, contexts=contexts)


class _Labelled(NamedTuple):
  """Images [n, h, w, c] and their classes [n], None where they have none."""

  images: np.ndarray
  labels: np.ndarray | None

  def rows(self) -> np.ndarray:
    """Label and pixels side by side, [n, 1 + h w c]."""
    assert self.labels is not None
    labels = self.labels.astype(self.images.dtype)[:, np.newaxis]
    return np.concatenate([labels, self.images.reshape(len(labels), -1)], axis=1)


def _label_column(names: Sequence[str]) -> ContextColumn:
  return ContextColumn(LABEL, tuple(names), 0.0, len(names) - 1.0)


def load_file(
  path: str | pathlib.Path,
  seed: int = 0,
  folder: pathlib.Path | None = None,
  told: Callable[[str], None] = lambda line: None,
  **options: Any,
) -> Dataset:
  """Rows of any file or folder that `tables.open_table` reads, in float64.

  A .npz with an array 'train' may have one 'test'. Integers of type uint8 and pictures are taken
  for levels, as all numbers are with the option `levels`; everything else for real numbers.

  Args:
    path: The file or folder.
    seed: Of the draw of validation points, and of test points where the file has none.
    folder: Where rows go that are too many for memory, see `gathering.gather`.
    told: Hears how the file was understood, in one line.
    **options: Of `tables.open_table`: columns, header, missing, levels, ...

  Returns:
    The data set.

  Raises:
    ValueError: The file cannot be read, or its arrays are not what they should be.
  """
  path = pathlib.Path(path)
  arrays = readers.arrays_within(path) if options.get('array') is None else ()
  if 'train' in arrays:
    options['array'] = 'train'
  table = tables.open_table(path, **options)
  for_tests = {**options, 'array': 'test', 'contexts': table.contexts}
  tests = tables.open_table(path, **for_tests) if 'test' in arrays else None
  if tests is not None:
    _check_alike(table, tests)

  def key() -> str:
    content = f'{fingerprint.of_file(path)} {sorted(options.items())}'
    return hashlib.sha256(content.encode()).hexdigest()[:16]

  points = gathering.gather(table, key, folder)
  told(table.understood)
  return dataset.split(
    byte_streams.stem(path),
    points,
    None if tests is None else gathering.gather(tests),
    table.levels,
    seed,
    table.names,
    _event_shape(table),
    table.contexts,
  )


def _check_alike(table: tables.Table, tests: tables.Table) -> None:
  """Raises ValueError if points for the test are of another shape or kind."""
  if (tests.event_shape, tests.levels) != (table.event_shape, table.levels):
    raise ValueError(
      f'`path` {table.path} must hold points of one shape and kind, got {table.understood} and '
      f'{tests.understood}.'
    )


def _event_shape(table: tables.Table) -> tuple[int, ...]:
  """Shape of a point; [h, w] of levels is a grey picture."""
  shape = table.event_shape
  return (*shape, 1) if table.levels is not None and len(shape) == 2 else shape


def _tfds(name: str, data_dir: str | None) -> tuple[_Labelled, _Labelled, Sequence[str] | None]:
  """Training and test images, and the names of their classes."""
  import tensorflow_datasets as tfds  # Here: it takes a second, and not everyone needs it.

  try:
    builder = tfds.builder(name, data_dir=data_dir)
    _check_images(name, builder)
    builder.download_and_prepare()
    read: Any = builder.as_dataset(split=['train', 'test'], batch_size=-1)
    features = builder.info.features
    names = getattr(features[LABEL], 'names', None) if LABEL in features else None
    train, test = (_part(part, names is not None) for part in read)
  except _Unsuitable:
    raise
  except Exception as error:  # Whatever a download, a file system or a builder may raise.
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    raise ValueError(
      f'`dataset` {name!r} is neither prepared at `data_dir` {data_dir or "(the default)"} nor to '
      f'be downloaded ({reason}): pass --data_dir=FOLDER with a copy that tfds prepared, '
      f'--dataset_file=FILE.npy, or --dataset={EMBEDDED}.'
    ) from error
  return train, test, names


def _part(part: Any, labelled: bool) -> _Labelled:
  return _Labelled(part['image'].numpy(), part[LABEL].numpy() if labelled else None)


class _Unsuitable(ValueError):
  """A data set there is, but not one of images to hold in memory."""


def _check_images(name: str, builder: Any) -> None:
  features = builder.info.features
  image = features['image'] if 'image' in (features or {}) else None
  splits = set(builder.info.splits) or {'train', 'test'}  # Unknown before it is prepared.
  if image is None or None in image.shape or not {'train', 'test'} <= splits:
    raise _Unsuitable(
      f'`dataset` {name!r} must have images of one size and the splits train and test: mnist, '
      'fashion_mnist, kmnist and cifar10 have.'
    )
  count = sum(part.num_examples for part in builder.info.splits.values())
  if count * np.prod(image.shape) > MOST_BYTES:
    raise _Unsuitable(f'`dataset` {name!r} has {count} images of {image.shape}: too many to hold.')


def _digits(seed: int, labelled: bool) -> Dataset:
  try:
    from sklearn import datasets
  except ImportError as error:
    raise ValueError(
      f'`dataset` {EMBEDDED!r} comes with scikit-learn, which is missing: '
      "pip install -e '.[digits]'."
    ) from error
  digits = datasets.load_digits()
  images = digits.images.astype(np.uint8)[..., np.newaxis]
  if not labelled:
    return dataset.split(EMBEDDED, images, None, DIGIT_LEVELS, seed)
  contexts, rows = (_label_column('0123456789'),), _Labelled(images, digits.target).rows()
  shape = images.shape[1:]
  return dataset.split(
    EMBEDDED, rows, None, DIGIT_LEVELS, seed, event_shape=shape, contexts=contexts
  )
