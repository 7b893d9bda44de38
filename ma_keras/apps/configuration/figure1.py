"""Figure 1(a) of the paper: the gradient flow of a compressible fluid in one dimension.

  python apps/figure1_main.py --output=figure1a.png

phi(x) = x^2/2 spreads a standard normal; Appendix A solves it: x(t) = e^t x(0) and
p(x, t) = Normal(0, e^2t). The figure is drawn from the package's own trajectory, and the
largest deviation from the closed form is printed.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, number, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure1Config(Configuration):
  """A call of `ma-keras figure1`."""

  output: str = text('figure1a.png', 'Where the figure goes.')
  rate: float = number(1.0, 'lambda in phi = lambda x^2/2.')
  time: float = number(1.0, 'Time horizon T.', lower=1e-6)
