"""Optimal maps that are known: Q = (grad u)#P with u convex, after Korotin et al. (2021).

By Brenier's theorem grad u is the optimal map of P to Q, exactly; P is a mixture of Gaussians.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import bases, transport

KINDS = ('ridges', 'network')
COMPONENTS = 5
RIDGES = 2
STEEPNESS = 3.0
STRETCH = 4.0  # Mean eigenvalue of Hess phi over P, where u = |z|^2/2 + phi.
PROBE = 2_000  # Samples of P by which phi is scaled.


class Problem(NamedTuple):
  """Two ends and the map between them.

  Attributes:
    source: P, a TFP distribution with events [N].
    optimal: z -> grad u(z).
    target: Q = (grad u)#P, which samples and has exact densities.
  """

  source: Any
  optimal: transport.BrenierMap
  target: Any


def problem(
  event_size: int, kind: str = 'ridges', seed: int = 0, dtype: tf.DType = tf.float32
) -> Problem:
  """A problem with a known answer.

  Args:
    event_size: N.
    kind: phi is a sum of 2 N softplus ridges, which bend at samples of P, on a scale of a third of
      the data's deviation, or an input-convex network of two layers of 64, whose first layer does.
    seed: Names P and phi.
    dtype: Of everything.
  """
  random = np.random.default_rng([seed, event_size])
  source = mixture(event_size, random, dtype)
  z = source.sample(PROBE, seed=[seed, 0])  # Whatever else was drawn before.
  phi = {'ridges': ridges, 'network': network}[kind](z.numpy(), seed, dtype)
  optimal = transport.BrenierMap(phi)
  target = tfp.distributions.TransformedDistribution(source, optimal)
  return Problem(source, optimal, target)


def mixture(event_size: int, random: np.random.Generator, dtype: tf.DType) -> Any:
  """Gaussians of deviations .3 to .9 in random directions, around means of deviation 1."""
  n, k = event_size, COMPONENTS
  turns = np.linalg.qr(random.normal(size=(k, n, n)))[0]
  spread = turns * random.uniform(0.3, 0.9, size=(k, 1, n)) ** 2 @ np.swapaxes(turns, 1, 2)
  means = random.normal(size=(k, n))
  return bases.Mixture(random.uniform(0.5, 1.5, size=k), means, np.linalg.cholesky(spread), dtype)


def ridges(z: np.ndarray, seed: int, dtype: tf.DType) -> transport.Scaled:
  """sum_j a_j softplus(W_j.z + b_j), 2 N of them."""
  layer = transport.ConvexLayer(z.shape[1], RIDGES * z.shape[1], dtype=dtype, seed=seed)
  layer.start_at_samples(z, steepness=STEEPNESS, seed=seed)
  return _of_stretch(layer, z)


def network(z: np.ndarray, seed: int, dtype: tf.DType) -> transport.Scaled:
  """An input-convex network of two hidden layers of 64."""
  phi = transport.InputConvex(z.shape[1], (64, 64), dtype=dtype, seed=seed)
  for kernel, bias in zip(phi.kernels, phi.biases):
    kernel.assign(3.0 * kernel / np.std(z @ kernel.numpy(), axis=0))
    bias.assign(-np.mean(z @ kernel.numpy(), axis=0) + 3.0 * bias.numpy())
  return _of_stretch(phi, z)


def _of_stretch(phi: Any, z: np.ndarray) -> transport.Scaled:
  """c phi, such that its Hessian has a mean eigenvalue of `STRETCH` over the samples z."""
  zero = tf.zeros([], phi.dtype)
  mean = float(tf.reduce_mean(phi.laplacian(zero, tf.constant(z, phi.dtype)))) / z.shape[1]
  return transport.Scaled(phi, STRETCH / mean)
