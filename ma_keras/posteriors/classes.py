"""Bayesian classification: the class as the context of a density, and Bayes' rule backwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.special
import tensorflow as tf

from ma_keras.arguments import is_distribution, is_whole

HALVINGS = 60  # Of the bracket of a temperature.
COLDEST, HOTTEST = 1e-4, 1e6


@dataclasses.dataclass(frozen=True)
class Classification:
  """P(k | x) = p(x | k)^(1/T) P(k) / sum_j p(x | j)^(1/T) P(j) of n points and K classes.

  At T = 1 that is Bayes' rule. Densities of many coordinates are rarely so right that their
  posteriors are calibrated; one number T, of points that trained nothing, mends most of it.

  Attributes:
    log_likelihoods: ln p(x | k), nats, float64 [n, K].
    log_prior: ln P(k), [K].
    temperature: T.
  """

  log_likelihoods: np.ndarray
  log_prior: np.ndarray
  temperature: float = 1.0

  @property
  def log_posterior(self) -> np.ndarray:
    """ln P(k | x), [n, K]; NaN of a point whose density is zero in all classes: it has none."""
    joint = self.log_likelihoods / self.temperature + self.log_prior
    with np.errstate(invalid='ignore'):
      return joint - scipy.special.logsumexp(joint, axis=-1, keepdims=True)

  @property
  def log_evidence(self) -> np.ndarray:
    """ln p(x) = ln sum_k p(x | k) P(k), nats, [n]: the density of points of any class."""
    return scipy.special.logsumexp(self.log_likelihoods + self.log_prior, axis=-1)

  @property
  def classes(self) -> np.ndarray:
    """The most probable class of every point, [n]; -1 of a point whose density is zero in all."""
    joint = self.log_likelihoods / self.temperature + self.log_prior
    return np.where(self._nowhere, -1, np.argmax(joint, axis=-1))

  def accuracy(self, labels: Any) -> tuple[float, float]:
    """Share of points whose class is the label, and its standard error."""
    right = self.classes == self._labels(labels)
    return float(np.mean(right)), float(np.std(right) / np.sqrt(len(right)))

  def cross_entropy(self, labels: Any) -> float:
    """Mean of -ln P(label | x), nats; infinite where a point has no density under its label."""
    labels = self._labels(labels)
    log_probs = self.log_posterior[np.arange(len(labels)), labels]
    return -float(np.mean(np.where(self._nowhere, -np.inf, log_probs)))

  def calibration_error(self, labels: Any, bins: int = 10) -> float:
    """Mean distance of confidence and accuracy, in `bins` equal bins of confidence max_k P(k | x).

    Zero is right; a few points a bin make it larger than it is.

    Raises:
      ValueError: A point has no density in any class, and so no confidence.
    """
    if np.any(self._nowhere):
      raise ValueError(
        f'The density of point {int(np.argmax(self._nowhere))} is zero in all classes, so that it '
        'has no confidence: leave such points out, and say how many.'
      )
    confidence = np.exp(np.max(self.log_posterior, axis=-1))
    right = self.classes == self._labels(labels)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    surplus = np.bincount(bin_of, weights=confidence - right, minlength=bins)
    return float(np.sum(np.abs(surplus)) / len(right))

  def novelty(self, background: Any) -> np.ndarray:
    """Likelihood ratio ln q(x) - ln p(x), nats, [n]; large where no class explains a point.

    A density alone is no measure of novelty: simple points have large ones under any model. The
    ratio to a background q, of the same kind and trained on all or on distorted points, has what
    is peculiar to the classes [1].

    [1] Ren et al., Likelihood Ratios for Out-of-Distribution Detection, 2019.

    Args:
      background: ln q(x), nats, [n].

    Raises:
      ValueError: `background` is not one number a point.
    """
    background = np.asarray(background, np.float64)
    if background.shape != self.log_likelihoods.shape[:1]:
      raise ValueError(
        f'`background` must be {len(self.log_likelihoods)} log densities, one a point, got shape '
        f'{list(background.shape)}.'
      )
    return background - self.log_evidence

  def calibrated(self, labels: Any) -> Classification:
    """Returns the classification at the T of least cross-entropy, which is convex in 1/T.

    Its T is that of points that trained nothing: `dataclasses.replace(other, temperature=T)`.

    Args:
      labels: Classes of the points, whole numbers [n].
    """
    labels = self._labels(labels)
    own = self.log_likelihoods[np.arange(len(labels)), labels]
    if np.any(np.isneginf(own)):
      raise ValueError(
        f'`labels` has a class whose density at point {int(np.argmin(own))} is zero, and no '
        'temperature mends that: leave such points out, and say how many.'
      )
    finite = np.where(np.isneginf(self.log_likelihoods), 0.0, self.log_likelihoods)

    def excess(inverse: float) -> float:
      """Derivative of the cross-entropy by 1/T."""
      posterior = np.exp(dataclasses.replace(self, temperature=1 / inverse).log_posterior)
      return float(np.mean(np.sum(posterior * finite, axis=-1) - own))

    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(HALVINGS):
      middle = (low + high) / 2
      low, high = (low, middle) if excess(np.exp(middle)) > 0 else (middle, high)
    return dataclasses.replace(self, temperature=float(np.exp(-(low + high) / 2)))

  @property
  def _nowhere(self) -> np.ndarray:
    """Tells of every point if its density is zero in all classes, [n]."""
    return np.all(np.isneginf(self.log_likelihoods), axis=-1)

  def _labels(self, labels: Any) -> np.ndarray:
    labels, size = np.asarray(labels), self.log_likelihoods.shape[-1]
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or labels.shape != self.log_likelihoods.shape[:1] or not len(labels):
      raise ValueError(
        f'`labels` must be {len(self.log_likelihoods)} whole numbers, one a point, got '
        f'{labels.dtype} {list(labels.shape)}.'
      )
    if labels.min() < 0 or labels.max() >= size:
      raise ValueError(
        f'`labels` must be in 0..{size - 1}, the places of `contexts`, got {labels.min()}..'
        f'{labels.max()}.'
      )
    return labels


def over_draws(classifications: Iterable[Classification]) -> Classification:
  """The classification by the mean of ln p(x + u | k) over draws of dequantisation noise u.

  By Jensen's inequality that mean is a lower bound of ln P(x | k), the log probability of whole
  numbers x: with it the bound takes the place of the noisy ln p(x + u | k) of one draw.

  Args:
    classifications: One for each draw, of the same points.

  Raises:
    TypeError: One of them is no `Classification`.
    ValueError: There is none, or they differ in shape, prior or temperature.
  """
  if isinstance(classifications, Classification):
    return classifications
  try:
    draws = list(classifications)
  except TypeError:  # Nothing to iterate over.
    draws = [classifications]  # type: ignore[list-item]
  for draw in draws:
    if not isinstance(draw, Classification):
      raise TypeError(
        f'`classifications` must be of posteriors.classify, got {type(draw).__name__}.'
      )
  if not draws:
    raise ValueError('`classifications` must be one at least, a draw of noise each, got none.')
  for k, draw in enumerate(draws):
    if not _is_alike(draws[0], draw):
      raise ValueError(
        '`classifications` must be of the same points and classes, at equal priors and '
        f'temperatures, and number {k} is not as number 0 is.'
      )
  mean = np.mean([draw.log_likelihoods for draw in draws], axis=0)
  return dataclasses.replace(draws[0], log_likelihoods=mean)


def _is_alike(one: Classification, other: Classification) -> bool:
  shapes = one.log_likelihoods.shape == other.log_likelihoods.shape
  priors = np.array_equal(one.log_prior, other.log_prior)
  return shapes and priors and one.temperature == other.temperature


def classify(
  flow: Any, x: Any, contexts: Any, prior: Any = None, batch_size: int = 1000
) -> Classification:
  """ln p(x | c_k) of all points under all classes, for Bayes' rule: K solves of n points.

  Parts of a chain between the data and the first that takes a context are solved once for all.

  ```python
  found = posteriors.classify(flow, images, contexts=np.arange(10.0)[:, np.newaxis])
  found.accuracy(labels), found.classes, found.log_posterior
  ```

  Args:
    flow: `ConditionalFlow`.
    x: Points [n, N], images [n, H, W, C]: of the events of the flow.
    contexts: c_k of every class, [K, O].
    prior: P(k), [K], positive and of sum 1; None for equal classes.
    batch_size: Points flowed at once.

  Returns:
    The classification, from arrays alone from here on.

  Raises:
    TypeError: The flow takes no context.
    ValueError: There are not two classes at least, `x` has events of another shape, `prior` is
      none, or a density is NaN.
  """
  if not hasattr(flow, 'split'):
    raise TypeError(
      f'`flow` must be a ConditionalFlow, which takes the class as context, got '
      f'{type(flow).__name__}: ma_keras.conditional_flow(bijector), or `flow()` of a model file.'
    )
  contexts, x = tf.convert_to_tensor(contexts, flow.dtype), tf.convert_to_tensor(x, flow.dtype)
  if contexts.shape.rank != 2 or len(contexts) < 2 or not is_whole(batch_size):
    raise ValueError(
      f'`contexts` must be those of two or more classes, [K, O], and `batch_size` positive, got '
      f'{contexts.shape} and {batch_size!r}.'
    )
  if x.shape[1:] != flow.event_shape or not len(x):
    sizes = ', '.join(map(str, flow.event_shape))
    raise ValueError(f'`x` must be points [n, {sizes}], at least one, got shape {x.shape}.')
  prior = np.full(len(contexts), 1 / len(contexts)) if prior is None else np.asarray(prior)
  if not is_distribution(prior, len(contexts)):
    raise ValueError(
      f'`prior` must be {len(contexts)} positive numbers of sum 1, one a class, got {prior}.'
    )
  shared, rest = flow.split()

  codes = tf.unstack(tf.cast(contexts, rest.dtype))

  # Eager calls of a flow share one trace; in a graph every class would have a flow of its own.
  def log_probs(x: tf.Tensor) -> tf.Tensor:
    log_det = shared.inverse_log_det_jacobian(x, event_ndims=len(flow.event_shape))
    y = tf.cast(shared.inverse(x), rest.dtype)
    columns = tf.stack([rest.log_prob(y, context=code) for code in codes], axis=-1)
    return tf.cast(columns, tf.float64) + tf.cast(log_det, tf.float64)[..., tf.newaxis]

  parts = [log_probs(x[k : k + batch_size]) for k in range(0, len(x), batch_size)]
  likelihoods = np.concatenate(parts)
  if np.any(np.isnan(likelihoods)):
    row, k = np.argwhere(np.isnan(likelihoods))[0].tolist()
    raise ValueError(f'The log density of point {row} under class {k} is not a number.')
  return Classification(likelihoods, np.log(prior))
