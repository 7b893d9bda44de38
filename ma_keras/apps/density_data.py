"""The data of the density apps: what flags say."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from ma_keras import data
from ma_keras.apps import table_flags
from ma_keras.data import fingerprint

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(table_flags)
flags.DEFINE_string(
  'dataset', 'mnist', "A tfds image data set (mnist, fashion_mnist, cifar10, ...), or 'digits'."
)
flags.DEFINE_string(
  'dataset_file', None, 'A table instead: CSV, Parquet, .npy, ..., or a folder (docs/tables.md).'
)
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('split_seed', 0, 'Chooses the validation points.', lower_bound=0)

# Those of a model's data: other values make another data set.
DATA_FLAGS = ('dataset', 'dataset_file', 'split_seed', *table_flags.DATA_FLAGS)


def load(model_columns: Sequence[str] | None = None) -> data.Dataset:
  """Loads what --dataset or --dataset_file says; how a table was understood is printed in one line.

  Args:
    model_columns: Names of a trained model's columns, which are put in its order.
  """
  if not FLAGS.dataset_file:
    return data.load(FLAGS.dataset, FLAGS.data_dir, FLAGS.split_seed)
  return data.load_file(
    FLAGS.dataset_file,
    FLAGS.split_seed,
    run_folder(),
    lambda line: print(line, flush=True),
    **table_flags.options(),
    model_columns=model_columns,
  )


def run_folder() -> pathlib.Path | None:
  """The directory of the run, where large tables are kept; None for commands that have none."""
  if 'run_dir' not in FLAGS:
    return None
  return pathlib.Path(FLAGS.run_dir or f'runs/{FLAGS.dataset}')


def restore(notes: dict[str, Any]) -> None:
  """Sets the flags of the data, where none was given, to the data that a model was trained on.

  A file that was found again is named in one line on stdout.

  Args:
    notes: Those of the model's file.

  Raises:
    ValueError: The file is gone, or holds other data than then.
  """
  given = FLAGS['dataset'].present or FLAGS['dataset_file'].present
  for name in ('split_seed',) if given else DATA_FLAGS:
    if name in notes and not FLAGS[name].present:
      FLAGS[name].value = notes[name]
  if given or not FLAGS.dataset_file:
    return
  path = pathlib.Path(FLAGS.dataset_file)
  if not path.exists():
    raise ValueError(
      f'The data that the model was trained on, {path}, are gone: say where they are by '
      '--dataset_file.'
    )
  if notes.get('dataset_hash') != fingerprint.of_file(path):
    raise ValueError(
      f'The data that the model was trained on, {path}, have changed since, so that test points '
      f'may be among those it has seen: --dataset_file={path} measures it on them all the same.'
    )
  print(f'On the test points of {path}, as it was in training.', flush=True)


def notes() -> dict[str, Any]:
  """Returns where the data of a model were, for its file: `restore` reads it."""
  given = {name: FLAGS[name].value for name in DATA_FLAGS}
  path = FLAGS.dataset_file
  if not path:
    return given
  content = {'dataset_file': str(pathlib.Path(path).resolve())}
  return {**given, **content, 'dataset_hash': fingerprint.of_file(path)}
