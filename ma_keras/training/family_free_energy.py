"""Free energies of a whole range of couplings by one flow, as a tf_keras model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import bases, distributions, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.targets.families import Family
from ma_keras.training.aids import Aids
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.training.variational import NONE, VariationalFreeEnergy


class Scan(NamedTuple):
  """Free energies at several couplings, of the same latents.

  Attributes:
    free_energies: F(c) = E[ln p(x | c) + E(x; c)] >= -ln Z(c), nats, [M], with derivatives by c.
    errors: Standard errors, [M]; those of differences are smaller.
  """

  free_energies: tf.Tensor
  errors: tf.Tensor


class FamilyFreeEnergy(VariationalFreeEnergy):
  """Minimises the mean over couplings c of F(c) = E[ln p(x | c) + E(x; c)] >= -ln Z(c).

  ```python
  family = targets.Phi4Masses(side=4, quartic=1.0)
  model = training.FamilyFreeEnergy(bijector, family, low=[-2.0], high=[1.0], batch_size=256)
  model.compile(training.adam(0.01, total_steps=1000))
  model.fit(steps_per_epoch=100, epochs=10)
  model.scan(np.linspace(-2, 1, 31)[:, np.newaxis]).free_energies
  training.measure(model.given([0.5]), family.at([0.5]), 4096, 512, seed=1)  # With all errors.
  ```

  Couplings of step k are uniform in the box, in the first of them one in each of B equal parts.

  Attributes:
    family: The targets.
    conditional: The `ConditionalFlow` of base, flow and encoder.
    low: Lower ends of the couplings, [C].
    high: Upper ends, [C].
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    family: Family,
    low: Sequence[float],
    high: Sequence[float],
    batch_size: int,
    seed: int = 0,
    encoder: Any = None,
    penalties: Weights | Penalties | None = None,
    aids: Aids = NONE,
    name: str = 'family_free_energy',
    base: Any = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: Flow along a potential with `context_size`.
      family: Targets with C couplings.
      low: Lower ends of the couplings, [C].
      high: Upper ends, [C], no less.
      batch_size: B, over all replicas.
      seed: Non-negative integer.
      encoder: tf_keras or Keras 3 model [B, C] -> [B, context_size]; None for couplings as they
        are.
      penalties: As in `VariationalFreeEnergy`.
      aids: As there, without force matching and annealing.
      name: Model name.
      base: p(x, 0), as in `FlowModel`.

    Raises:
      ValueError: The flow takes no context or another one, the box is none, or see
        `VariationalFreeEnergy`.
    """
    if aids.force_weight > 0 or aids.anneal_steps > 0:
      raise ValueError(
        '`aids` of a family are path gradients, antithetic draws and ceilings; leave force_weight '
        f'and anneal_steps out, got {aids.force_weight} and {aids.anneal_steps}.'
      )
    target: Any = family
    super().__init__(bijector, target, batch_size, seed, penalties, aids, name, base)
    self.conditional = distributions.conditional_flow(bijector, encoder, self.base)
    self.family = family
    self.low, self.high = _box(low, high, family.context_size)
    if self.conditional.context_size != family.context_size:
      raise ValueError(
        f'`family` has {family.context_size} couplings, and the flow takes '
        f'{self.conditional.context_size}: give an encoder, or a potential with that context_size.'
      )

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    names = ('bijector', 'family', 'low', 'high', 'batch_size', 'seed', 'penalties', 'aids', 'name')
    arguments = {name: getattr(self, name) for name in (*names, 'base')}
    # Not kept by the model itself: tf_keras would list variables of Keras 3 among its own.
    return {**arguments, 'encoder': self.conditional.encoder}

  def own_variables(self) -> list[tf.Variable]:
    """Variables of the flow, and of the encoder after them."""
    encoder = self.conditional.encoder
    return [*super().own_variables(), *(encoder.variables if encoder else ())]

  def density(self) -> distributions.ConditionalFlow:
    """p(x | c), in steps of equal size, which shares the variables."""
    bijector = self.bijector.with_seed(self.seed).in_equal_steps()
    return distributions.ConditionalFlow(self.base, bijector, self.conditional.encoder)

  def given(self, context: Any) -> MongeAmpereBijector:
    """The flow at couplings c, [C], for `training.measure` and all that takes a flow."""
    return self.bijector.given(self._encoded(tf.convert_to_tensor(context, self.bijector.dtype)))

  def scan(self, contexts: Any, num_samples: int = 1000, seed: int = 0) -> Scan:
    """F(c) at couplings c [M, C], by one solve of M `num_samples` points of equal latents."""
    contexts = tf.convert_to_tensor(contexts, self.bijector.dtype)
    size = self.family.context_size
    if contexts.shape.rank != 2 or contexts.shape[-1] != size or num_samples < 2:
      raise ValueError(
        f'`contexts` must be couplings [M, {size}] and `num_samples` at least 2, got shape '
        f'{contexts.shape} and {num_samples}.'
      )
    key = seeds.stateless(seed, salt='scan')
    numbers = seeds.PerSample(key, tf.range(num_samples), num_samples)
    latents = bases.latents(self.base, numbers)
    shape = tf.concat([tf.shape(contexts)[:1], tf.shape(latents)], axis=0)
    z = tf.reshape(tf.broadcast_to(latents, shape), [-1, shape[-1]])
    rows = tf.repeat(contexts, num_samples, axis=0)
    bijector = self.density().bijector
    x, log_prob = distributions.push_forward(
      distributions.flow_from(self.base, bijector), z, context=self._encoded(rows)
    )
    terms = tf.reshape(log_prob + self.family.energy(x, rows), [-1, num_samples])
    errors = tf.math.reduce_std(terms, axis=-1) / np.sqrt(num_samples)
    return Scan(tf.reduce_mean(terms, axis=-1), errors)

  def evaluate(self, *args: Any, **options: Any) -> Any:
    """Raises NotImplementedError, which names the measurements."""
    raise NotImplementedError(
      'A free energy is measured at a coupling c, with its errors: training.measure('
      'model.given(c), family.at(c), num_samples=10000, batch_size=1000, seed=1); at many by '
      'model.scan(couplings).'
    )

  def _couplings(self, numbers: tf.Tensor) -> tf.Tensor:
    """Couplings of these samples, [b, C]."""
    seed, _ = self.per_sample_seeds(numbers, 'couplings')
    u = seeds.uniform([self.family.context_size], seed, self.bijector.dtype)
    place = tf.cast(numbers % self.batch_size, u.dtype)[:, tf.newaxis]
    first = (place + u[:, :1]) / self.batch_size
    low, high = (tf.constant(end, u.dtype) for end in (self.low, self.high))
    return low + (high - low) * tf.concat([first, u[:, 1:]], axis=-1)

  def _encoded(self, couplings: tf.Tensor) -> tf.Tensor:
    encoder = self.conditional.encoder
    return couplings if encoder is None else encoder(couplings)

  def _draws(self, numbers: tf.Tensor) -> dict[str, Any]:
    couplings = self._couplings(numbers)
    return {
      'context': self._encoded(couplings),
      'energy': lambda x: self.family.energy(x, couplings),
    }


def _box(low: Any, high: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
  """Both ends, [C]."""
  low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
  finite = bool(np.all(np.isfinite(low)) and np.all(np.isfinite(high)))
  if low.shape != (size,) or high.shape != (size,) or not finite or np.any(low > high):
    raise ValueError(
      f'`low` and `high` must be {size} finite couplings each, low <= high, got {low} and {high}.'
    )
  return low, high
