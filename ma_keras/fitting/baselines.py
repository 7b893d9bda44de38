"""Baselines that a flow has to beat: a Gaussian of full covariance, and a mixture of BIC's size."""

from __future__ import annotations

import dataclasses

import numpy as np

from ma_keras.fitting import mixture

MOST_COMPONENTS = 20
MOST_ROWS = 10_000
MOST_COLUMNS = 128
REGULARISATION = 1e-6  # Added to variances, by scikit-learn's default.
RISES = 3  # Sizes in a row with a larger BIC, after which none is tried.


@dataclasses.dataclass(frozen=True)
class Baselines:
  """Negative log densities of held-out rows under plain models of the training rows.

  Attributes:
    gaussian_losses: Of a Gaussian with full covariance, row by row, nats [m].
    mixture: Mean of a mixture of `components` such Gaussians, nats.
    components: The number that BIC prefers.
  """

  gaussian_losses: np.ndarray
  mixture: float
  components: int

  @classmethod
  def fitted(cls, train: np.ndarray, test: np.ndarray, seed: int = 0) -> Baselines:
    """Fits both to standardised training rows; scikit-learn's own settings.

    Args:
      train: Finite float64 rows, [n, N].
      test: Held-out rows, [m, N].
      seed: Non-negative integer.
    """
    centre, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # A column may vary in other rows alone.
    log_det = float(np.sum(np.log(scale)))
    if len(train) > MOST_ROWS:
      train = train[np.random.default_rng(seed).choice(len(train), MOST_ROWS, replace=False)]
    train, test = (train - centre) / scale, (test - centre) / scale
    gaussian = mixture.fitted(train, (1, 'full', REGULARISATION), seed)
    best, bic, rises = gaussian, gaussian.bic(train), 0
    most = min(MOST_COMPONENTS, len(train) // 5) if train.shape[1] <= MOST_COLUMNS else 1
    for components in range(2, most + 1):
      candidate = mixture.fitted(train, (components, 'full', REGULARISATION), seed)
      value = candidate.bic(train)
      rises = 0 if value < bic else rises + 1
      if value < bic:
        best, bic = candidate, value
      if rises >= RISES:
        break
    return cls(
      gaussian_losses=log_det - gaussian.score_samples(test),
      mixture=float(-best.score(test)) + log_det,
      components=best.n_components,
    )

  def compared(self, nll: float) -> str:
    """Says how much better, or worse, a negative log likelihood of the same rows is."""
    return (
      f'{_difference(float(np.mean(self.gaussian_losses)) - nll)} than a Gaussian, '
      f'{_difference(self.mixture - nll)} than a mixture of {self.components}'
    )


def _difference(gain: float) -> str:
  return f'{abs(gain):.2f} nats {"better" if gain >= 0 else "worse"}'
