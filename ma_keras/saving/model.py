"""A trained model: a flow, and what stands between it and the data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import data
from ma_keras.data.context_columns import ContextColumn
from ma_keras.distributions import (
  ConditionalFlow,
  FlowChain,
  conditions,
  data_space_flow,
  flow_from,
)
from ma_keras.distributions.flow_chain import event_size
from ma_keras.saving import chains


@dataclasses.dataclass(frozen=True)
class Model:
  """A flow, and what stands between it and the data.

  Attributes:
    bijector: The flow of R^N, a chain of flows, or the optimal map.
    preprocessing: TFP bijector y -> x to data: `data.Pixels`, `data.ColumnMaps`, a chain of those
      in `tfp_bijectors`, or None.
    event_shape: Of one data point, (28, 28, 1) say; None for [N].
    notes: What is known of the model: where its data come from, how good it is, who made it.
    base: p(y, 0), one of `ma_keras.bases`; None for Normal(0, I).
    columns: Names of the N columns of a table, in order; None where they have none.
    encoder: `Encoder` or Keras model [B, O] -> [B, C] of the contexts of a conditional density;
      None for C numbers as they are.
    contexts: O context columns of a table, in order; None where nothing is known of them.
  """

  bijector: Any
  preprocessing: tfp.bijectors.Bijector | None = None
  event_shape: tuple[int, ...] | None = None
  notes: dict[str, Any] = dataclasses.field(default_factory=dict)
  base: Any = None
  columns: tuple[str, ...] | None = None
  encoder: Any = None
  contexts: tuple[ContextColumn, ...] | None = None

  @property
  def event_size(self) -> int:
    """N."""
    return event_size(self.bijector)

  @property
  def is_conditional(self) -> bool:
    """Tells if densities are those under a context: `flow().log_prob(x, context=o)`."""
    return conditions.context_size(self.bijector) is not None

  @property
  def levels(self) -> int | None:
    """Number of values of a pixel, 0..levels-1; None of data that are not quantised."""
    pixels = self.preprocessing
    return int(pixels.config()['levels']) if isinstance(pixels, data.Pixels) else None

  def latent_flow(self) -> Any:
    """The density of y in R^N, where likelihoods are usually compared (logit space of images)."""
    return self._conditional(flow_from(self.base, self.bijector))

  def flow(self) -> Any:
    """The density of the data x: images go in and come out."""
    if self.preprocessing is None:
      return self.latent_flow()
    return self._conditional(
      data_space_flow(self.bijector, self.preprocessing, self.event_shape, self.base)
    )

  def _conditional(self, flow: Any) -> Any:
    """Returns the flow with methods that take `context`, if its potential takes one."""
    if not self.is_conditional and self.encoder is None:
      return flow
    return ConditionalFlow(flow.distribution, flow.bijector, self.encoder)


def ordered_variables(thing: Any) -> list[tf.Variable]:
  """Variables of its potential, each once, in an order that depends on the structure alone."""
  if isinstance(thing, FlowChain):
    return chains.variables(thing)
  return list(getattr(thing, 'potential', thing).variables)


def check_contexts(model: Model) -> None:
  """Raises ValueError unless the context columns are as many as the flow is given."""
  size, contexts = conditions.context_size(model.latent_flow()), model.contexts or ()
  if len(contexts) != size or len({column.name for column in contexts}) != size:
    raise ValueError(f'its `contexts` are not {size} different columns, as its flow is given')


def check_event(
  size: int, preprocessing: Any, shape: tuple[int, ...] | None, columns: tuple[Any, ...] | None
) -> None:
  """Raises ValueError where shape, scales or names of columns are not those of N numbers."""
  if shape is not None and math.prod(shape) != size:
    raise ValueError(f'`event_shape` {list(shape)} has not the {size} numbers of its potential')
  tabular = isinstance(preprocessing, data.Standardised | data.ColumnMaps)
  if tabular and len(preprocessing.parameters['mean']) != size:
    raise ValueError(f'its `mean` has not the {size} numbers of its potential')
  if columns is not None and not (
    len(columns) == size == len(set(columns)) and all(isinstance(name, str) for name in columns)
  ):
    raise ValueError(f'its `columns` are not {size} different names')


def check_finite(arrays: dict[str, np.ndarray]) -> None:
  """Raises ValueError if an array holds NaN or infinity."""
  for name, array in arrays.items():
    if not np.all(np.isfinite(array)):
      raise ValueError(f'{name} of the model, of shape {list(array.shape)}, holds NaN or infinity')
