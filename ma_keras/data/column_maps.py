"""From the columns of a table to coordinates of unit scale, and back, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.data.columns import lattice

KINDS = ('real', 'heavy', 'positive', 'unit')
EDGE = 1e-3  # Of a cell: a value that near to the end of a support is outside.


class ColumnMaps(tfp.bijectors.Bijector):
  """y -> x: x_i = f_i(u_i), u = mean + S y, one f_i a column and S lower triangular.

  | kind       | x of u                       | for                                       |
  |------------|------------------------------|-------------------------------------------|
  | `real`     | centre + scale u             | columns like a normal one                 |
  | `heavy`    | centre + scale sinh u        | outliers on both sides                    |
  | `positive` | centre + scale exp u         | x > centre: incomes, concentrations       |
  | `unit`     | centre + scale sigmoid u     | centre < x < centre + scale: shares       |

  All of it is computed in float64, in which x of a table may be large and vary little (seconds
  since 1970); y and the log-det have the flow's dtype. Outside the support of its column a point
  has density 0: the log-det of the inverse is -infinity there.

  Attributes:
    kinds: The kind of every column.
    cell_sizes: Width of the cell that a rounded value stands for, float64 [N]; 0 for real columns.
      Training adds cell_sizes (u - 1/2), u ~ Uniform[0, 1)^N: a density of values with ties would
      grow without bound.
    origins: One of the values that each rounded column is rounded to, float64 [N].
  """

  def __init__(
    self,
    kinds: Sequence[str],
    centre: np.ndarray,
    scale: np.ndarray,
    mean: np.ndarray,
    scale_tril: np.ndarray,
    cell_sizes: np.ndarray,
    dtype: tf.DType = tf.float32,
    name: str = 'column_maps',
    origins: Sequence[float] | np.ndarray = (0.0,),
  ) -> None:
    """Checks the arguments.

    Args:
      kinds: N of 'real', 'heavy', 'positive' and 'unit'.
      centre: Shape [N].
      scale: Positive, shape [N].
      mean: Shape [N].
      scale_tril: S, lower triangular with a positive diagonal, shape [N, N].
      cell_sizes: Zero or positive, shape [N].
      dtype: Floating dtype of y.
      name: Name of the ops.
      origins: Shape [N], or [1] for all.

    Raises:
      ValueError: A kind is unknown, shapes do not fit, or a number is not finite or not positive.
    """
    parameters = dict(locals())
    vectors = {'centre': centre, 'scale': scale, 'mean': mean, 'cell_sizes': cell_sizes}
    vectors = {name: np.asarray(value, np.float64) for name, value in vectors.items()}
    tril, size = np.asarray(scale_tril, np.float64), len(kinds)
    vectors['origins'] = np.asarray(origins, np.float64)
    if vectors['origins'].shape == (1,):
      vectors['origins'] = np.repeat(vectors['origins'], size)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
      raise ValueError(f'`kinds` holds {unknown[:3]}, of {KINDS}.')
    shapes = {name: value.shape for name, value in vectors.items()}
    if not size or set(shapes.values()) != {(size,)} or tril.shape != (size, size):
      raise ValueError(f'{size} `kinds` do not fit {shapes} and `scale_tril` {list(tril.shape)}.')
    if not all(np.all(np.isfinite(value)) for value in (*vectors.values(), tril)):
      raise ValueError('The numbers of column maps must be finite.')
    if not np.all(np.concatenate([vectors['scale'], np.diag(tril)]) > 0):
      raise ValueError('`scale` and the diagonal of `scale_tril` must be positive.')
    if np.any(np.triu(tril, 1)) or np.any(vectors['cell_sizes'] < 0):
      raise ValueError('`scale_tril` must be lower triangular, and `cell_sizes` not negative.')
    super().__init__(forward_min_event_ndims=1, dtype=None, parameters=parameters, name=name)
    self.kinds = tuple(kinds)
    self.cell_sizes, self.origins = vectors['cell_sizes'], vectors['origins']
    self._latent_dtype = tf.as_dtype(dtype)
    self._centre, self._scale, self._mean = (vectors[n] for n in ('centre', 'scale', 'mean'))
    self._scale_tril = tril
    self._inverse_tril = np.linalg.inv(tril)
    self._log_det = float(np.sum(np.log(np.diag(tril))))
    self._is = {kind: np.array([one == kind for one in kinds]) for kind in KINDS}

  @classmethod
  def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
    del dtype
    return {}

  def config(self) -> dict[str, Any]:
    """Returns the arguments as plain values and arrays: see `model_file`."""
    names = ('centre', 'scale', 'mean', 'scale_tril', 'cell_sizes')
    arrays = {name: np.asarray(self.parameters[name], np.float64) for name in names}
    return {'kinds': list(self.kinds), **arrays, 'origins': self.origins}

  @property
  def event_size(self) -> int:
    """N."""
    return len(self.kinds)

  def _forward_dtype(self, input_dtype: Any, **kwargs: Any) -> tf.DType:
    return tf.float64

  def _inverse_dtype(self, output_dtype: Any, **kwargs: Any) -> tf.DType:
    return self._latent_dtype

  def _forward(self, y: tf.Tensor) -> tf.Tensor:
    u = self._mean + tf.tensordot(tf.cast(y, tf.float64), self._scale_tril.T, axes=1)
    w = u
    for kind, function in (('heavy', tf.sinh), ('positive', tf.exp), ('unit', tf.sigmoid)):
      w = _where(self._is[kind], function, u, w)
    return self._centre + self._scale * w

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    u = self.unmixed(x)
    y = tf.tensordot(u - self._mean, self._inverse_tril.T, axes=1)
    return tf.cast(y, self._latent_dtype)

  def unmixed(self, x: tf.Tensor) -> tf.Tensor:
    """u = f^-1(x), float64 [..., N], the columns by themselves; at the support's edge beyond it."""
    w = self._scaled(x)
    u = w
    for kind, function in (('heavy', tf.asinh), ('positive', tf.math.log), ('unit', _logit)):
      u = _where(self._is[kind], function, w, u)
    return u

  def _inverse_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
    """sum_i ln |du_i/dx_i| - ln det S; -infinity outside the support."""
    w = self._scaled(x)
    slope = tf.zeros_like(w)
    for kind, function in _LOG_SLOPES.items():
      slope = _where(self._is[kind], function, w, slope)
    log_det = tf.reduce_sum(slope - np.log(self._scale), axis=-1) - self._log_det
    inside = tf.reduce_all(self.supports(x), axis=-1)
    return tf.where(inside, log_det, tf.constant(-np.inf, tf.float64))

  def supports(self, x: tf.Tensor) -> tf.Tensor:
    """Tells which numbers lie in the support of their column, bool [..., N]; NaN stays NaN."""
    w = (tf.cast(x, tf.float64) - self._centre) / self._scale
    below = (w <= 0) & (self._is['positive'] | self._is['unit'])
    return ~(below | ((w >= 1) & self._is['unit']))

  def rounded(self, x: np.ndarray) -> np.ndarray:
    """Points x [..., N], each rounded column at the nearest of its values within the support.

    So samples are numbers as the data are; the density stays that of numbers anywhere in a cell.
    """
    x = np.array(x, np.float64)
    for j in np.flatnonzero(self.cell_sizes):
      step, low, high = self.cell_sizes[j], -np.inf, np.inf
      if self.kinds[j] == 'positive':
        low = self._centre[j] + EDGE * step  # The centre itself is outside.
      if self.kinds[j] == 'unit':
        low, high = 0.0, 1.0  # The map goes on by a cell on either side.
      x[..., j] = lattice.nearest(x[..., j], step, self.origins[j], low, high)
    return x

  def _scaled(self, x: tf.Tensor) -> tf.Tensor:
    """(x - centre) / scale; 1/2, which has a logarithm and a logit, outside the support."""
    w = (tf.cast(x, tf.float64) - self._centre) / self._scale
    return tf.where(self.supports(x), w, tf.constant(0.5, tf.float64))


def _where(chosen: np.ndarray, function: Any, w: tf.Tensor, otherwise: tf.Tensor) -> tf.Tensor:
  """function(w) in the chosen columns; elsewhere it sees 1/2 and has no derivative."""
  if not np.any(chosen):
    return otherwise
  return tf.where(chosen, function(tf.where(chosen, w, tf.constant(0.5, w.dtype))), otherwise)


def _logit(p: tf.Tensor) -> tf.Tensor:
  return tf.math.log(p) - tf.math.log1p(-p)


# ln |du/dw|, w = (x - centre) / scale.
_LOG_SLOPES = {
  'heavy': lambda w: -0.5 * tf.math.log1p(tf.square(w)),
  'positive': lambda w: -tf.math.log(w),
  'unit': lambda w: -tf.math.log(w) - tf.math.log1p(-w),
}
