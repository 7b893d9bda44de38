"""How well a classifier tells two sets of samples apart (C2ST)."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Separability(NamedTuple):
  """Accuracy of a classifier on samples that it was not trained on; 0.5: they are alike.

  Attributes:
    accuracy: Mean over the folds.
    error: Binomial standard error of it, sqrt(a (1 - a) / n).
  """

  accuracy: float
  error: float


def separability(one: Any, two: Any, seed: int = 0, folds: int = 5) -> Separability:
  """Classifier two-sample test (Lopez-Paz & Oquab 2017), as the benchmark sbibm does it.

  Two hidden layers of ten units a dimension, standardised by the first set, cross-validated.

  Args:
    one: Samples [n, N], of a reference say.
    two: As many others.
    seed: Non-negative integer.
    folds: Parts that take turns as test set.

  Returns:
    The accuracy and its error.

  Raises:
    ValueError: The sets differ in shape, or hold what is not finite.
  """
  one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
  if one.shape != two.shape or one.ndim != 2:
    raise ValueError(
      f'`one` and `two` must be samples [n, N] of one shape, got {one.shape} and {two.shape}.'
    )
  if not np.all(np.isfinite(one)) or not np.all(np.isfinite(two)):
    raise ValueError('`one` or `two` holds NaN or infinity: a flow that diverges is not right.')
  scaler = StandardScaler().fit(one)
  points = np.concatenate([scaler.transform(one), scaler.transform(two)])
  labels = np.repeat([0, 1], [len(one), len(two)])
  width = 10 * one.shape[1]
  classifier = MLPClassifier((width, width), max_iter=1000, random_state=seed)
  parts = KFold(folds, shuffle=True, random_state=seed)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', ConvergenceWarning)
    scores = cross_val_score(make_pipeline(classifier), points, labels, cv=parts)
  accuracy = float(np.mean(scores))
  return Separability(accuracy, float(np.sqrt(accuracy * (1.0 - accuracy) / len(points))))
