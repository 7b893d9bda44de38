"""A trained model as a SavedModel that TensorFlow alone can load and serve."""

from __future__ import annotations

import pathlib

from ma_keras.apps import model_app
from ma_keras.apps.configuration.export import ExportConfig
from ma_keras.files.replacing import check_folder
from ma_keras.saving import export


def work(config: ExportConfig) -> None:
  """Writes it."""
  path = pathlib.Path(config.output)
  check_folder(path, export.NAMES)  # Fails now if it holds something else.
  model = model_app.load(config)
  unconstrained = model.latent_flow() if model.preprocessing else None
  export.save(model.flow(), path, unconstrained, serving_files=True)
  print(f'SavedModel: {config.output}')
  if model.contexts:
    told = [f'{c.name} ({c.coded})' if c.categories else c.name for c in model.contexts]
    print(f'Its input `context` is [rows or 1, {len(told)}]: {", ".join(told)}.')


def main(config: ExportConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
