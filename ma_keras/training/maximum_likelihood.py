"""Maximum likelihood as a tf_keras model: Eq. (6) minimised by `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from ma_keras import distributions, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import conditions
from ma_keras.saving import export
from ma_keras.training import keras_config, rows, share
from ma_keras.training.constrained import Constrained
from ma_keras.training.data_model import DataModel
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.training.row_mean import RowMean

# Without it an optimiser learns to cheat its integrator: likelihoods look better than they are.
PENALTIES: Mapping[str, float] = MappingProxyType({'stiffness': 0.3})


@tf_keras.saving.register_keras_serializable('ma_keras')
class MaximumLikelihood(DataModel):
  """Minimises -E[ln p(y, T)] over the potential, y = preprocessing^-1(x + u). Eq. 6.

  `fit`, `evaluate` and `predict` take whatever `rows.understood` does, in batches of any size: the
  loss is the (weighted) mean over the rows that came, on all replicas together. A weight of 2 is a
  row that stands twice.

  Integer rows are quantised: step k adds noise u ~ Uniform[0, 1)^N of its own, fresh every epoch;
  `evaluate` and `predict` always the same. Where `preprocessing` has `cell_sizes` c (float64 [N],
  zero for real columns), training adds c (u - 1/2) instead, and nothing else adds any. Rows go
  through the preprocessing in its own dtype, or in theirs where it has none, float64 say, and are
  cast to the bijector's afterwards.

  | in the logs | what, in nats |
  |---|---|
  | `val_loss` | -ln p(x) of the data, the preprocessing's log-det included |
  | `loss` | the same of training rows, and the penalties added, each by its weight |
  | `nll`, `val_nll` | -ln p(y, T), in the space of the flow |
  | `stiffness` | the solver's own error; so every penalty has its mean by its name |

  `evaluate` returns `loss`, and is minus the mean of what `predict` returns, ln p(x) [n].

  Of a chain, `tfb.Chain([last_flow, distributions.BatchNormalisation(N), first_flow])`, all flows
  are trained at once. Batch normalisations take their statistics of the batch in `fit`, of each
  part of it where there are several (`accumulate`), and moving averages everywhere else, so that
  `val_loss` is what the model is worth.

  Attributes:
    preprocessing: TFP bijector y -> x from R^N to data.
  """

  takes_chains = True

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    preprocessing: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
    penalties: Weights | Penalties | None = PENALTIES,
    name: str = 'maximum_likelihood',
    base: Any = None,
    constrained: Constrained | None = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train, or a `tfb.Chain` of flows and batch normalisations.
      preprocessing: One of `data.for_dataset`, or any TFP bijector of R^N; identity by default.
      batch_size: B, over all replicas, of batches whose rows are numbered; None for any.
      seed: Non-negative integer.
      penalties: Weights of `ma_keras.tallies`, by name or themselves; that of the solver's own
        error by default. None for none, as integrators and gradient modes need that do not go
        with it.
      name: Model name.
      base: p(x, 0), see `FlowModel`.
      constrained: An energy to be least where `nll` is within a bound: see `Constrained`.

    Raises:
      ValueError: See `FlowModel`.
    """
    super().__init__(bijector, batch_size, seed, penalties, name, base, constrained)
    if isinstance(self.bijector, distributions.FlowChain):
      self.bijector = self.bijector.frozen()
    if not isinstance(preprocessing, tfp.bijectors.Bijector | None):
      raise TypeError(
        f'`preprocessing` must be a TFP bijector of R^N, got {type(preprocessing).__name__}: '
        'None for none, or one of ma_keras.data.'
      )
    self.preprocessing = tfp.bijectors.Identity() if preprocessing is None else preprocessing
    self._given = {'preprocessing': preprocessing, 'base': base}
    self._nll = RowMean('nll', dtype=tf.float64)
    self._data_nll = RowMean('loss', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return [self._nll, *self.path_metrics, self._data_nll]

  def density(self) -> Any:
    """The density of the data as a TFP distribution, in steps of equal size."""
    bijector = self.bijector.with_seed(self.seed).in_equal_steps()
    if self._given['preprocessing'] is None:
      return distributions.flow_from(self.base, bijector)
    return distributions.data_space_flow(bijector, self.preprocessing, base=self.base)

  def export(self, filepath: Any) -> None:
    """Writes `density()` as a SavedModel for bare TensorFlow: see `ma_keras.export.save`."""
    export.save(self.density(), filepath)

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    names = ('bijector', 'batch_size', 'seed', 'penalties', 'name', 'constrained')
    return {**{name: getattr(self, name) for name in names}, **self._given}

  def get_config(self) -> dict[str, Any]:
    """See `keras_config`."""
    given = self.arguments()
    parts = (given.pop('bijector'), given.pop('preprocessing'), given.pop('base'))
    given['penalties'] = keras_config.described(given['penalties'])
    if self.constrained is not None:
      given['constrained'] = keras_config.described(self.constrained)
    plain = {**given, 'parts': keras_config.describe(*parts)}
    return keras_config.Config(plain, [v.numpy() for v in self.own_variables()])

  @classmethod
  def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> MaximumLikelihood:
    """A model of that configuration, and with the weights of what it was taken from, if known."""
    del custom_objects
    options = {name: value for name, value in config.items() if name != 'parts'}
    if options.get('constrained') is not None:
      options['constrained'] = Constrained(**options['constrained'])
    bijector, preprocessing, base = keras_config.make(config['parts'])
    model = cls(bijector, preprocessing, base=base, **options)
    for variable, value in zip(model.own_variables(), getattr(config, 'weights', ())):
      variable.assign(value)
    return model

  def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """One step on this replica's share of the global batch."""
    x, numbers, weights = self._understood(batch)
    rows_here = share.numbered(x, numbers, self.batch_size)
    total = share.total(weights)
    likelihoods: list[tf.Tensor] = []

    def loss(numbers: tf.Tensor, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
      own_share = share.Share(numbers, rows_here.batch_size)
      nll, path_loss = self._row_losses(x, own_share, weights)
      likelihoods.append(_part_of_mean(nll, weights, total))
      return _part_of_mean(nll + path_loss, weights, total)

    self.descend(loss, rows_here.numbers, x, weights)
    self.adapt(likelihoods)
    return {metric.name: metric.result() for metric in self.metrics} | self.path_results()

  def test_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """The likelihood of rows as they are, at steps of equal size."""
    x, _, weights = self._understood(batch)
    log_prob, log_det = self._log_densities(x)
    self._nll.update_state(-log_prob, weights)
    self._data_nll.update_state(-_added(log_prob, log_det), weights)
    return {'nll': self._nll.result(), 'loss': self._data_nll.result()}

  def predict_step(self, batch: Any) -> tf.Tensor:
    """ln p(x) of the data, [b] nats, the preprocessing's log-det included."""
    return _added(*self._log_densities(self._understood(batch).x))

  def is_inside(self, x: tf.Tensor) -> tf.Tensor:
    """Tells which rows the preprocessing has a finite point for, of integers at mid-cell, [b]."""
    x, _ = self._split(x)
    if self._is_quantised(x):
      x = tf.cast(x, self._data_dtype(x)) + 0.5
    y, log_det = self._to_latent_space(x)
    return tf.reduce_all(tf.math.is_finite(y), axis=-1) & tf.math.is_finite(log_det)

  def _understood(self, batch: Any) -> rows.Rows:
    """The batch with a weight for every row."""
    parts = rows.understood(batch, self.row_size)
    if parts.weights is None:
      parts = parts._replace(weights=tf.ones(tf.shape(parts.x)[:1], self.bijector.dtype))
    return parts

  def _row_losses(
    self, x: tf.Tensor, rows_here: share.Share, weights: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """-ln p(y, T) of every row and what its path adds to the loss, [b] each; the metrics, too."""
    noise_seed, flow_seed = self.per_sample_seeds(
      rows_here.numbers, 'maximum_likelihood', rows_here.batch_size
    )
    points, context = self._split(x)
    y, log_det = (
      tf.debugging.check_numerics(part, rows.OUTSIDE)
      for part in self._to_latent_space(self._jittered(points, noise_seed))
    )
    flow = self._flow_of_batch(flow_seed, weights)
    log_prob, solution = distributions.solve(flow, y, True, self.tallies, context=context)
    self._nll.update_state(-log_prob, weights)
    path_loss = self.path_loss(solution.tallies, log_prob, weights)
    path_loss += self._class_loss(x, y, log_prob, solution.x, flow_seed, weights)
    self._data_nll.update_state(_added(path_loss - log_prob, -log_det), weights)
    if self.preprocessing.trainable_variables:  # Else a constant, which no gradient sees.
      path_loss -= tf.cast(log_det, path_loss.dtype)
    return -log_prob, path_loss

  def _class_loss(
    self,
    x: tf.Tensor,
    y: tf.Tensor,
    log_prob: tf.Tensor,
    z: tf.Tensor,
    seed: seeds.PerSample,
    weights: tf.Tensor,
  ) -> tf.Tensor:
    """Part of the loss that classifies the rows x, [b]; here there are no classes."""
    del x, y, z, seed, weights
    return tf.zeros_like(log_prob)

  def _log_densities(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """ln p(y, T) and the log-det of the preprocessing, [b] each."""
    x, context = self._split(x)
    if self._is_quantised(x):
      numbers, seed = tf.range(tf.shape(x)[0]), seeds.stateless(self.seed, 'dequantisation')
      x = self._dequantised(x, seeds.PerSample(seed, numbers, tf.shape(x)[0]))
    y, log_det = self._to_latent_space(x)
    flow = self.flow(self.seed)
    flow = flow.copy(bijector=flow.bijector.in_equal_steps())
    options = {} if context is None else conditions.options(flow.bijector, context)
    return flow.log_prob(y, bijector_kwargs=options), log_det

  def _flow_of_batch(self, seed: seeds.Seed, weights: tf.Tensor) -> Any:
    """The flow as a step trains it: batch normalisations take their statistics of the batch."""
    flow = self.flow(seed)
    if not isinstance(flow.bijector, distributions.FlowChain):
      return flow
    return flow.copy(bijector=flow.bijector.of_batch(weights))

  def _split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Points of the data and their contexts, of rows of both; here there are none."""
    return x, None

  def _is_quantised(self, x: tf.Tensor) -> bool:
    """Tells if points are whole numbers that noise is added to."""
    return x.dtype.is_integer and self._cell_sizes() is None

  def _to_latent_space(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """y = preprocessing^-1(x) in the bijector's dtype, [b, N], and ln|det dy/dx|, [b]."""
    x = tf.cast(x, self._data_dtype(x))
    y = tf.cast(self.preprocessing.inverse(x), self.bijector.dtype)
    log_det = self.preprocessing.inverse_log_det_jacobian(x, event_ndims=1)
    return y, tf.broadcast_to(log_det, tf.shape(y)[:1])

  def _jittered(self, x: tf.Tensor, seed: seeds.Seed) -> tf.Tensor:
    """The rows with what noise training adds to them."""
    cells = self._cell_sizes()
    if cells is not None:
      u = seeds.uniform([x.shape[-1]], seed, tf.float64)
      return tf.cast(x, tf.float64) + cells * (u - 0.5)
    return self._dequantised(x, seed) if self._is_quantised(x) else x

  def _dequantised(self, x: tf.Tensor, seed: seeds.Seed) -> tf.Tensor:
    """x + u, u ~ Uniform[0, 1)^N."""
    noise = seeds.uniform([x.shape[-1]], seed, self.bijector.dtype)
    dtype = self._data_dtype(x)
    return tf.cast(x, dtype) + tf.cast(noise, dtype)

  def _cell_sizes(self) -> tf.Tensor | None:
    cells = getattr(self.preprocessing, 'cell_sizes', None)
    return None if cells is None else tf.constant(cells, tf.float64)

  def _data_dtype(self, x: tf.Tensor) -> tf.DType:
    """The preprocessing's own dtype of data; without one that of the rows, float64 of integers."""
    own = self.preprocessing.forward_dtype()
    return own or (x.dtype if x.dtype.is_floating else tf.float64)


def _part_of_mean(values: tf.Tensor, weights: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
  """Part that these rows have in the weighted mean over all, []."""
  weighted = tf.reduce_sum(tf.cast(weights, values.dtype) * values)
  return tf.math.divide_no_nan(weighted, tf.cast(total, values.dtype))


def _added(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
  """a + b in the wider of their dtypes."""
  dtype = a.dtype if a.dtype.size >= b.dtype.size else b.dtype
  return tf.cast(a, dtype) + tf.cast(b, dtype)
