"""Figures of a trained model: how its samples and its density look beside data.

  ma-keras plot --model=model.npz --input=points.csv --output=density.png

One column: histograms and the density; two: contours of the density with data and samples over
them; more: pairs of columns, 8 at most, which --columns chooses; images: samples as pictures. With
--input a second figure, density_calibration.png, shows whether latents of the data follow the base.
Rows in excess of --n are left out at random.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import integer, text
from ma_keras.apps.configuration.table import TableConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotConfig(ModelConfig, TableConfig):
  """A call of `ma-keras plot`."""

  input: str | None = text(
    None, 'A table, CSV, Parquet, .npy, ..., or a folder; without it samples alone.'
  )
  output: str = text('density.png', 'A .png.')
  n: int = integer(1000, 'Number of samples, and of rows at most.', lower=1)
