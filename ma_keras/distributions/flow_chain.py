"""Several flows in a row, and batch normalisations between them, as one flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.bijectors import chain

from ma_keras import bases, flow, pickling, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import chain_paths, conditions
from ma_keras.distributions.batch_normalisation import BatchNormalisation
from ma_keras.flow import certificate
from ma_keras.flow.horizon import check_steps
from ma_keras.flow.tallies import Tally

FORM = 'tfb.Chain([last_flow, ma_keras.distributions.BatchNormalisation(event_size), first_flow])'


# The class behind tfb.Chain, whose own subclasses must be CompositeTensors.
class FlowChain(chain._Chain):
  """x = f_1(f_2(... z)): `tfb.Chain` of flows that also has `solve`, seeds and steps of a flow.

  Log-density changes and tallies of its flows are added up, errors of the solver in units of the
  latents: a normalisation that stretches errors of the flows beyond it stretches their tally, too.
  Without that training cheats the integrator where points are many times closer.
  `training.MaximumLikelihood` makes one of any such chain:

  ```python
  chain = tfb.Chain([last, distributions.BatchNormalisation(event_size=2), first])
  model = training.MaximumLikelihood(chain)
  ```

  Attributes:
    event_size: N.
  """

  def __init__(
    self, bijectors: Sequence[Any], validate_args: bool = False, name: str = 'flow_chain'
  ) -> None:
    """Checks the parts.

    Args:
      bijectors: Flows and `BatchNormalisation`s, the last first, as in `tfb.Chain`.
      validate_args: As in TFP.
      name: Name of the ops.

    Raises:
      TypeError: A part is neither, or none is a flow.
      ValueError: Parts have events of different size or dtype.
    """
    parameters = dict(locals())
    flows = [part for part in bijectors if isinstance(part, MongeAmpereBijector)]
    allowed = (MongeAmpereBijector, BatchNormalisation)
    if not flows or not all(isinstance(part, allowed) for part in bijectors):
      raise TypeError(
        '`bijectors` must be flows and batch normalisations, one flow at least, got '
        f'{[type(part).__name__ for part in bijectors]}: {FORM}.'
      )
    kinds = {(_size(part), part.dtype.name) for part in bijectors}
    if len(kinds) > 1:
      raise ValueError(f'`bijectors` must have events of one size and dtype, got {sorted(kinds)}.')
    self.event_size = _size(flows[0])
    super().__init__(_named_apart(bijectors), validate_args, parameters=parameters, name=name)
    self._dtype = flows[0].dtype

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments, as those of a flow."""
    return pickling.reduced(self)

  @classmethod
  def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
    del dtype
    return {}

  @property
  def flows(self) -> tuple[MongeAmpereBijector, ...]:
    """The flows among the parts, the last first."""
    return tuple(part for part in self.bijectors if isinstance(part, MongeAmpereBijector))

  @property
  def normalises(self) -> bool:
    """Tells if there is a batch normalisation among the parts."""
    return any(isinstance(part, BatchNormalisation) for part in self.bijectors)

  def frozen(self) -> FlowChain:
    """Returns the chain that normalises by moving averages, of shared variables."""
    return self._of([_frozen(part) for part in self.bijectors])

  def of_batch(self, weights: tf.Tensor | None = None) -> FlowChain:
    """Returns the chain that normalises by the points of the batch, each of that weight [...]."""
    return self._of([_of_batch(part, weights) for part in self.bijectors])

  def with_seed(self, seed: seeds.Seed) -> FlowChain:
    """Returns the chain with other draws, independent ones in every flow."""
    keys = seeds.split(seed, len(self.bijectors), salt='flow_chain')
    return self._of([_with_seed(part, key) for part, key in zip(self.bijectors, keys)])

  def in_equal_steps(self, factor: int = 1) -> FlowChain:
    """Returns the chain without jitter, every flow in `factor` times as many steps."""
    return self._over_flows(lambda part: part.in_equal_steps(factor))

  @property
  def horizon(self) -> flow.Horizon:
    """Time and steps of all flows together, as if steps were of one size."""
    horizons = [part.horizon for part in self.flows]
    num_steps = sum(horizon.num_steps for horizon in horizons)
    return flow.Horizon(num_steps, sum(horizon.time for horizon in horizons) / num_steps)

  def copy(
    self, num_steps: int | None = None, step_size: float | None = None, **changes: Any
  ) -> FlowChain:
    """Returns the chain with other arguments, or in other steps, as a flow's `copy` does.

    `copy(num_steps=n, step_size=T / n)` is `in_steps(n)`: T is the time of all flows together.

    Raises:
      ValueError: One of both numbers of steps is missing, or the time would be another.
    """
    if num_steps is None and step_size is None:
      return super().copy(**changes)
    time = self.horizon.time
    if num_steps is None or step_size is None or not np.isclose(num_steps * step_size, time):
      raise ValueError(
        f'`num_steps` and `step_size` of a chain must be n and {time:g} / n, its time T shared '
        f'out, got {num_steps} and {step_size}: take `in_steps(n)`.'
      )
    return (super().copy(**changes) if changes else self).in_steps(num_steps)

  def refined(self, factor: int = 2) -> FlowChain:
    """Returns the chain with every flow in `factor` times as many, smaller steps."""
    return self._over_flows(lambda part: part.refined(factor))

  def in_steps(self, num_steps: int) -> FlowChain:
    """Returns the chain in so many equal steps, shared out as the flows have them now.

    Raises:
      ValueError: `num_steps` is not whole, or leaves a flow without a step.
    """
    check_steps(num_steps)
    counts = [part.horizon.num_steps for part in self.flows]
    ends = np.rint(np.cumsum([0, *counts]) * (num_steps / sum(counts))).astype(int)
    shares = np.diff(ends).tolist()
    if min(shares) < 1:
      raise ValueError(
        f'`num_steps` {num_steps} leave a flow of the chain, of {counts} steps, without one: take '
        f'{sum(counts)}, or a multiple.'
      )
    numbers = iter(shares)
    return self._over_flows(lambda part: part.in_steps(next(numbers)))

  def check_tallies(self, tallies: Sequence[str | Tally]) -> tuple[Tally, ...]:
    """See `MongeAmpereBijector.check_tallies`."""
    return [part.check_tallies(tallies) for part in self.flows][-1]

  def solve(
    self,
    x: tf.Tensor,
    reverse: bool = False,
    tallies: Sequence[str | Tally] = (),
    batch_size: int | None = None,
    context: tf.Tensor | None = None,
  ) -> flow.Solution:
    """One solve for the points, their log density, and further sums along all paths.

    Args:
      x: Points at the start, shape [..., N]; at the end of the last flow if `reverse`.
      reverse: From data to latents, the direction of `log_prob`.
      tallies: See `MongeAmpereBijector.solve`; those of all flows are added up.
      batch_size: Likewise.
      context: Likewise, for flows that take one.

    Returns:
      See `MongeAmpereBijector.solve`.

    Raises:
      ValueError: Likewise; or there is a context and no flow that takes one.
    """
    if context is not None and not any(part.potential.needs_context for part in self.flows):
      raise ValueError(
        'The chain takes no `context`: build the potential of one of its flows with '
        'context_size=C, the length of one context.'
      )
    instances = self.check_tallies(tallies)
    return chain_paths.solve(self, x, reverse, instances, batch_size=batch_size, context=context)

  def trajectory(
    self, x: tf.Tensor, times: Sequence[float], reverse: bool = False
  ) -> flow.Trajectory:
    """The fluid along all flows: see `MongeAmpereBijector.trajectory`.

    Times of a flow begin where those of the flow before it end. A normalisation takes no time: at
    the boundary between two flows the fluid is on the side that it comes from.
    """
    flow.check_times(self.horizon, times, reverse)
    return chain_paths.trajectory(self, tf.convert_to_tensor(x, self.dtype), times, reverse)

  def certificate(
    self, x: tf.Tensor, reverse: bool = False, base: Any = None, batch_size: int | None = None
  ) -> certificate.Certificate:
    """By how much ln p changes on halving all steps: see `MongeAmpereBijector.certificate`."""
    if base is None:
      base = bases.StandardNormal(self.event_size, self.dtype)
    distribution = tfp.distributions.TransformedDistribution(base, self)
    return certificate.certify(distribution, x, reverse, batch_size)

  def _over_flows(self, change: Callable[[MongeAmpereBijector], MongeAmpereBijector]) -> FlowChain:
    """The chain with every flow changed, the last first."""
    return self._of(
      [change(part) if isinstance(part, MongeAmpereBijector) else part for part in self.bijectors]
    )

  def _of(self, parts: list[Any]) -> FlowChain:
    """The chain of other parts; itself if they are its own."""
    same = all(new is old for new, old in zip(parts, self.bijectors))
    return self if same else self.copy(bijectors=parts)


