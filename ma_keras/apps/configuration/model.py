"""Options of the commands that take a trained model."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import REQUIRED, Configuration, integer, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig(Configuration):
  """A model, its depth, and the size of batches."""

  model: str = text(
    REQUIRED,
    'The model.npz of a run, the name of a pretrained model, or the address of one: https://...',
  )
  num_steps: int = integer(
    0,
    'Integration steps d over the same T; 0: as the file says, where they are certified.',
    lower=0,
  )
  batch_size: int = integer(100, 'Points flowed at once.', lower=1)
  seed: int = integer(0, 'Names every random number drawn.', lower=0)
