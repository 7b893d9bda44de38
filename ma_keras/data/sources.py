"""Where data come from: tensorflow-datasets, a file, or a set that scikit-learn carries along."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from ma_keras.data import dataset, tables
from ma_keras.data.dataset import Dataset

EMBEDDED = 'digits'
IMAGE_LEVELS = 256
DIGIT_LEVELS = 17
MOST_BYTES = 4 << 30
CSV_ROWS = 10_000


def load(name: str, data_dir: str | None = None, seed: int = 0) -> Dataset:
  """An image data set by name.

  Args:
    name: 'digits' (8 x 8 pictures out of scikit-learn, no download), or any image data set of
      tensorflow-datasets with the splits train and test: mnist, fashion_mnist, kmnist, cifar10, ...
    data_dir: Where tensorflow-datasets finds or keeps its data; None for its default.
    seed: Of the draw of validation images.

  Returns:
    The data set, uint8.

  Raises:
    ValueError: It is neither prepared nor to be downloaded, has no images, or does not fit.
  """
  if name == EMBEDDED:
    return _digits(seed)
  train, test = _tfds(name, data_dir)
  return dataset.split(name, train, test, IMAGE_LEVELS, seed)


def load_file(path: str | pathlib.Path, seed: int = 0) -> Dataset:
  """Vectors out of a .csv or .npy file, or of the arrays 'train' and perhaps 'test' of a .npz.

  Integers of type uint8 are taken for pixels, 0..255; everything else for real numbers.

  Args:
    path: The file.
    seed: Of the draw of validation points, and of test points where the file has none.

  Returns:
    The data set.

  Raises:
    ValueError: The file cannot be read, or its arrays are not what they should be.
  """
  if pathlib.Path(path).suffix == '.csv':
    rows = np.concatenate(list(tables.open_table(path).read(CSV_ROWS)))
    return dataset.split(pathlib.Path(path).stem, rows, None, None, seed)
  try:
    found = np.load(path, allow_pickle=False)
    arrays = {'train': found} if isinstance(found, np.ndarray) else dict(found)
  except Exception as error:  # Whatever NumPy, zipfile and zlib raise of damaged bytes.
    raise ValueError(
      f'`dataset_file` {path} cannot be read as .npy or .npz ({error}): write it with np.save.'
    ) from error
  if 'train' not in arrays:
    raise ValueError(
      f"`dataset_file` {path} has no array 'train', only {sorted(arrays)}: np.savez(path, train=x)."
    )
  train, test = arrays['train'], arrays.get('test')
  kinds = {(part.dtype.kind, part.shape[1:]) for part in (train, test) if part is not None}
  if train.dtype.kind not in 'uif' or len(kinds) > 1:
    raise ValueError(
      f'`dataset_file` {path} must hold numbers, and points of one shape and kind, got '
      f'{ {key: f"{value.dtype} {list(value.shape)}" for key, value in arrays.items()} }.'
    )
  levels = IMAGE_LEVELS if train.dtype == np.uint8 else None
  return dataset.split(pathlib.Path(path).stem, train, test, levels, seed)


def _tfds(name: str, data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
  import tensorflow_datasets as tfds  # Here: it takes a second, and not everyone needs it.

  try:
    builder = tfds.builder(name, data_dir=data_dir)
    _check_images(name, builder)
    builder.download_and_prepare()
    read: Any = builder.as_dataset(split=['train', 'test'], batch_size=-1)
    train, test = (part['image'].numpy() for part in read)
  except _Unsuitable:
    raise
  except Exception as error:  # Whatever a download, a file system or a builder may raise.
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    raise ValueError(
      f'`dataset` {name!r} is neither prepared at `data_dir` {data_dir or "(the default)"} nor to '
      f'be downloaded ({reason}): pass --data_dir=FOLDER with a copy that tfds prepared, '
      f'--dataset_file=FILE.npy, or --dataset={EMBEDDED}.'
    ) from error
  return train, test


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


def _digits(seed: int) -> Dataset:
  try:
    from sklearn import datasets
  except ImportError as error:
    raise ValueError(
      f'`dataset` {EMBEDDED!r} comes with scikit-learn, which is missing: '
      "pip install -e '.[digits]'."
    ) from error
  images = datasets.load_digits().images.astype(np.uint8)[..., np.newaxis]
  return dataset.split(EMBEDDED, images, None, DIGIT_LEVELS, seed)
