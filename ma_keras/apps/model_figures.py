"""Figures of a trained model: data, samples and density, and the calibration of latents."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import bases, data, plotting, seeds
from ma_keras.distributions.flow_chain import event_size
from ma_keras.saving import model_file

MOST_COLUMNS = 8  # In one figure.
MOST_PICTURES = 100
GRID = 101  # Points along an axis of two,
FINE_GRID = 1001  # and of one.
BASE_SAMPLES = 10_000  # Behind the quantiles of ln p0.


def is_image(model: model_file.Model) -> bool:
  """Tells if events are pictures, [height, width, channels]."""
  return len(model.event_shape or ()) == 3


def names(model: model_file.Model) -> tuple[str, ...]:
  """Names of the N columns; x0, x1, ... where the model has none."""
  return model.columns or tuple(f'x{i}' for i in range(event_size(model.bijector)))


def density(
  model: model_file.Model,
  rows: np.ndarray | None,
  count: int,
  columns: Sequence[int] = (),
  batch_size: int = 100,
  seed: int = 0,
) -> Any:
  """Samples as pictures, or data and samples of a table; the density of up to two columns.

  Args:
    model: The model.
    rows: Data, shape [n, N]; None: samples alone.
    count: Number of samples; pictures are MOST_PICTURES at most.
    columns: Numbers of the columns to show; the first MOST_COLUMNS by default.
    batch_size: Points flowed at once.
    seed: Names every random number drawn.

  Returns:
    A matplotlib figure.
  """
  if is_image(model):
    return plotting.gallery(samples(model, min(count, MOST_PICTURES), batch_size, seed))
  points = {'samples': samples(model, count, batch_size, seed)}
  if rows is not None:
    points = {'data': continuous(model, rows, seed).astype(np.float64), **points}
  size = event_size(model.bijector)
  chosen = list(columns or range(min(size, MOST_COLUMNS)))
  axes = [_axis(model, i, [x[:, i] for x in points.values()]) for i in chosen]
  shown = {name: x[:, chosen] for name, x in points.items()}
  if len(chosen) == 1:
    curve = np.exp(_on_grid(model, axes, chosen, FINE_GRID, batch_size)) if size == 1 else None
    return plotting.histogram(axes[0], shown, curve)
  if size == 2 == len(chosen):
    sampled = log_prob(model, points['samples'], batch_size)
    log_probs = _on_grid(model, axes, chosen, GRID, batch_size)
    return plotting.contours(axes, shown, log_probs, sampled)
  return plotting.pairs(axes, shown)


def calibration(
  model: model_file.Model, rows: np.ndarray, batch_size: int = 100, seed: int = 0
) -> Any:
  """Draws latents of data against samples of the base: Normal(0, I), or a mixture.

  Args:
    model: The model.
    rows: Data, shape [n, N]; those outside the support have no latents, and are left out.
    batch_size: Points flowed at once.
    seed: Names the noise of rounded data, and the samples of the base.

  Returns:
    A matplotlib figure.

  Raises:
    ValueError: No row has latents.
  """
  z = latents(model, continuous(model, rows, seed), batch_size)
  without = len(rows) - len(z)
  if not len(z):
    raise ValueError(f'None of the {without} rows has density: all are outside the support.')
  note = f'{len(z):,} rows' + (f'; {without:,} outside the support left out' if without else '')
  if isinstance(model.base, bases.Mixture):
    base = model.base.sample(BASE_SAMPLES, seed=seeds.stateless(seed, 'calibration'))
    of_data, of_base = (np.asarray(model.base.log_prob(x), np.float64) for x in (z, base))
    return plotting.base_quantiles(of_data, of_base, note)
  return plotting.uniformity(0.5 * tf.math.erfc(-z.astype(np.float64) / math.sqrt(2)).numpy(), note)


def continuous(model: model_file.Model, rows: np.ndarray, seed: int) -> np.ndarray:
  """The rows as the model sees them in training: rounded values spread over their cells."""
  cells = getattr(model.preprocessing, 'cell_sizes', None)
  if cells is not None:
    return rows + cells * (np.random.default_rng([seed, 0]).random(rows.shape) - 0.5)
  if isinstance(model.preprocessing, data.Pixels) and np.all(rows == np.floor(rows)):
    return data.dequantised(np.asarray(rows).astype(np.int64), seed)
  return rows


def samples(model: model_file.Model, count: int, batch_size: int, seed: int) -> np.ndarray:
  """Samples of the data space, shape [count, ...]."""
  flow = model.flow()

  @tf.function(autograph=False)
  def draw(seed: tf.Tensor) -> tf.Tensor:
    return flow.sample(min(batch_size, count), seed=seed)

  numbers = range(math.ceil(count / min(batch_size, count)))
  keys = [seeds.fold_in(seeds.stateless(seed, 'plot'), k) for k in numbers]
  return np.concatenate([draw(key).numpy() for key in keys])[:count]


def log_prob(model: model_file.Model, x: np.ndarray, batch_size: int) -> np.ndarray:
  """ln p of points [n, N] of a table, nats, float64 [n]; -inf outside the support."""
  flow = data_space(model)
  return _in_batches(lambda x: tf.cast(flow.log_prob(x), tf.float64), x, flow.dtype, batch_size)


def data_space(model: model_file.Model) -> Any:
  """The density of rows [N], pictures as well."""
  return model_file.Model(model.bijector, model.preprocessing, base=model.base).flow()


def latents(model: model_file.Model, x: np.ndarray, batch_size: int) -> np.ndarray:
  """z [m, N] of the points [n, N] that have density."""
  preprocessing, bijector = model.preprocessing, model.bijector
  dtype = data_space(model).dtype
  if preprocessing is not None:

    def log_det(x: tf.Tensor) -> tf.Tensor:
      constant_or_not = preprocessing.inverse_log_det_jacobian(x, event_ndims=1)
      return tf.broadcast_to(constant_or_not, tf.shape(x)[:-1])

    x = x[np.isfinite(_in_batches(log_det, x, dtype, batch_size))]

  def inverse(x: tf.Tensor) -> tf.Tensor:
    y = x if preprocessing is None else preprocessing.inverse(x)
    return bijector.inverse(tf.cast(y, bijector.dtype))

  return _in_batches(inverse, x, dtype, batch_size) if len(x) else x


def _in_batches(
  function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray, dtype: tf.DType, size: int
) -> np.ndarray:
  compiled = tf.function(function, autograph=False, reduce_retracing=True)
  parts = [tf.constant(x[k : k + size], dtype) for k in range(0, len(x), size)]
  return np.concatenate([compiled(part).numpy() for part in parts])


def _axis(model: model_file.Model, column: int, x: Sequence[np.ndarray]) -> plotting.Axis:
  """The axis of a column: on a logarithm where its map is one."""
  edge, maps = None, model.preprocessing
  if isinstance(maps, data.ColumnMaps) and maps.kinds[column] == 'positive':
    edge = float(maps.parameters['centre'][column])
  return plotting.Axis.around(names(model)[column], np.concatenate(x), edge)


def _on_grid(
  model: model_file.Model,
  axes: Sequence[plotting.Axis],
  columns: Sequence[int],
  size: int,
  batch_size: int,
) -> np.ndarray:
  """ln p on the product of the axes' grids, nats, one dimension an axis, in order."""
  mesh = np.stack(np.meshgrid(*(axis.grid(size) for axis in axes), indexing='ij'), axis=-1)
  x = mesh[..., np.argsort(columns)]
  return log_prob(model, x.reshape(-1, len(axes)), batch_size).reshape(mesh.shape[:-1])
