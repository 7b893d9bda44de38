"""A trained model as a SavedModel that TensorFlow alone can load and serve (docs/serving.md).

python apps/export_main.py --model=runs/digits_tiny/model.npz --output=saved_model
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import text


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig(ModelConfig):
  """A call of `ma-keras export`."""

  output: str = text('saved_model', 'Folder of the SavedModel.')
