"""Energies of clashing particles, held down where nobody is to be found."""

from __future__ import annotations

import tensorflow as tf


def limited(energies: tf.Tensor, ceiling: float | None, power: float = 0.0) -> tf.Tensor:
  """E below the ceiling c and c + ((1 + E - c)^p - 1)/p above it, whose slopes meet; elementwise.

  For p = 0 that is c + ln(1 + E - c) (Box & Cox 1964).

  Args:
    energies: E, which may be infinite, [...].
    ceiling: c; None for E itself.
    power: p.
  """
  if ceiling is None:
    return energies
  excess = energies - ceiling
  # The maximum keeps the branch that is not taken from NaN, which its derivative would be, too.
  positive = tf.maximum(excess, 0.0)
  growth = tf.math.log1p(positive) if power == 0.0 else ((1.0 + positive) ** power - 1.0) / power
  return tf.where(excess > 0.0, ceiling + growth, energies)
