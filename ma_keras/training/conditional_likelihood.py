"""Maximum likelihood of a conditional density as a tf_keras model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import distributions, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.training import discrimination as classes
from ma_keras.training import rows
from ma_keras.training.constrained import Constrained
from ma_keras.training.discrimination import Discrimination
from ma_keras.training.maximum_likelihood import PENALTIES, MaximumLikelihood
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.training.row_mean import RowMean

FORMS = (
  "(contexts [n, O], x [n, N]), {'context': contexts, 'x': x}, rows [n, O + N] of both side by "
  'side, or a tf.data.Dataset or generator of batches of such'
)


class ConditionalLikelihood(MaximumLikelihood):
  """Minimises -E[ln p(x | o)] over potential and encoder: `MaximumLikelihood` of pairs (o, x).

  ```python
  model = training.ConditionalLikelihood(bijector, encoder)
  model.compile(training.adam(0.01, total_steps=2000))
  model.fit((contexts, x), batch_size=256, epochs=20)
  flow = model.density()
  flow.log_prob(x, context=contexts)
  ```

  `evaluate` and `predict` take pairs as well. Logs and everything else are those of
  `MaximumLikelihood`; with a `discrimination` the mean of -ln P(k | x), `cross_entropy`, is in the
  logs of training, too, and its part of `loss`.

  Attributes:
    conditional: The `ConditionalFlow` of base, flow and encoder, before any preprocessing.
    dequantise: Whether x are whole numbers that stand for cells [x, x + 1).
    discrimination: What makes the densities of classes tell them apart; None for likelihood alone.
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    encoder: Any = None,
    preprocessing: Any = None,
    seed: int = 0,
    penalties: Weights | Penalties | None = PENALTIES,
    name: str = 'conditional_likelihood',
    base: Any = None,
    constrained: Constrained | None = None,
    dequantise: bool = False,
    discrimination: Discrimination | None = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: Flow along a potential with `context_size=C`, or a chain of such flows.
      encoder: tf_keras or Keras 3 model [B, O] -> [B, C]; None for o = c.
      preprocessing: TFP bijector from R^N to data, as in `MaximumLikelihood`.
      seed: Non-negative integer.
      penalties: As in `MaximumLikelihood`.
      name: Model name.
      base: p(x, 0), see `FlowModel`.
      constrained: An energy to be least where `nll` is within a bound: see `Constrained`.
      dequantise: Add noise u ~ Uniform[0, 1)^N to x, which are whole numbers.
      discrimination: Classes to be told apart, whose contexts are all that `fit` is given.

    Raises:
      TypeError: See `FlowModel`; or `discrimination` is none.
      ValueError: See `FlowModel` and `distributions.conditional_flow`; or the contexts of the
        classes have another length, or the flow normalises batches.
    """
    super().__init__(bijector, preprocessing, None, seed, penalties, name, base, constrained)
    self.conditional = distributions.conditional_flow(self.bijector, encoder, self.base)
    self.dequantise = dequantise
    self.discrimination = discrimination
    if discrimination is not None:
      self._check_classes(discrimination)
      self._cross_entropy = RowMean('cross_entropy', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """See `MaximumLikelihood`; and the cross-entropy of classes."""
    own = [self._cross_entropy] if hasattr(self, '_cross_entropy') else []
    return [*super().metrics, *own]

  @property
  def row_size(self) -> int:
    """Numbers in a row: O + N."""
    return self.conditional.context_size + self.base.event_shape[-1]

  def density(self) -> distributions.ConditionalFlow:
    """p(x | o) of the data, in steps of equal size, which shares the variables."""
    bijector = self.bijector.with_seed(self.seed).in_equal_steps()
    if self._given['preprocessing'] is not None:
      bijector = tfp.bijectors.Chain([self.preprocessing, bijector])
    return distributions.ConditionalFlow(self.base, bijector, self.conditional.encoder)

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    # Not kept by the model itself: tf_keras would list variables of Keras 3 among its own.
    own = {
      'encoder': self.conditional.encoder,
      'dequantise': self.dequantise,
      'discrimination': self.discrimination,
    }
    arguments = {**super().arguments(), **own}
    del arguments['batch_size']
    return arguments

  def get_config(self) -> dict[str, Any]:
    """Raises NotImplementedError: Keras would make the encoder again without its statistics."""
    return super(MaximumLikelihood, self).get_config()

  def own_variables(self) -> list[tf.Variable]:
    """Variables of the flow, and of the encoder after them."""
    encoder = self.conditional.encoder
    return [*super().own_variables(), *(encoder.variables if encoder else ())]

  def joined(self, x: Any) -> Any:
    """Contexts and points side by side, [n, O + N].

    Args:
      x: Pairs, one of `FORMS`.

    Raises:
      ValueError: They are none, or x are whole numbers and not dequantised.
    """
    if isinstance(x, tf.data.Dataset):
      return x.map(tf.autograph.experimental.do_not_convert(lambda *batch: self._rows(batch)))
    if isinstance(x, Iterator):
      return (self._rows(batch) for batch in x)
    return self._rows(x)

  def _rows(self, batch: Any) -> Any:
    """One batch, or the whole table, in rows; weights stay beside."""
    if isinstance(batch, tuple) and len(batch) == 1:
      return self._rows(batch[0])
    if not isinstance(batch, tuple | list) and 'context' not in _names(batch):
      joined = batch['x'] if 'x' in _names(batch) else batch
      self._check_width(joined)
      self._check_quantised(joined)
      if self.discrimination is None or tf.TensorShape(joined.shape).rank not in (2, None):
        return batch
      size = self.conditional.context_size
      joined = tf.convert_to_tensor(joined)
      known = self.discrimination.checked(joined[:, :size])
      joined = tf.concat([known, joined[:, size:]], axis=-1)
      return {**batch, 'x': joined} if 'x' in _names(batch) else joined
    context, x, weights = _parts(batch)
    x = _flat(x, self.base.event_shape[-1], 'x')
    context = _flat(context, self.conditional.context_size, 'context')
    if self.discrimination is not None:
      context = self.discrimination.checked(context)
    self._check_quantised(x)
    wide = not (x.dtype == tf.float32 and context.dtype in (tf.float32, tf.bool))
    dtype = tf.float64 if wide else tf.float32
    joined = tf.concat([tf.cast(context, dtype), tf.cast(x, dtype)], axis=-1)
    return joined if weights is None else {'x': joined, 'sample_weight': weights}

  def _check_quantised(self, x: Any) -> None:
    """Raises ValueError on whole numbers that nobody has asked to dequantise."""
    if tf.as_dtype(x.dtype).is_integer and not self.dequantise:
      raise ValueError(
        '`x` are whole numbers, of which no density is bounded: dequantise=True adds noise, '
        'ConditionalLikelihood(..., dequantise=True); or make them floating.'
      )

  def _check_width(self, joined: Any) -> None:
    """Raises ValueError unless these are rows of contexts and points, as far as is known."""
    shape = getattr(joined, 'shape', None)
    if shape is None or (len(shape) and shape[-1] not in (None, self.row_size)):
      size = self.conditional.context_size
      raise ValueError(
        f'The data of a conditional density are {FORMS}, with O = {size} and N = '
        f'{self.row_size - size}; got {type(joined).__name__} of shape {shape}.'
      )

  def _split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
    observed, points = tf.split(x, [self.conditional.context_size, -1], axis=-1)
    encoder = self.conditional.encoder
    context = tf.cast(observed, self.bijector.dtype)
    return points, context if encoder is None else encoder(context)

  def _class_loss(
    self,
    x: tf.Tensor,
    y: tf.Tensor,
    log_prob: tf.Tensor,
    z: tf.Tensor,
    seed: seeds.PerSample,
    weights: tf.Tensor,
  ) -> tf.Tensor:
    """-weight ln P(k | x) of rows [o_k, x] with latents z, [b]."""
    if self.discrimination is None:
      return super()._class_loss(x, y, log_prob, z, seed, weights)
    contexts = tf.constant(self.discrimination.contexts, self.bijector.dtype)
    encoder = self.conditional.encoder

    def flow(repeats: int = 1) -> Any:
      numbers = tf.repeat(seed.numbers, repeats)  # The same draws for a point under every class.
      own = self.flow(dataclasses.replace(seed, numbers=numbers))
      return own.copy(bijector=classes.given_part(own.bijector))

    def log_probs(points: tf.Tensor, codes: tf.Tensor, repeats: int = 1) -> tf.Tensor:
      return distributions.solve(flow(repeats), points, reverse=True, context=codes)[0]

    def coarse_log_probs(points: tf.Tensor, codes: tf.Tensor, repeats: int) -> tf.Tensor:
      coarse = flow(repeats)
      coarse = coarse.copy(bijector=classes.coarser(coarse.bijector))
      return distributions.solve(coarse, points, reverse=True, context=codes)[0]

    if classes.given_part(self.bijector) is not self.bijector:  # All classes share the rest.
      _, context = self._split(x)
      y = distributions.solve(flow(), z, context=context)[1].x
      log_prob = log_probs(y, context)  # By the very steps of the other classes.
    cross_entropy = self.discrimination.cross_entropy(
      self.discrimination.classes(x[:, : self.conditional.context_size]),
      y,
      log_prob,
      codes=contexts if encoder is None else encoder(contexts),
      log_prob=log_probs,
      coarse_log_prob=coarse_log_probs,
    )
    self._cross_entropy.update_state(cross_entropy, weights)
    return tf.cast(self.discrimination.weight, log_prob.dtype) * cross_entropy

  def _check_classes(self, discrimination: Discrimination) -> None:
    """Raises an error unless it has the flow's contexts, and the flow normalises no batches."""
    if not isinstance(discrimination, Discrimination):
      raise TypeError(
        '`discrimination` must be a training.Discrimination(contexts, weight=...), got '
        f'{type(discrimination).__name__}.'
      )
    size = discrimination.contexts.shape[-1]
    if size != self.conditional.context_size:
      raise ValueError(
        f'`discrimination` has contexts of {size} numbers, and the density takes '
        f'{self.conditional.context_size}.'
      )
    if isinstance(self.bijector, distributions.FlowChain) and self.bijector.normalises:
      raise ValueError(
        '`discrimination` and batch normalisation: points under other classes would have '
        'statistics of their own; leave one of them out.'
      )

  def _is_quantised(self, x: tf.Tensor) -> bool:
    return self.dequantise and self._cell_sizes() is None


def _flat(part: Any, size: int, name: str) -> tf.Tensor:
  """Rows [b, size] of [b, ...]; the numbers in them are checked with those of other data."""
  rows.check_dense(part)
  part = tf.convert_to_tensor(part)
  known = part.shape.rank is not None and part.shape[1:].is_fully_defined()
  if known and math.prod(part.shape[1:]) != size:
    raise ValueError(f'`{name}` must be rows of {size} numbers, got shape {part.shape}.')
  return tf.reshape(part, [-1, size])


def _names(batch: Any) -> set[str]:
  return set(batch) if isinstance(batch, Mapping) else set()


def _parts(batch: Any) -> tuple[Any, Any, Any]:
  """Contexts, points and weights of a batch, None for no weights."""
  if _names(batch) and _names(batch) <= {'context', 'x', 'sample_weight'}:
    return batch['context'], batch['x'], batch.get('sample_weight')
  if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
    raise ValueError(f'The data of a conditional density are {FORMS}; got {type(batch).__name__}.')
  context, x, *weights = batch
  if not tf.is_tensor(x) and len(context) != len(x):
    raise ValueError(
      f'Contexts and points must be as many, got {len(context)} contexts and {len(x)} points.'
    )
  return context, x, weights[0] if weights else None
