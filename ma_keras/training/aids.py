"""Aids that help a flow to the minimum of Eq. (7), and leave the minimum where it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import bases, seeds
from ma_keras.arguments import is_finite
from ma_keras.samplers.ceiling import limited


@dataclasses.dataclass(frozen=True)
class Aids:
  """Additions to E[ln p(x, T) + E(x)]; none by default.

  Attributes:
    force_weight: Weight of |grad ln p + grad E|^2 / N, section 4.2.
    path_gradient: The gradient along the samples' paths alone, `objectives.along_paths`: one more
      solve, and noise that vanishes as the model nears the target.
    antithetic: Draw latents in pairs of one direction and of mirrored radii.
    anneal_steps: Over so many steps at the start the energy is scaled from `anneal_from` to 1: the
      target cools from the temperature 1/anneal_from. 0: never.
    anneal_from: The first inverse temperature.
    energy_ceiling: Energies E above this count as c + 4 ((1 + E - c)^(1/4) - 1): the pull of
      particles that clash, which goes like r^-13, would otherwise be all that a step sees. (A
      logarithm has no normalisable density: draws that stray would be pushed further out.) In
      training alone: what is measured has the energy itself. None: no ceiling.
    path_share: With path gradients, the share of KL(target, flow)'s gradient that goes along paths;
      the rest is that of the likelihood. Paths know how much mass lies in one mode and how much in
      another by the few samples between them alone, likelihoods by all of them.
  """

  force_weight: float = 0.0
  path_gradient: bool = False
  antithetic: bool = False
  anneal_steps: int = 0
  anneal_from: float = 0.5
  energy_ceiling: float | None = None
  path_share: float = 1.0

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: A number is out of range.
    """
    if self.energy_ceiling is not None and not is_finite(self.energy_ceiling):
      raise ValueError(
        f'`energy_ceiling` must be a finite energy in kT, got {self.energy_ceiling!r}. None: none.'
      )
    if not is_finite(self.path_share) or not 0.0 < self.path_share <= 1.0:
      raise ValueError(
        f'`path_share` must lie in (0, 1], got {self.path_share!r}: 1 is along paths alone, and '
        'likelihoods alone are those without `path_gradient`.'
      )
    if self.path_share != 1.0 and not self.path_gradient:
      raise ValueError(
        f'`path_share` {self.path_share!r} is a share of the path gradient: take '
        '`path_gradient=True`, or leave it out.'
      )
    if self.force_weight < 0:
      raise ValueError(f'`force_weight` must not be negative, got {self.force_weight}.')
    if self.anneal_steps < 0 or not self.anneal_from > 0:
      raise ValueError(
        '`anneal_steps` must not be negative and `anneal_from` be positive, got '
        f'{self.anneal_steps} and {self.anneal_from}.'
      )

  def check(self, batch_size: int, base: Any) -> None:
    """Raises ValueError if the batch has no pairs where it needs them, or the base has none."""
    if self.antithetic and type(base) is not bases.StandardNormal:
      raise ValueError(
        f'`antithetic` mirrors radii of a StandardNormal, and the base is a {type(base).__name__}: '
        'leave it out.'
      )
    if self.antithetic and batch_size % 2:
      raise ValueError(f'`antithetic` draws pairs: `batch_size` must be even, got {batch_size}.')

  def latents(self, base: Any, seed: seeds.PerSample) -> tf.Tensor:
    """Draws of the base for these samples, [b, N]; antithetic, k + B/2 is the twin of sample k."""
    if not self.antithetic:
      return bases.latents(base, seed)
    half = seed.batch_size // 2
    partner = dataclasses.replace(seed, numbers=seed.numbers % half)
    draws = bases.latents(base, partner)
    return tf.where((seed.numbers >= half)[:, tf.newaxis], mirrored(draws), draws)

  def limited(self, energies: tf.Tensor) -> tf.Tensor:
    """E below the ceiling c and c + 4 ((1 + E - c)^(1/4) - 1) above it; elementwise."""
    return limited(energies, self.energy_ceiling, power=0.25)

  def inverse_temperature(self, step: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """beta of this step, from `anneal_from` to 1; only where there is annealing."""
    part = tf.minimum(tf.cast(step, dtype) / self.anneal_steps, 1.0)
    return self.anneal_from + (1.0 - self.anneal_from) * part


def mirrored(z: tf.Tensor) -> tf.Tensor:
  """z' = z r'/r with F(r'^2) = 1 - F(r^2), F the distribution of chi^2: standard normal as z is.

  Where phi is even -z says nothing new of a flow, and energies depend on the radius first.

  Args:
    z: Standard normal draws, shape [..., N].

  Returns:
    Their twins, [..., N].
  """
  a = tf.constant(z.shape[-1] / 2.0, z.dtype)
  square = tf.reduce_sum(tf.square(z), axis=-1, keepdims=True)
  twin = 2.0 * tfp.math.igammacinv(a, tf.math.igamma(a, square / 2.0))
  return z * tf.sqrt(twin / square)
