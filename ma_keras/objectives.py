"""Objectives that training minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ma_keras import distributions

Energy = Callable[[tf.Tensor], tf.Tensor]


def reverse_kl(distribution: Any, energy: Energy, latents: tf.Tensor) -> tf.Tensor:
  """ln p(x, T) + E(x) at x = x(T; z): its mean is L = -ln Z + KL(p || exp(-E)/Z) >= -ln Z. Eq. 7.

  Reparameterised: the samples depend differentiably on the flow's variables.

  Args:
    distribution: `tfd.TransformedDistribution`, the model p.
    energy: E, [..., N] -> [...], in units of kT.
    latents: Draws z of the base distribution, shape [..., N].

  Returns:
    One value per latent, in nats, shape [...].
  """
  x, log_prob = distributions.push_forward(distribution, latents)
  return log_prob + energy(x)


def negative_log_likelihood(distribution: Any, x: tf.Tensor) -> tf.Tensor:
  """-ln p(x, T), whose mean over data is KL(data || p) + the data's entropy. Eq. 6.

  Args:
    distribution: Any distribution with `log_prob`.
    x: Data, shape [..., N].

  Returns:
    One value per point, in nats, shape [...].
  """
  return -distribution.log_prob(x)


def force_matching(distribution: Any, energy: Energy, x: tf.Tensor) -> tf.Tensor:
  """|grad ln p(x, T) + grad E(x)|^2 / N, zero exactly where the model's force is the target's.

  The term of section 4.2 (after Czarnecki et al. 2017). The points are held fixed: it is the
  density that moves. Training on it takes second derivatives through the flow.

  Args:
    distribution: The model p, any distribution with `log_prob`.
    energy: E, [..., N] -> [...], in units of kT.
    x: Points, shape [..., N]; samples of the model, usually.

  Returns:
    One value per point, shape [...].
  """
  x = tf.stop_gradient(x)
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(x)
    mismatch = distribution.log_prob(x) + energy(x)
  difference = tape.gradient(mismatch, x)
  return tf.reduce_mean(tf.square(difference), axis=-1)


def along_paths(log_prob: tf.Tensor, x: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
  """ln p(x, T), with the gradient s.dx/dtheta along the samples' paths alone, s = grad ln p(x, T).

  What is left out, d ln p(x, T)/dtheta at fixed x, has the mean E_p[d ln p/dtheta] = 0 over samples
  of the model, and is the noise that keeps a good flow from getting better: along paths the
  gradient of ln p + E is (s + grad E).dx/dtheta, which vanishes for every sample where the model is
  the target (Roeder, Wu & Duvenaud 2017). The score is carried along the flow, at the cost of one
  more solve that nothing is kept of, as Vaitl et al. (2024) do.

  Args:
    log_prob: ln p(x, T), shape [...].
    x: Samples of the model, differentiable by its variables, shape [..., N].
    score: s, shape [..., N]: `distributions.solve` with a score.

  Returns:
    The values of `log_prob`, [...].
  """
  path = tf.reduce_sum(tf.stop_gradient(score) * x, axis=-1)
  return tf.stop_gradient(log_prob) + (path - tf.stop_gradient(path))
