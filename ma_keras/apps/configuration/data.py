"""Options of the data of the density apps."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import integer, names, text
from ma_keras.apps.configuration.table import TableConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(TableConfig):
  """A data set, and its split."""

  dataset: str = text(
    'mnist',
    "A tfds image data set (mnist, fashion_mnist, cifar10, ...), or 'digits'.",
    fixes_run=True,
  )
  dataset_file: str | None = text(
    None,
    'A table instead: CSV, Parquet, .npy, ..., or a folder (docs/tables.md).',
    fixes_run=True,
    names_file=True,
  )
  context_columns: tuple[str, ...] = names(
    (),
    'Columns of the table, numbers or words, that the density of the others is given: p(x | c); '
    "'label' of images.",
    fixes_run=True,
  )
  data_dir: str | None = text(None, 'Where tensorflow-datasets keeps its data.')
  split_seed: int = integer(0, 'Chooses the validation points.', lower=0, fixes_run=True)
