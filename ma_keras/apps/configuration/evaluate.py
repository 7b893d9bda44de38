"""The likelihood or free energy of a trained model, and what its paths cost, with their errors.

  ma-keras eval --model=mnist --data_dir=FOLDER
  ma-keras eval --model=ising_l16 --n=20000 --num_steps=24

A density is measured on the test points of --dataset or --dataset_file, by default those that the
model file names; a flow of spins or fields on fresh samples, weighed against its own target.
Paths are those of fresh samples, in the space of the flow; see docs/transport.md.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.data import DataConfig
from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import integer, number, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateConfig(ModelConfig, DataConfig):
  """A call of `ma-keras eval`."""

  n: int = integer(0, 'Test points (0: all), or samples (0: 4096).', lower=0)
  draws: int = integer(2, 'Draws of dequantisation noise for every point.', lower=1)
  tolerance: float = number(
    0.1, 'Halve the steps until a likelihood changes by less nats.', lower=0.0
  )
  paths: int = integer(
    1024,
    'Paths of samples whose energy, straightness and distances are measured; 0: none.',
    lower=0,
  )
  classify: int = integer(
    0,
    "Test points whose class is told by Bayes' rule, where the model's one context is the class; "
    '0: none. Each takes a solve for every class and draw.',
    lower=0,
  )
  output: str | None = text(None, 'JSON file for all that was measured.')

  def __post_init__(self) -> None:
    """Checks the number of paths.

    Raises:
      ValueError: There are too few for errors.
    """
    super().__post_init__()
    if 0 < self.paths < 16:
      raise ValueError(f'`--paths` must be 0 or at least 16, got {self.paths}. 1024 is usual.')
