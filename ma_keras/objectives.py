"""What training minimises."""

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


def negative_log_likelihood_and_stiffness(
  distribution: Any, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """`negative_log_likelihood`, and the stiffness of the very solve it comes from.

  Args:
    distribution: `tfd.TransformedDistribution` over a `MongeAmpereBijector`.
    x: Data, shape [..., N].

  Returns:
    -ln p [...] in nats, and stiffness [...].
  """
  latents, log_det, stiffness = distribution.bijector.with_stiffness(x, reverse=True)
  return -distribution.distribution.log_prob(latents) - log_det, stiffness


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


def score_term(distribution: Any, x: tf.Tensor) -> tf.Tensor:
  """Zero, with the gradient of ln p(x, T) in the model's variables at fixed points x.

  Its mean over samples of the model is zero, E_p[d ln p(x)/d theta] = 0. `reverse_kl` less this
  term has the gradient along the samples' paths alone, whose noise vanishes where the model is the
  target (Roeder, Wu & Duvenaud 2017; Vaitl et al. 2022). Costs one more solve, back from x.

  Args:
    distribution: The model p, any distribution with `log_prob`.
    x: Samples of the model, shape [..., N].

  Returns:
    Zeros [...].
  """
  log_prob = distribution.log_prob(tf.stop_gradient(x))
  return log_prob - tf.stop_gradient(log_prob)
