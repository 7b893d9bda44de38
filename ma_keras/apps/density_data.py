"""The data of the density apps: what a configuration says."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from ma_keras import data
from ma_keras.apps import table_input
from ma_keras.apps.configuration.data import DataConfig
from ma_keras.apps.configuration.option import fixing
from ma_keras.data import fingerprint
from ma_keras.data.context_columns import ContextColumn

ConfigT = TypeVar('ConfigT', bound=DataConfig)
# Of a model's data: other values make another data set.
DATA_OPTIONS = fixing(DataConfig)


def load(
  config: DataConfig,
  folder: pathlib.Path | None = None,
  model_columns: Sequence[str] | None = None,
  contexts: Sequence[ContextColumn] | None = None,
  categorical: Collection[str] = (),
) -> data.Dataset:
  """Loads --dataset or --dataset_file; how a table was understood is printed in one line.

  Args:
    config: Names the data.
    folder: Where large tables are kept, the directory of a run; None for commands that have none.
    model_columns: Names of a trained model's columns, which are put in its order.
    contexts: Its context columns; None for those of the configuration, which are surveyed.
    categorical: Context columns whose numbers are names of categories.
  """
  if not config.dataset_file:
    labelled = bool(config.context_columns if contexts is None else contexts)
    return data.load(config.dataset, config.data_dir, config.split_seed, labelled)
  return data.load_file(
    config.dataset_file,
    config.split_seed,
    folder,
    lambda line: print(line, flush=True),
    **table_input.options(config),
    model_columns=model_columns,
    context_columns=config.context_columns,
    contexts=contexts,
    categorical=categorical,
  )


def restored(config: ConfigT, notes: Mapping[str, Any]) -> ConfigT:
  """The configuration with the data that a model was trained on, where none were given.

  A file that was found again is named in one line on stdout.

  Args:
    config: As it was given.
    notes: Those of the model's file.

  Raises:
    ValueError: The file is gone, or holds other data than then.
  """
  elsewhere = config.overrides & {'dataset', 'dataset_file'}
  names = ('split_seed',) if elsewhere else DATA_OPTIONS
  config = config.with_defaults(**{name: notes[name] for name in names if name in notes})
  if elsewhere or not config.dataset_file:
    return config
  path = pathlib.Path(config.dataset_file)
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
  return config


def notes(config: DataConfig) -> dict[str, Any]:
  """Names the data of a model, for its file: `restored` reads it."""
  facts = {name: getattr(config, name) for name in DATA_OPTIONS}
  path = config.dataset_file
  if not path:
    return facts
  content = {'dataset_file': str(pathlib.Path(path).resolve())}
  return {**facts, **content, 'dataset_hash': fingerprint.of_file(path)}
