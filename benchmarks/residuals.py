"""What of the log weights of a flow features of configurations explain."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def explained(columns: np.ndarray, values: np.ndarray, groups: np.ndarray | None = None) -> float:
  """Share of the variance of values [n] that ridge regression on columns [n, F] predicts.

  It is fitted to three quarters and predicts the fourth. All samples of one group, the number of a
  chain [n] say, are fitted to or predicted together.
  """
  regression = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13)))
  folds = KFold(4) if groups is None else GroupKFold(4)
  predicted = cross_val_predict(regression, columns, values, groups=groups, cv=folds)
  return float(1.0 - np.mean((values - predicted) ** 2) / np.var(values))
