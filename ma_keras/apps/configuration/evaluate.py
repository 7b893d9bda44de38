"""The likelihood or free energy of a trained model, with its errors.

  ma-keras eval --model=mnist --data_dir=FOLDER
  ma-keras eval --model=ising_l16 --n=20000 --num_steps=24

A density is measured on the test points of --dataset or --dataset_file, by default those that the
model file names; a flow of spins or fields on fresh samples, weighed against its own target.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.data import DataConfig
from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import integer, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateConfig(ModelConfig, DataConfig):
  """A call of `ma-keras eval`."""

  n: int = integer(0, 'Test points (0: all), or samples (0: 4096).', lower=0)
  draws: int = integer(2, 'Draws of dequantisation noise for every point.', lower=1)
  tolerance: float = number(
    0.1, 'Halve the steps until a likelihood changes by less nats.', lower=0.0
  )
