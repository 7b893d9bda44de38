"""Simulators whose posteriors can be sampled, as in the benchmark sbibm (arXiv:2101.04653)."""

from __future__ import annotations

import abc

import numpy as np

BURN_IN = 2000


class Simulator(abc.ABC):
  """A prior of parameters [N] and a simulator of observations [O].

  Attributes:
    num_parameters: N.
    num_observed: O.
    low: Lower bounds of the prior, [N]; None of an unbounded one.
    high: Upper bounds.
  """

  num_parameters: int
  num_observed: int
  low: np.ndarray | None = None
  high: np.ndarray | None = None

  def prior(self, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the prior, [n, N]; uniform within the bounds."""
    assert self.low is not None
    assert self.high is not None
    return rng.uniform(self.low, self.high, size=(n, self.num_parameters))

  @abc.abstractmethod
  def simulate(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One observation for every row of the parameters, [n, O]."""

  @abc.abstractmethod
  def posterior(self, observed: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the posterior under one observation [O], exact or by long chains, [n, N]."""

  def pairs(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Observations [n, O] and the parameters behind them [n, N], float32 as bounds are."""
    parameters = self.prior(n, rng)
    observed = self.simulate(parameters, rng)
    return observed.astype(np.float32), parameters.astype(np.float32)


class GaussianLinear(Simulator):
  """parameters ~ Normal(0, 0.1 I), observed ~ Normal(parameters, 0.1 I), in ten dimensions.

  The posterior is Normal(observed / 2, 0.05 I).
  """

  num_parameters = num_observed = 10
  variance = 0.1

  def prior(self, n: int, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`."""
    return np.sqrt(self.variance) * rng.normal(size=(n, self.num_parameters))

  def simulate(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`."""
    return parameters + np.sqrt(self.variance) * rng.normal(size=parameters.shape)

  def posterior(self, observed: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`; exact."""
    noise = rng.normal(size=(n, self.num_parameters))
    return observed / 2.0 + np.sqrt(self.variance / 2.0) * noise


class TwoMoons(Simulator):
  """A crescent whose place depends on |a + b| and b - a, parameters a and b uniform on [-1, 1].

  observed = crescent + (-|a + b|, b - a) / sqrt 2, the crescent of radius Normal(0.1, 0.01) and an
  angle uniform on (-pi/2, pi/2), its centre at (0.25, 0). The posterior is two crescents.
  """

  num_parameters = num_observed = 2
  low, high = np.full(2, -1.0, np.float32), np.full(2, 1.0, np.float32)

  def simulate(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`."""
    a, b = parameters.T
    shift = np.stack([-np.abs(a + b), b - a], axis=1) / np.sqrt(2.0)
    return self._crescent(len(parameters), rng) + shift

  def posterior(self, observed: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`; exact: a crescent and a sign say what the parameters were.

    The map of the noise to the parameters turns and mirrors, so that its draws within the prior's
    bounds are those of the posterior.
    """
    accepted = np.zeros([0, 2])
    while len(accepted) < n:
      absolute, difference = np.sqrt(2.0) * (observed - self._crescent(4 * n, rng)).T
      total = -absolute * rng.choice([-1.0, 1.0], size=4 * n)
      draws = np.stack([total - difference, total + difference], axis=1) / 2.0
      inside = (absolute <= 0.0) & np.all(np.abs(draws) <= 1.0, axis=1)
      accepted = np.concatenate([accepted, draws[inside]])
    return accepted[:n]

  def _crescent(self, n: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(-np.pi / 2, np.pi / 2, size=n)
    radius = 0.1 + 0.01 * rng.normal(size=n)
    return np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1)


class SimpleLikelihood(Simulator):
  """SLCP: four points of a normal in the plane, whose mean and covariance are the parameters.

  mean (p_0, p_1), deviations p_2^2 and p_3^2, correlation tanh p_4, all p uniform on [-3, 3]. The
  posterior has four equal modes, by the signs of p_2 and p_3.
  """

  num_parameters, num_observed = 5, 8
  low, high = np.full(5, -3.0, np.float32), np.full(5, 3.0, np.float32)

  def simulate(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`."""
    mean, deviations, correlation = self._moments(parameters)
    first, second = rng.normal(size=(2, len(parameters), 4))
    rest = np.sqrt(1.0 - correlation**2)[:, np.newaxis]
    second = correlation[:, np.newaxis] * first + rest * second
    noise = np.stack([first, second], axis=-1) * deviations[:, np.newaxis]
    return (mean[:, np.newaxis] + noise).reshape(-1, self.num_observed)

  def log_likelihood(self, parameters: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """ln p(observed [O] | parameters [..., N]), [...]."""
    mean, deviations, correlation = self._moments(parameters)
    points = observed.reshape(4, 2)
    u, v = np.moveaxis((points - mean[..., np.newaxis, :]) / deviations[..., np.newaxis, :], -1, 0)
    rest, correlation = 1.0 - correlation**2, correlation[..., np.newaxis]
    form = np.sum(u**2 - 2.0 * correlation * u * v + v**2, axis=-1) / rest
    log_volume = 4.0 * np.sum(np.log(deviations), axis=-1) + 2.0 * np.log(rest)
    return -0.5 * form - log_volume - 4.0 * np.log(2.0 * np.pi)

  def posterior(self, observed: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """See `Simulator`; n chains of Metropolis steps from the best of many draws of the prior.

    Proposals are differences of two chains of the other half, which have the posterior's own shape
    (differential evolution, ter Braak 2006); the signs of p_2 and p_3, which it does not depend on,
    are drawn in the end.
    """
    start = self.prior(100_000, rng)
    chains = start[rng.choice(len(start), n, p=_normalised(self.log_likelihood(start, observed)))]
    chains[:, 2:4] = np.abs(chains[:, 2:4])
    for _ in range(BURN_IN):
      order = rng.permutation(n)
      movers, partners = order[: n // 2], order[n // 2 :]
      chains[movers] = self._moved(chains[movers], chains[partners], observed, rng)
    chains[:, 2:4] *= rng.choice([-1.0, 1.0], size=(n, 2))
    return chains

  def _moved(
    self, chains: np.ndarray, partners: np.ndarray, observed: np.ndarray, rng: np.random.Generator
  ) -> np.ndarray:
    """The chains after a Metropolis step, p_2 and p_3 positive."""
    one, two = (partners[rng.integers(len(partners), size=len(chains))] for _ in range(2))
    scale = rng.choice([0.3, 1.0]) * 2.38 / np.sqrt(2.0 * self.num_parameters)
    proposed = chains + scale * (one - two) + 1e-3 * rng.normal(size=chains.shape)
    proposed[:, 2:4] = np.abs(proposed[:, 2:4])
    gain = self.log_likelihood(proposed, observed) - self.log_likelihood(chains, observed)
    inside = np.all(np.abs(proposed) <= 3.0, axis=1)
    accepted = inside & (np.log(rng.uniform(size=len(gain))) < gain)
    return np.where(accepted[:, np.newaxis], proposed, chains)

  def _moments(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [..., 2], deviations [..., 2] and correlation [...]."""
    return parameters[..., :2], parameters[..., 2:4] ** 2, np.tanh(parameters[..., 4])


def _normalised(log_weights: np.ndarray) -> np.ndarray:
  weights = np.exp(log_weights - np.max(log_weights))
  return weights / np.sum(weights)
