"""How far the log densities of a trained model are to be trusted, and at how many steps they are.

  ma-keras certify --model=mnist --n=200 [--input=points.csv]

At points that are read, log_prob in d steps is held against log_prob in 2 d; the change is that of
what `ma-keras score` writes. Without --input samples are drawn, and the log densities that come
with them are certified, and log_prob at them. Exit code 3 if the mean change, its root mean square
or its 95 % quantile exceeds --tolerance, or too many points are in doubt
(docs/robustness.md); the last line names the smallest d, 2 d, 4 d, ... at which all is well.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.apps.configuration.option import integer, number, text
from ma_keras.apps.configuration.table import TableConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertifyConfig(ModelConfig, TableConfig):
  """A call of `ma-keras certify`."""

  n: int = integer(200, 'Points; of --input the first so many.', lower=1)
  input: str | None = text(None, 'Certify log_prob at these points of a table, not at samples.')
  tolerance: float = number(
    0.1,
    'Largest mean, root mean square and 95 % quantile of the change of ln p on halving the steps, '
    'and largest doubt of a point, in nats.',
    lower=0.0,
  )
  doubted: float = number(0.05, 'Largest share of points in doubt.', lower=0.0, upper=1.0)
