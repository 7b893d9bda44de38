"""Mutual information and total correlation, from exact densities and from correlations."""

from ma_keras.information.correlations import (
  PairwiseInformation,
  correlation_bound,
  normal_scores,
  pairwise,
)
from ma_keras.information.estimates import (
  Estimate,
  marginal_log_probs,
  mutual_information,
  total_correlation,
)

__all__ = [
  'Estimate',
  'PairwiseInformation',
  'correlation_bound',
  'marginal_log_probs',
  'mutual_information',
  'normal_scores',
  'pairwise',
  'total_correlation',
]
