"""How to differentiate through the flow: what is kept on the way, and what computed again."""

from ma_keras.flow.gradients.mode import (
  MODES,
  Adjoint,
  Chunked,
  GradientMode,
  Plain,
  Recompute,
  Reversible,
  Store,
  by,
  get,
)

__all__ = [
  'MODES',
  'Adjoint',
  'Chunked',
  'GradientMode',
  'Plain',
  'Recompute',
  'Reversible',
  'Store',
  'by',
  'get',
]