def is_chain(bijector: Any) -> bool:
  """Tells if it is a `tfb.Chain`, of whichever class TFP makes it."""
  return isinstance(bijector, chain._Chain)


def event_size(bijector: Any) -> int:
  """N of a flow, an optimal map or a chain of flows."""
  return bijector.event_size if isinstance(bijector, FlowChain) else bijector.potential.event_size


def _size(part: Any) -> int:
  return part.event_size if isinstance(part, BatchNormalisation) else part.potential.event_size


def _named_apart(parts: Sequence[Any]) -> list[Any]:
  """The parts, flows that take a context under other names than the rest: TFP hands it to names."""
  sizes = [conditions.context_size(part) for part in parts]
  plain = {part.name for part, size in zip(parts, sizes) if size is None}
  return [
    part.copy(name=f'{part.name}_given') if size is not None and part.name in plain else part
    for part, size in zip(parts, sizes)
  ]


def _frozen(part: Any) -> Any:
  return part.frozen() if isinstance(part, BatchNormalisation) and part.training else part


def _of_batch(part: Any, weights: tf.Tensor | None) -> Any:
  return part.of_batch(weights) if isinstance(part, BatchNormalisation) else part


def _with_seed(part: Any, seed: seeds.Seed) -> Any:
  return part.with_seed(seed) if isinstance(part, MongeAmpereBijector) else part
