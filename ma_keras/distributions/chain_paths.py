"""Paths through a chain of flows, from one flow to the next and across normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import flow
from ma_keras.distributions.batch_normalisation import BatchNormalisation
from ma_keras.flow.tallies import Tally


def solve(
  chain: Any,
  x: tf.Tensor,
  reverse: bool,
  tallies: Sequence[Tally],
  *,
  batch_size: int | None,
  context: tf.Tensor | None,
) -> flow.Solution:
  """One solve through all parts: changes of ln p and tallies are added up.

  Tallies of the solver's errors are in units of the latents: what a normalisation stretches between
  a flow and them, it stretches of its tally as well.

  Args:
    chain: The `FlowChain`.
    x: Points at the start, [..., N]; at the end of the last flow if `reverse`.
    reverse: From data to latents.
    tallies: Further sums along the paths.
    batch_size: Points flowed at once; None for all.
    context: Of the flows that take one.
  """
  change = tf.zeros(tf.shape(x)[:-1], chain.dtype)
  sums = {tally.name: change for tally in tallies}
  factor = tf.ones([], chain.dtype)  # From here to the latents, of squared lengths.
  for part in _in_order(chain, reverse):
    if isinstance(part, BatchNormalisation):
      x, own_change, stretched = part.moved(x, reverse)
      change += own_change
      if reverse:
        sums = {tally.name: tally.magnified(sums[tally.name], stretched) for tally in tallies}
      else:
        factor *= stretched
      continue
    given = context if part.potential.needs_context else None
    solution = part.solve(x, reverse, tallies, batch_size=batch_size, context=given)
    x, change = solution.x, change + solution.log_density_change
    for tally in tallies:
      sums[tally.name] += tally.magnified(solution.tallies[tally.name], factor)
  return flow.Solution(x, change, sums)


def trajectory(chain: Any, x: tf.Tensor, times: Sequence[float], reverse: bool) -> flow.Trajectory:
  """The fluid at times of the chain, [..., N] each; times of a flow begin where others end.

  A normalisation takes no time: at the boundary between two flows the fluid is on the side that it
  comes from.
  """
  change, paths, pending = tf.zeros(tf.shape(x)[:-1], chain.dtype), [], list(times)
  begin = chain.horizon.time if reverse else 0.0
  for part in _in_order(chain, reverse):
    if isinstance(part, BatchNormalisation):
      x, own_change, _ = part.moved(x, reverse)
      change += own_change
      continue
    time = part.horizon.time
    offset = begin - time if reverse else begin
    own = [t - offset for t in pending if _is_within(t - offset, time, reverse)]
    inside = [min(max(t, 0.0), time) for t in own]
    path = part.trajectory(x, [*inside, 0.0 if reverse else time], reverse)
    after = change + path.log_density_changes
    paths.append((path.times[:-1] + offset, path.states[:-1], after[:-1]))
    x, change, pending = path.states[-1], after[-1], pending[len(own) :]
    begin = offset if reverse else offset + time
  return flow.Trajectory(*(tf.concat(parts, axis=0) for parts in zip(*paths)))


def _in_order(chain: Any, reverse: bool) -> Sequence[Any]:
  """Parts as points meet them: a chain names the last first."""
  return chain.bijectors if reverse else chain.bijectors[::-1]


def _is_within(t: float, time: float, reverse: bool) -> bool:
  """Tells if the fluid meets time t of a flow of [0, T] before it leaves that, but for rounding."""
  margin = 1e-6 * time
  return t >= -margin if reverse else t <= time + margin
