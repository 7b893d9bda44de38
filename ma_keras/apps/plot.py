"""Figures of a trained model: how its samples and its density look beside data.

Rows in excess of a number are left out at random, every set of them as likely.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from ma_keras import plotting
from ma_keras.apps import model_app, model_figures, table_input
from ma_keras.apps.configuration.plot import PlotConfig
from ma_keras.data import tables
from ma_keras.files.replacing import check_apart, target
from ma_keras.saving import model_file

READ_ROWS = 1000  # At once.


def rows_at_random(table: tables.Table, count: int, seed: int) -> tuple[np.ndarray, int]:
  """So many rows at most, every set of them as likely, and the number of all rows."""
  generator = np.random.default_rng(seed)
  keys: np.ndarray = np.empty(0)
  rows: np.ndarray = np.empty((0, table.event_size))
  total = 0
  for block in table.read(READ_ROWS):
    keys = np.concatenate([keys, generator.random(len(block))])
    rows = np.concatenate([rows, block])
    lowest = np.argsort(keys)[:count]
    keys, rows = keys[lowest], rows[lowest]
    total += len(block)
  return rows, total


def chosen_columns(model: model_file.Model, config: PlotConfig) -> Sequence[int]:
  """Numbers of the columns to show; raises ValueError where --columns names none of the model's."""
  names, chosen = model_figures.names(model), config.columns
  most = model_figures.MOST_COLUMNS
  if chosen is None:
    if len(names) > most and not model_figures.is_image(model):
      print(f'The first {most} of {len(names)} columns are shown: --columns chooses others.')
    return range(min(len(names), most))
  unknown = [name for name in chosen if name not in names]
  if unknown or not 1 <= len(chosen) <= most or len(set(chosen)) < len(chosen):
    raise ValueError(
      f'`--columns` {",".join(chosen)} must be 1 to {most} different columns of the model, which '
      f'has {", ".join(names[:20])}{", ..." if len(names) > 20 else ""}.'
    )
  return [names.index(name) for name in chosen]


def outputs(config: PlotConfig) -> tuple[pathlib.Path, pathlib.Path]:
  """Paths of the two figures; raises ValueError where they cannot be written."""
  path = pathlib.Path(config.output)
  if path.suffix.lower() != '.png':
    raise ValueError(f'`--output` {path} must end in .png.')
  beside = path.with_name(f'{path.stem}_calibration{path.suffix}')
  for figure in (path, beside):
    check_apart(str(figure), *filter(None, [config.input, config.model]))
    target(figure)  # Fails now if it cannot be a file.
  return path, beside


def check_matplotlib() -> None:
  """Raises ValueError where matplotlib is missing, before any work."""
  try:
    import matplotlib.figure  # noqa: F401
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error


def work(config: PlotConfig) -> None:
  """Reads, draws and writes; the second figure after the first."""
  check_matplotlib()
  path, beside = outputs(config)
  model = model_app.load(config)
  model_app.check_unconditional(
    model, config, 'draw samples under one by `ma-keras sample --context=...` and plot those'
  )
  columns, rows = chosen_columns(model, config), None
  if config.input:
    table = table_input.open_for(config.input, model, dataclasses.replace(config, columns=None))
    print(table.understood, flush=True)
    rows, total = rows_at_random(table, config.n, config.seed)
    print(f'{len(rows):,} of {total:,} rows are shown.', flush=True)
  batch_size, seed = config.batch_size, config.seed
  figures = {path: model_figures.density(model, rows, config.n, columns, batch_size, seed)}
  if rows is not None:
    figures[beside] = model_figures.calibration(model, rows, batch_size, seed)
  for name, figure in figures.items():
    plotting.save(figure, name)
    print(f'Figure: {name}')


def main(config: PlotConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
