"""Cluster Monte Carlo for Ising spins: the reference for what has no formula."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Bonds = list[tuple[np.ndarray, np.ndarray]]


def chain(couplings: np.ndarray, seed: int, updates: int = 1) -> Iterator[np.ndarray]:
  """Configurations of weight exp(1/2 s.K s), int8 [N], without end, `updates` cluster flips apart.

  One flip grows a cluster from a random site: a bond that is satisfied, K_ij s_i s_j > 0, opens
  with probability 1 - exp(-2 |K_ij|); then all of it is turned over (Wolff 1989, Phys. Rev. Lett.
  62, 361). Detailed balance holds exactly for any symmetric K. In critical ferromagnets clusters
  are as large as the correlations, which hardly slow it down; frustration does.

  Args:
    couplings: K over kT, symmetric [N, N]; its diagonal does not matter. Of a lattice:
      `targets.lattice.coupling_matrix`.
    seed: Non-negative integer.
    updates: Flips between two configurations.

  Yields:
    Copies; the first after `updates` flips of the all-up state. Discard some dozens.

  Raises:
    ValueError: K is not square, symmetric and finite, or `updates` not positive.
  """
  couplings = np.asarray(couplings, np.float64)
  if couplings.ndim != 2 or not np.array_equal(couplings, couplings.T):
    raise ValueError(
      f'`couplings` must be a symmetric, finite matrix [N, N], got shape {list(couplings.shape)}.'
    )
  if updates < 1:
    raise ValueError(f'`updates` must be positive, got {updates}.')
  bonds = []
  for site, row in enumerate(couplings):
    neighbours = np.flatnonzero(row)
    neighbours = neighbours[neighbours != site]
    bonds.append((neighbours, row[neighbours]))
  return _chain(bonds, np.random.default_rng(seed), updates)


def _chain(bonds: Bonds, rng: np.random.Generator, updates: int) -> Iterator[np.ndarray]:
  spins = np.ones(len(bonds), np.int8)
  while True:
    for _ in range(updates):
      spins[_cluster(spins, bonds, rng)] *= -1
    yield spins.copy()


def _cluster(spins: np.ndarray, bonds: Bonds, rng: np.random.Generator) -> np.ndarray:
  """Tells which sites are in the cluster of a random one, bool [N]."""
  site = int(rng.integers(len(spins)))
  joined = np.zeros(len(spins), bool)
  joined[site], growing = True, [site]
  while growing:
    site = growing.pop()
    neighbours, strengths = bonds[site]
    closed = np.exp(-2.0 * np.maximum(strengths * spins[site] * spins[neighbours], 0.0))
    new = neighbours[(rng.random(len(neighbours)) >= closed) & ~joined[neighbours]]
    joined[new] = True
    growing.extend(new.tolist())
  return joined
