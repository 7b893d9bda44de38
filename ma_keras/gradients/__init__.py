"""How to differentiate through the flow: what is kept on the way, and what computed again."""

from ma_keras.gradients.mode import (
  MODES,
  Adjoint,
  GradientMode,
  Plain,
  Recompute,
  Reversible,
  Store,
  get,
)

__all__ = ['MODES', 'Adjoint', 'GradientMode', 'Plain', 'Recompute', 'Reversible', 'Store', 'get']
