"""Densities p(x | c), whose flow is given a context."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import conditions, flows
from ma_keras.distributions.encoder import Encoder
from ma_keras.distributions.flow_distribution import FlowDistribution

tfb = tfp.bijectors


class ConditionalFlow(FlowDistribution):
  """p(x | o): x = bijector(z; c), c = encoder(o), z of the base.

  Every method of the distribution takes o as `context`:

  ```python
  flow.log_prob(x, context=o)  # [...] of x [..., N] and o [..., O], or one o [O] for all.
  flow.sample(context=o)  # One sample for every o [B, O],
  flow.sample([100, B], context=o)  # or a hundred.
  flow.given(o[0]).sample(100)  # A flow without context.
  ```

  Attributes:
    encoder: `Encoder` of the Keras model; None where o is the context itself.
    context_size: O.
  """

  def __init__(
    self,
    distribution: Any,
    bijector: Any,
    encoder: Any = None,
    validate_args: bool = False,
    parameters: dict[str, Any] | None = None,
    name: str | None = None,
  ) -> None:
    """Joins base, flow and encoder: see `conditional_flow`."""
    size = conditions.context_size(bijector)
    if size is None:
      raise ValueError(
        '`bijector` takes no context: give its potential a context_size, '
        'potentials.OneHiddenLayer(event_size, hidden_units, context_size=C).'
      )
    if encoder is not None and not isinstance(encoder, Encoder):
      encoder = Encoder(encoder, size, bijector.dtype or distribution.dtype)
    if parameters is None:  # With the encoder as it is now: TFP lists its variables.
      parameters = {name: value for name, value in locals().items() if name != 'size'}
    super().__init__(distribution, bijector, validate_args, parameters, name)
    self._kwargs_split_fn = self._split
    self.encoder = encoder
    self.context_size = size if encoder is None else encoder.input_size

  @classmethod
  def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
    return super()._parameter_properties(dtype, num_classes)

  def given(self, context: tf.Tensor) -> FlowDistribution:
    """Returns the density under one context o [O], as a flow without context."""
    encoded = self._encoded(context)
    return FlowDistribution(self.distribution, _given(self.bijector, encoded), name=self.name)

  def split(self) -> tuple[Any, ConditionalFlow]:
    """The outer part g of the bijector, which takes no context, and the density p' of the rest.

    p(x | o) = p'(g^-1(x) | o) |det dg^-1/dx|, so that many contexts of a point take one solve of g.
    g is the identity where the outermost part takes a context.
    """
    outer, given = conditions.outer_and_given(self.bijector)
    rest = tfb.Chain(given) if len(given) > 1 else given[0]
    return tfb.Chain(outer), ConditionalFlow(self.distribution, rest, self.encoder)

  def bijector_options(self, context: tf.Tensor) -> dict[str, Any]:
    """Keyword arguments that hand o [..., O] to the bijector's own methods."""
    return conditions.options(self.bijector, self._encoded(context))

  def _call_sample_n(self, sample_shape: Any, seed: Any, **options: Any) -> tf.Tensor:
    return super()._call_sample_n(self._sample_shape(sample_shape, options), seed, **options)

  def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **options: Any) -> Any:
    return super()._sample_and_log_prob(self._sample_shape(sample_shape, options), seed, **options)

  def _sample_shape(self, sample_shape: Any, options: dict[str, Any]) -> Any:
    """The leading shape of the contexts where no other is asked for."""
    context = options.get('context')
    if context is None or tf.convert_to_tensor(sample_shape).shape != [0]:
      return sample_shape
    return tf.shape(context)[:-1]

  def _split(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the base and of the bijector, of those of a method."""
    own = dict(options)
    context = own.pop('context', None)
    of_bijector = dict(own.pop('bijector_kwargs', {}))
    if context is None and not of_bijector:
      raise ValueError(
        f'`context` is missing: {self.name} is p(x | o), o of {self.context_size} numbers. Pass '
        'flow.log_prob(x, context=o), or take flow.given(o) for the density under one o.'
      )
    if context is not None:
      of_bijector |= self.bijector_options(context)
    return own.pop('distribution_kwargs', {}), of_bijector

  def _encoded(self, context: tf.Tensor) -> tf.Tensor:
    return context if self.encoder is None else self.encoder(context)


def conditional_flow(
  bijector: MongeAmpereBijector,
  encoder: Any = None,
  base: Any = None,
  name: str = 'conditional_flow',
) -> ConditionalFlow:
  """p(x | o), the density of a flow that is given the context c = encoder(o).

  Args:
    bijector: Flow along a potential with `context_size=C`.
    encoder: tf_keras or Keras 3 model [B, O] -> [B, C], trained with the flow; None for c = o.
    base: Where the flow starts, as in `flow_from`; None: Normal(0, I).
    name: Name of the distribution.

  Returns:
    A `tfd.TransformedDistribution` whose methods take `context`.

  Raises:
    ValueError: The potential takes no context, or the encoder makes others.
  """
  base = flows.flow_from(base, bijector).distribution
  return ConditionalFlow(base, bijector, encoder, name=name)


def _given(bijector: Any, context: tf.Tensor) -> Any:
  """The bijector with every flow in it given that context."""
  if isinstance(bijector, MongeAmpereBijector):
    return bijector.given(context) if bijector.potential.needs_context else bijector
  if hasattr(bijector, 'bijectors'):  # A Chain, of whichever class TFP makes it.
    return bijector.copy(bijectors=[_given(part, context) for part in bijector.bijectors])
  if hasattr(bijector, 'bijector'):  # An Invert.
    return bijector.copy(bijector=_given(bijector.bijector, context))
  return bijector
