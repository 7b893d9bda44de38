"""Log densities under a trained model, in as little memory as one batch takes.

  python apps/score_main.py --model=model.npz --input=points.csv --output=scores.csv

Rows are read once, and scored as they come; the output gets its name when all are in it. Pixels
that are whole numbers are dequantised (a bound on their probability, docs/density.md); the noise of
row k is a function of --seed and k alone.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import REQUIRED, switch, text
from ma_keras.apps.configuration.table import TableConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreConfig(ModelConfig, TableConfig):
  """A call of `ma-keras score`."""

  input: str = text(REQUIRED, 'A table, CSV, Parquet, .npy, ..., or a folder (docs/tables.md).')
  output: str = text('scores.csv', 'A .csv of row and log_prob, or a .npy of the latter.')
  unconstrained: bool = switch(
    False,
    'The density of y in R^N (logit space of images), in which papers compare; not that of the '
    'data.',
  )
