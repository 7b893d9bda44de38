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
from ma_keras.information.ranks import OffsetInformation, by_offset, pairwise_by_ranks

__all__ = [
  'Estimate',
  'OffsetInformation',
  'PairwiseInformation',
  'by_offset',
  'correlation_bound',
  'marginal_log_probs',
  'mutual_information',
  'normal_scores',
  'pairwise',
  'pairwise_by_ranks',
  'total_correlation',
]
