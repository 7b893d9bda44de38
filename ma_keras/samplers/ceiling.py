"""Energies of clashing particles, held down where nobody is to be found."""

from __future__ import annotations

import tensorflow as tf


def limited(energies: tf.Tensor, ceiling: float | None) -> tf.Tensor:
  """E below the ceiling c and c + ln(1 + E - c) above it, whose slopes meet; elementwise.

  Args:
    energies: E, which may be infinite, [...].
    ceiling: c; None for E itself.
  """
  if ceiling is None:
    return energies
  excess = energies - ceiling
  # The maximum keeps the branch that is not taken from NaN, which its derivative would be, too.
  logarithm = ceiling + tf.math.log1p(tf.maximum(excess, 0.0))
  return tf.where(excess > 0.0, logarithm, energies)
