"""Samples of a trained flow at two depths: what every measurement begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import bases, distributions, seeds
from ma_keras.arguments import is_whole
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.targets.target import SubspaceTarget, Target


class Weighted(NamedTuple):
  """Independent samples of the flow, and what each weighs.

  Attributes:
    values: Spins drawn for the fields x where the target has spins, int8; the fields else; [n, N].
    free_energies: ln p(x, T) + E(x), minus the log weight, float64 [n].
  """

  values: np.ndarray
  free_energies: np.ndarray


class Draws(NamedTuple):
  """Latents flowed in d steps, and the first of them, perhaps all, in 2 d as well.

  Attributes:
    coarse: At d steps, n of them.
    fine: At 2 d, m <= n.
    num_steps: d.
  """

  coarse: Weighted
  fine: Weighted
  num_steps: int


def draw(
  bijector: MongeAmpereBijector,
  target: Target,
  num_samples: int,
  batch_size: int,
  seed: int,
  jit_compile: bool = False,
  halved: int | None = None,
  base: Any = None,
) -> Draws:
  """Fresh samples; the potential's random elements are drawn for every one, as in training.

  Each is drawn from, and weighted against, the proper flow that its draws define.

  Args:
    bijector: The flow.
    target: Energy and event size.
    num_samples: Rounded up to whole batches.
    batch_size: Samples flowed at once.
    seed: Non-negative integer.
    jit_compile: Whether XLA compiles the flow; latents are then others.
    halved: How many of them to flow in steps of half the size as well, rounded up to whole batches;
      all by default. A tenth tells the integration error at two fifths of the work.
    base: p(x, 0), a `tfd.Distribution` with events [N]; standard normal by default.

  Returns:
    Draws.

  Raises:
    ValueError: There are no samples, or none in a batch, or they lie where exp(-E) has no finite
      integral: see `targets.SubspaceTarget`.
  """
  if not is_whole(num_samples) or not is_whole(batch_size):
    raise ValueError(
      f'`num_samples` and `batch_size` must be positive and whole, got {num_samples!r} and '
      f'{batch_size!r}. 4096 and 100 are usual.'
    )
  keys = seeds.split(seed, -(-num_samples // batch_size), salt='measure')
  both = len(keys) if halved is None else min(-(-halved // batch_size), len(keys))
  check_base(target, distributions.flow_from(base, bijector).distribution)
  levels = []
  for factors, some in (((1, 2), keys[:both]), ((1,), keys[both:])):
    evaluate = evaluator(bijector, target, batch_size, factors, jit_compile, base)
    levels += [[part.numpy() for part in evaluate(key)] for key in some]
  coarse, fine = ([batch[at : at + 2] for batch in levels if len(batch) > at] for at in (0, 2))
  first, second = (Weighted(*map(np.concatenate, zip(*level))) for level in (coarse, fine))
  if isinstance(target, SubspaceTarget):
    target.check_samples(first.values, 'let phi depend on distances, as potentials.Pairs does')
  return Draws(first, second, bijector.horizon.num_steps)


def check_base(target: Target, base: Any) -> None:
  """Raises ValueError if the base draws where exp(-E) has no finite integral."""
  if hasattr(target, 'check_base'):
    target.check_base(base)
  elif isinstance(target, SubspaceTarget):
    target.check_samples(
      base.sample(3, seed=seeds.stateless(0, salt='base')), 'pass base=target.base()'
    )


def configurations(target: Target, x: tf.Tensor, seed: seeds.Seed) -> tf.Tensor:
  """Configurations of the fields x that the target observes, spins say; x itself by default."""
  configure = getattr(target, 'configurations', None)
  return x if configure is None else configure(x, seed)


def evaluator(
  bijector: MongeAmpereBijector,
  target: Target,
  batch_size: int,
  factors: Sequence[int] = (1, 2),
  jit_compile: bool = False,
  base: Any = None,
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
  """seed -> values and ln p + E of one batch, in as many times d steps as each of the factors."""
  start = distributions.flow_from(base, bijector).distribution

  @tf.function(autograph=False, jit_compile=jit_compile)
  def evaluate(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
    samples = seeds.PerSample(seed, tf.range(batch_size), batch_size)
    latent_seed, flow_seed = seeds.split(samples, 2, salt='evaluate')
    latents = bases.latents(start, latent_seed)
    spin_seed = seeds.stateless(seed, salt='observables')
    outputs: list[tf.Tensor] = []
    for factor in factors:
      refined = bijector.with_seed(flow_seed).refined(factor)
      x, log_prob = distributions.push_forward(distributions.flow_from(start, refined), latents)
      free_energies = tf.cast(log_prob + target.energy(x), tf.float64)
      outputs += [configurations(target, x, spin_seed), free_energies]
    return tuple(outputs)

  return evaluate
