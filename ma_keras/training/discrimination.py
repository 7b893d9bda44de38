"""Bayes' rule in the loss: densities of classes that tell the classes apart as well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_distribution, is_finite, is_whole
from ma_keras.distributions import conditions

# ln p of points y [b r, N] under codes [b r, C], [b r], r times the points of a batch.
LogProb = Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class Discrimination:
  """Adds -weight ln P(k | x) to the loss -ln p(x | o_k) of a point x of class k.

      P(k | x) = p(x | o_k) P(k) / sum_j p(x | o_j) P(j)

  An image of a thousand nats hardly feels its class: no density gains more than ln K by it, and
  one that is trained for its likelihood alone may tell classes badly apart. With a weight well
  above one it becomes a classifier by Bayes' rule, at some cost in likelihood [1, 2].

  The sum over all classes takes a solve of each. With `rivals` = r only the class itself and the r
  others that are most probable in a coarser solve, without derivatives, are solved for; that
  solve, in half as many steps where they are even, also says how much the rest adds to the sum:

      sum_j p_j = p_k + sum_rivals p_j (sum_others q_j / sum_rivals q_j),   q_j by coarser steps.

  [1] Raina et al., Classification with Hybrid Generative/Discriminative Models, 2003.
  [2] Ardizzone et al., Training Normalizing Flows with the Information Bottleneck for Competitive
      Generative Classification, 2020.

  Attributes:
    contexts: o_k of every class, [K, O]: what `fit` is given beside the points are rows of it, to
      single precision.
    weight: Weight of the cross-entropy, positive.
    rivals: r, 1 to K - 1; None for all others.
    prior: P(k), [K], positive and of sum 1; None for equal classes.
  """

  contexts: Any
  weight: float = 1.0
  rivals: int | None = None
  prior: Any = None

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: There are not two classes at least, two are alike, or a number is out of range.
    """
    contexts = _numbers(self.contexts)
    if contexts.ndim != 2 or len(np.unique(contexts, axis=0)) < max(2, len(contexts)):
      raise ValueError(
        '`contexts` must be finite numbers of two or more classes, [K, O], no two alike in single '
        f'precision, got {self.contexts!r:.200}.'
      )
    if not is_finite(self.weight) or self.weight <= 0:
      raise ValueError(f'`weight` must be positive and finite, got {self.weight!r}.')
    num_others = len(contexts) - 1
    if self.rivals is not None and not (is_whole(self.rivals) and self.rivals <= num_others):
      raise ValueError(
        f'`rivals` must be whole, from 1 to {num_others}, the number of other classes, or None for '
        f'all of them, got {self.rivals!r}.'
      )
    equal = np.full(len(contexts), 1 / len(contexts))
    prior = equal if self.prior is None else np.asarray(self.prior)
    if not is_distribution(prior, len(contexts)):
      raise ValueError(
        f'`prior` must be {len(contexts)} positive numbers of sum 1, one a class, got {self.prior}.'
      )
    if self.rivals is not None:
      object.__setattr__(self, 'rivals', int(self.rivals))
    object.__setattr__(self, 'contexts', contexts)
    object.__setattr__(self, 'prior', prior)

  @property
  def num_rivals(self) -> int:
    """Classes that every point is compared with, beside its own."""
    return len(self.contexts) - 1 if self.rivals is None else self.rivals

  def classes(self, observed: tf.Tensor) -> tf.Tensor:
    """Which class every context [b, O] is, bool [b, K]."""
    # In one dtype: 0.1 in single precision is no 0.1 in double.
    observed = tf.cast(observed, tf.float32)
    return tf.reduce_all(observed[:, tf.newaxis] == tf.constant(self.contexts), axis=-1)

  def checked(self, observed: tf.Tensor) -> tf.Tensor:
    """Returns the contexts [b, O]; InvalidArgumentError where one is that of no class."""
    known = tf.reduce_all(tf.reduce_any(self.classes(observed), axis=-1))
    message = 'A row has a context that is none of `discrimination.contexts`.'
    with tf.control_dependencies([tf.debugging.Assert(known, [message])]):
      return tf.identity(observed)

  def cross_entropy(
    self,
    own: tf.Tensor,
    y: tf.Tensor,
    own_log_prob: tf.Tensor,
    codes: tf.Tensor,
    log_prob: LogProb,
    coarse_log_prob: LogProb,
  ) -> tf.Tensor:
    """-ln P(k | x) of points of known class, nats [b].

    Args:
      own: Which class every point is of, bool [b, K].
      y: Points of the flow's space, [b, N].
      own_log_prob: ln p(y | o_k), [b].
      codes: Contexts of all classes as the potential takes them, [K, C].
      log_prob: ln p of points under codes, of r codes a point.
      coarse_log_prob: The same in fewer steps, by which rivals are chosen.
    """
    log_prior = tf.constant(np.log(self.prior), y.dtype)
    rivals, rest = self._chosen(own, y, codes, coarse_log_prob)
    rival_joints = _under(log_prob, y, tf.gather(codes, rivals)) + tf.gather(log_prior, rivals)
    rival_joints += rest[:, tf.newaxis]
    joint = own_log_prob + tf.linalg.matvec(tf.cast(own, y.dtype), log_prior)
    joints = tf.concat([joint[:, tf.newaxis], rival_joints], axis=-1)
    return tf.reduce_logsumexp(joints, axis=-1) - joint

  def _chosen(
    self, own: tf.Tensor, y: tf.Tensor, codes: tf.Tensor, coarse_log_prob: LogProb
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Other classes to compare with, int32 [b, r], and ln(sum_others q / sum_rivals q), [b]."""
    joint = tf.zeros(tf.shape(own), y.dtype)
    if self.num_rivals < len(self.contexts) - 1:
      all_codes = tf.tile(codes[tf.newaxis], [tf.shape(y)[0], 1, 1])
      joint = _under(coarse_log_prob, y, all_codes) + tf.constant(np.log(self.prior), y.dtype)
    joint = tf.where(own, tf.constant(-np.inf, y.dtype), tf.stop_gradient(joint))
    largest, rivals = tf.math.top_k(joint, self.num_rivals)
    rest = tf.reduce_logsumexp(joint, axis=-1) - tf.reduce_logsumexp(largest, axis=-1)
    return rivals, tf.where(tf.math.is_finite(rest), rest, 0.0)  # All others may have no density.


def _numbers(contexts: Any) -> np.ndarray:
  """The contexts in single precision; an empty array unless they are finite numbers."""
  try:
    array = np.asarray(contexts, np.float32)
  except (TypeError, ValueError):  # Words; rows of different length.
    return np.zeros([0, 0], np.float32)
  return array if np.all(np.isfinite(array)) else np.zeros([0, 0], np.float32)


def _under(log_prob: LogProb, y: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
  """ln p of every point y [b, N] under its codes [b, r, C], [b, r], as one solve of b r points."""
  num_codes, size = codes.shape[1:]
  flat = log_prob(tf.repeat(y, num_codes, axis=0), tf.reshape(codes, [-1, size]), num_codes)
  return tf.reshape(flat, [-1, num_codes])


def given_part(bijector: Any) -> Any:
  """Part of a chain from the latents to the outermost flow that takes a context."""
  outer, given = conditions.outer_and_given(bijector)
  return bijector.copy(bijectors=given) if outer else bijector


def coarser(bijector: Any) -> Any:
  """The flow in half as many equal steps; in as many where a part of it has an odd number."""
  counts = [part.horizon.num_steps for part in getattr(bijector, 'flows', (bijector,))]
  equal = bijector.in_equal_steps()
  return equal if any(count % 2 for count in counts) else equal.in_steps(sum(counts) // 2)
