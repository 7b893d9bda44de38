"""Samples of a trained model, in as little memory as one batch takes.

  python apps/sample_main.py --model=mnist --n=100 --output=digits.png

The k-th batch of samples is a function of --seed, k and --batch_size: equal commands draw equal
samples. Of a table, columns of rounded numbers are rounded again.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import integer, switch, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleConfig(ModelConfig):
  """A call of `ma-keras sample`."""

  n: int = integer(100, 'Number of samples.', lower=1)
  output: str = text(
    'samples.npy',
    'A .npy of events, a .csv of rows, a .png of up to 400 pictures, or a .xyz of particles.',
  )
  context: str | None = text(
    None, 'What a conditional density is given, for all samples: age=40,sex=F.'
  )
  context_file: str | None = text(
    None, 'A table of the context columns instead; one sample for every row, in their order.'
  )
  unconstrained: bool = switch(False, 'Draw y of R^N (logit space of images), not the data.')

  def __post_init__(self) -> None:
    """Checks values together.

    Raises:
      ValueError: They do not go together.
    """
    super().__post_init__()
    if self.context is not None and self.context_file is not None:
      raise ValueError('`--context` and --context_file say the same: give one of them.')
    if self.context_file is not None and 'n' in self.overrides:
      raise ValueError(
        f'`--n` {self.n} with --context_file: there is one sample for every row; repeat rows to '
        'have more.'
      )
