"""Energy that a flow spends on its way, and the least that the way would have to cost."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import bases, distributions, seeds
from ma_keras.arguments import is_whole
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import BatchNormalisation, FlowChain
from ma_keras.transport import wasserstein
from ma_keras.transport.wasserstein import Estimate, SquaredDistance

TOLERANCE = 0.01  # Relative change of an energy on halving the steps that is put up with.
CLOUD = 1024  # Points of a discrete problem; one takes about a second.
NUM_BATCHES = 4
LARGEST = 1e100  # Coordinates beyond it have squares that are not finite.


class Measured(NamedTuple):
  """A mean over paths, with its statistical and its integration error.

  Attributes:
    value: The mean, in the steps of the flow.
    error: Its standard error over independent paths.
    change: Its change in steps of half the size, on the same paths.
  """

  value: float
  error: float
  change: float

  def __str__(self) -> str:
    """The mean and both errors."""
    return f'{Estimate(self.value, self.error)} (paths) +- {abs(self.change):.1g} (steps)'


@dataclasses.dataclass(frozen=True)
class TransportCost:
  """Path energy of a flow from p(x, 0) to p(x, T), and the least that any transport could take.

      W2^2 <= E|x(T) - x(0)|^2 <= T E integral |v|^2 dt.

  The first is an equality for an optimal map, the second for straight paths at constant speed. All
  lengths are those of the space of the flow.

  Attributes:
    num_points: Independent paths.
    num_steps: d.
    path_energy: T E integral |v|^2 dt.
    squared_displacement: E|x(T) - x(0)|^2.
    straightness: Path energy over squared displacement, at least 1; NaN where nothing moves.
    repaired: E of the least mean of |x_i(T) - x_j(0)|^2 when m paths exchange their ends: at least
      W2^2, and below the squared displacement unless the map is optimal. None without POT.
    distance: Bounds of W2^2 from independent samples of both ends; None without POT.
    lower: Lower bound of W2^2 by a quadratic dual.
  """

  num_points: int
  num_steps: int
  path_energy: Measured
  squared_displacement: Measured
  straightness: Measured
  lower: Estimate
  repaired: Estimate | None = None
  distance: SquaredDistance | None = None

  def doubts(self, tolerance: float = TOLERANCE) -> str:
    """Says in one line what is wrong with the energies; empty if nothing is.

    Args:
      tolerance: Relative change on halving the steps that is put up with.
    """
    for name in ('path_energy', 'squared_displacement'):
      energy = getattr(self, name)
      text = name.replace('_', ' ')
      if not np.isfinite(energy.value + energy.change):
        return f'The {text} is not finite: take more, smaller steps.'
      if abs(energy.change) > tolerance * abs(energy.value):
        return (
          f'Halving the {self.num_steps} steps changes the {text} by '
          f'{100 * abs(energy.change / energy.value):.2g} % (tolerance {100 * tolerance:g} %): '
          'take more, smaller steps.'
        )
    return ''

  def summary(self) -> dict[str, Any]:
    """All of it as plain values, for JSON."""
    return _plain(self)

  def __str__(self) -> str:
    """The result in one line."""
    line = (
      f'path energy = {self.path_energy}; squared displacement = {self.squared_displacement}; '
      f'straightness = {self.straightness}'
    )
    if self.distance is None:
      return f"{line}; W2^2 >= {self.lower} (more by POT: pip install 'ma_keras[transport]')"
    return f'{line}; {self.distance}, <= {self.repaired} (ends exchanged)'


class _Paths(NamedTuple):
  """Both ends of n paths and their energy, float64: [n, N], [n, N], [n]."""

  start: np.ndarray
  end: np.ndarray
  energy: np.ndarray


def transport_cost(
  bijector: MongeAmpereBijector | FlowChain,
  num_points: int = 4096,
  batch_size: int = 1024,
  seed: int = 0,
  base: Any = None,
) -> TransportCost:
  """Measures a flow on fresh draws of its base, in d and in 2 d steps on the same draws.

  Random elements of the potential are drawn for every path: all bounds hold for their mixture.

  Args:
    bijector: The flow, or a chain of flows; of a conditional one `bijector.given(context)`.
    num_points: Paths, at least 16; rounded up to whole batches.
    batch_size: Points flowed at once.
    seed: Non-negative integer.
    base: p(x, 0), a `tfd.Distribution` with events [N]; standard normal by default.

  Returns:
    The costs with their errors; without those by POT if it is not installed.

  Raises:
    ValueError: A number is out of range, or a chain of flows holds a normalisation, which moves
      points at no cost.
  """
  if any(isinstance(part, BatchNormalisation) for part in getattr(bijector, 'bijectors', ())):
    raise ValueError(
      '`bijector` holds a batch normalisation, which moves points in no time: its paths have no '
      'energy. Take its flows one by one, or a chain without.'
    )
  if not is_whole(num_points, least=16) or not is_whole(batch_size):
    raise ValueError(
      '`num_points` must be at least 16 and `batch_size` positive, got '
      f'{num_points!r} and {batch_size!r}. 4096 and 1024 are usual.'
    )
  bijector = bijector.in_equal_steps()
  coarse, fine = _paths(bijector, int(num_points), int(batch_size), seed, base)
  energies = [paths.energy for paths in (coarse, fine)]
  with np.errstate(over='ignore'):  # Told by `doubts`.
    squares = [np.sum((paths.end - paths.start) ** 2, axis=1) for paths in (coarse, fine)]
  independent = _latents(bijector, len(coarse.start), int(batch_size), seed, base)
  lower, repaired, distance = _distances(coarse, independent)
  return TransportCost(
    num_points=len(coarse.start),
    num_steps=bijector.horizon.num_steps,
    path_energy=_measured(*energies),
    squared_displacement=_measured(*squares),
    straightness=_ratio(energies, squares),
    lower=lower,
    repaired=repaired,
    distance=distance,
  )


def _paths(
  bijector: MongeAmpereBijector, num_points: int, batch_size: int, seed: int, base: Any
) -> list[_Paths]:
  """Paths of the same draws in d and in 2 d steps."""
  start = distributions.flow_from(base, bijector).distribution

  @tf.function(autograph=False)
  def batch(key: tf.Tensor) -> list[tf.Tensor]:
    numbered = seeds.PerSample(key, tf.range(batch_size), batch_size)
    latent_seed, flow_seed = seeds.split(numbered, 2, salt='transport_cost')
    z = bases.latents(start, latent_seed)
    parts = [z]
    for factor in (1, 2):
      flow = bijector.with_seed(flow_seed).refined(factor)
      solution = flow.solve(z, tallies=['kinetic'])
      parts += [solution.x, 2.0 * bijector.horizon.time * solution.tallies['kinetic']]
    return [tf.cast(part, tf.float64) for part in parts]

  keys = seeds.split(seed, -(-num_points // batch_size), salt='transport_cost')
  batches = [[part.numpy() for part in batch(key)] for key in keys]
  z, *rest = (np.concatenate(parts) for parts in zip(*batches))
  return [_Paths(z, *rest[k : k + 2]) for k in (0, 2)]


def _latents(
  bijector: MongeAmpereBijector,
  num_points: int,
  batch_size: int,
  seed: int,
  base: Any,
) -> np.ndarray:
  """Draws of the base that are independent of those of the paths, [n, N]."""
  start = distributions.flow_from(base, bijector).distribution
  keys = seeds.split(seed, num_points // batch_size, salt='other_end')
  numbers = tf.range(batch_size)
  rows = [bases.latents(start, seeds.PerSample(key, numbers, batch_size)).numpy() for key in keys]
  return np.concatenate(rows).astype(np.float64)


def _distances(
  paths: _Paths, independent: np.ndarray
) -> tuple[Estimate, Estimate | None, SquaredDistance | None]:
  """The lower bound; least cost when paths exchange their ends, and all bounds, if there is POT."""
  if not np.max(np.abs(paths.end)) < LARGEST:
    return Estimate(np.nan, np.nan), None, None
  size = min(len(paths.start) // (2 * NUM_BATCHES), CLOUD)
  count = 2 * NUM_BATCHES * size
  lower = wasserstein.quadratic_bound(independent, paths.end)
  try:
    distance = wasserstein.squared_distance(independent[:count], paths.end[:count], NUM_BATCHES)
  except ModuleNotFoundError:
    return lower, None, None
  clouds = zip(*(end[:count].reshape(2 * NUM_BATCHES, size, -1) for end in paths[:2]))
  costs = [wasserstein.discrete_squared_distance(*pair) for pair in clouds]
  return lower, Estimate.of(np.array(costs)), distance


def _measured(coarse: np.ndarray, fine: np.ndarray) -> Measured:
  """Mean of values [n], its error, and its change."""
  estimate = Estimate.of(coarse)
  return Measured(estimate.value, estimate.error, float(np.mean(fine) - np.mean(coarse)))


def _ratio(energies: list[np.ndarray], squares: list[np.ndarray]) -> Measured:
  """Mean energy over mean square, [n] each, at two depths; its error by linear propagation."""
  if not all(np.mean(square) > 0 for square in squares):
    return Measured(np.nan, np.nan, np.nan)
  ratios = [float(np.mean(e) / np.mean(s)) for e, s in zip(energies, squares)]
  rest = Estimate.of(energies[0] - ratios[0] * squares[0])
  return Measured(ratios[0], rest.error / float(np.mean(squares[0])), ratios[1] - ratios[0])


def _plain(thing: Any) -> Any:
  """Numbers, None, and dictionaries of fields; numbers that are not finite become None."""
  if dataclasses.is_dataclass(thing):
    fields = dataclasses.fields(thing)
    return {field.name: _plain(getattr(thing, field.name)) for field in fields}
  if isinstance(thing, tuple):
    return {name: _plain(value) for name, value in thing._asdict().items()}  # type: ignore
  return None if isinstance(thing, float) and not np.isfinite(thing) else thing
