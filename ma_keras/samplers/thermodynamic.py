"""ln Z by slopes: thermodynamic integration along a path of annealing, all of it at equilibrium."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.samplers.annealing import Path, explore
from ma_keras.samplers.hamiltonian import (
  MIXED,
  Record,
  Schedule,
  mean_over_chains,
  run,
  split_r_hat,
)


@dataclasses.dataclass(frozen=True)
class ThermodynamicIntegral:
  """ln Z = -integral_0^1 <E - E_0>_u p u^(p-1) du.

  Attributes:
    log_partition: ln Z.
    standard_error: By the spread of independent chains at every node.
    quadrature_error: Change of ln Z when every second node is left out; an upper estimate.
    split_r_hat: The largest of all nodes, of E - E_0.
    slopes: d ln Z/du at the nodes, [n].
    nodes: u, [n].
  """

  log_partition: float
  standard_error: float
  quadrature_error: float
  split_r_hat: float
  slopes: np.ndarray
  nodes: np.ndarray

  def doubts(self) -> str:
    """Why not to trust it, in one line; empty if nothing speaks against it."""
    if not self.split_r_hat <= MIXED:
      return (
        f'Split R-hat is {self.split_r_hat:.3g} at a node, above {MIXED}: chains have not met '
        'there. Take a longer burn-in, or more thinning.'
      )
    return ''


def fejer(n: int) -> tuple[np.ndarray, np.ndarray]:
  """Nodes and weights of Fejer's second rule on (0, 1), [n] each, n odd.

  Every second node is one of the rule of (n - 1)/2 nodes; the ends are none.
  """
  angle = np.arange(1, n + 1) * np.pi / (n + 1)
  odd = np.arange(1, n + 1, 2)
  series = np.sum(np.sin(odd * angle[:, np.newaxis]) / odd, axis=-1)
  return (1 - np.cos(angle)) / 2, 2 * np.sin(angle) * series / (n + 1)


def thermodynamic_integration(
  path: Path, num_chains: int, schedule: Schedule, num_nodes: int = 31, seed: Any = 0
) -> ThermodynamicIntegral:
  """ln Z by the mean slope at the nodes of a quadrature, all of them side by side.

  Args:
    path: From p_0 to exp(-E).
    num_chains: C at every node, independent, at least two. They begin where samples of p_0 come to
      on the way, in as many steps as they burn in.
    schedule: Lengths and sizes of chains.
    num_nodes: n, odd, at least 3.
    seed: Integer, or a seed of TFP.

  Returns:
    ln Z with its errors.

  Raises:
    ValueError: A number is out of range.
  """
  if not is_whole(num_nodes, 3) or num_nodes % 2 == 0 or not is_whole(num_chains, 2):
    raise ValueError(
      '`num_nodes` must be odd and at least 3, and `num_chains` at least 2, got '
      f'{num_nodes!r} and {num_chains!r}. 31 and 64, say.'
    )
  nodes, weights = fejer(num_nodes)
  record = _at_nodes(path, nodes, num_chains, schedule, seed)
  values = record.values.numpy().astype(np.float64)  # [S, n, C]
  factors = -path.power * nodes ** (path.power - 1)
  means = [mean_over_chains(values[:, k]) for k in range(num_nodes)]
  slopes = factors * np.array([mean.value for mean in means])
  errors = factors * np.array([mean.error for mean in means])
  half = fejer((num_nodes - 1) // 2)[1]
  total = float(weights @ slopes)
  return ThermodynamicIntegral(
    log_partition=total,
    standard_error=float(np.linalg.norm(weights * errors)),
    quadrature_error=abs(total - float(half @ slopes[1::2])),
    split_r_hat=max(split_r_hat(values[:, k]) for k in range(num_nodes)),
    slopes=slopes,
    nodes=nodes,
  )


def _at_nodes(
  path: Path, nodes: np.ndarray, num_chains: int, schedule: Schedule, seed: Any
) -> Record:
  """Chains [n, C, N] at every node, of which E - E_0 is recorded."""
  key = seeds.stateless(seed, salt='thermodynamic_integration')
  first, second = seeds.split(key, 2, salt='parts')
  steps = schedule.burn_in
  x, sizes = explore(path, num_chains, steps, schedule.num_leapfrog_steps, first)
  path.check_ceiling(x[-1])
  near = np.clip(np.rint(nodes * steps).astype(int) - 1, 0, steps - 1)
  start, sizes = tf.gather(x, near), tf.gather(sizes, near)[:, tf.newaxis, tf.newaxis]
  share = tf.constant(path.share(nodes)[:, np.newaxis], start.dtype)
  return run(path.at(share), start, schedule, second, path.rise, step_size=sizes)
