"""One file for a model: what it is made of and its weights, without a line of code in it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from ma_keras.distributions import ConditionalFlow, FlowChain
from ma_keras.distributions.encoder import Encoder
from ma_keras.distributions.flow_chain import event_size
from ma_keras.files import archive
from ma_keras.files.replacing import replacing
from ma_keras.saving import chains, descriptions, encoders
from ma_keras.saving.model import (
  Model,
  check_contexts,
  check_event,
  check_finite,
  ordered_variables,
)
from ma_keras.saving.model_reading import CHAIN_FORMAT, FORMAT, MAP_FORMAT, load
from ma_keras.transport import BrenierMap

__all__ = ['Model', 'load', 'save']


def save(path: str | pathlib.Path, model: Model) -> None:
  """Writes the model as a .npz of its variables and one JSON string; beside, then renamed.

  Args:
    path: The file.
    model: Its potential must have a `config()`: those of this package do.

  Raises:
    NotImplementedError: A part of it is none of this package's, or has no plain values.
    ValueError: A part with weights stands in two places, a weight is NaN or infinite, `event_shape`
      or `columns` are not those of N numbers, `notes` are no plain values, or `encoder` and
      `contexts` do not fit the potential.
  """
  bijector, encoder = model.bijector, _encoder(model)
  arguments: list[np.ndarray] = []
  described = {
    **_bijector_described(bijector, arguments),
    'dtype': bijector.dtype.name,
    'preprocessing': descriptions.describe(model.preprocessing, arguments),
    'event_shape': model.event_shape and list(model.event_shape),
    'notes': model.notes,
    'base': descriptions.describe(model.base, arguments),
    'columns': model.columns and list(model.columns),
    **_conditional_described(model, encoder),
  }
  descriptions.check_distinct(getattr(bijector, 'potential', None))
  arrays = {f'variable_{k}': v.numpy() for k, v in enumerate(ordered_variables(bijector))}
  arrays |= {f'array_{k}': np.asarray(array, np.float64) for k, array in enumerate(arguments)}
  encoder_arrays = encoders.weights(encoder) if encoder else []
  arrays |= {f'encoder_{k}': array for k, array in enumerate(encoder_arrays)}
  check_finite(arrays)
  check_event(event_size(bijector), model.preprocessing, model.event_shape, model.columns)
  text = _json(described)
  large = sum(array.nbytes for array in arrays.values()) > archive.MOST_BYTES // 2
  write = np.savez if large else np.savez_compressed  # Weights hardly become smaller.
  with replacing(pathlib.Path(path)) as beside, beside.open('wb') as file:
    write(file, model=text, **arrays)


def _encoder(model: Model) -> Encoder | None:
  """The encoder of a conditional density; raises ValueError where it is of another."""
  flow = model.latent_flow()
  return flow.encoder if isinstance(flow, ConditionalFlow) else None


def _conditional_described(model: Model, encoder: Encoder | None) -> dict[str, Any]:
  """Facts about the contexts; none where there are none."""
  described: dict[str, Any] = {}
  if encoder is not None:
    described['encoder'] = encoders.describe(encoder)
  if model.contexts is not None:
    check_contexts(model)
    described['contexts'] = [column.config() for column in model.contexts]
  return described


def _bijector_described(bijector: Any, arguments: list[np.ndarray]) -> dict[str, Any]:
  """The flow with its steps, or the map."""
  if isinstance(bijector, BrenierMap):
    return {'format': MAP_FORMAT, 'map': descriptions.describe(bijector, arguments)}
  if isinstance(bijector, FlowChain):
    return {'format': CHAIN_FORMAT, 'chain': chains.describe(bijector, arguments)}
  return {'format': FORMAT, **chains.describe_flow(bijector, arguments)}


def _json(described: dict[str, Any]) -> str:
  """The description as text; NumPy's numbers in the notes become plain ones."""
  try:
    return json.dumps(described, default=lambda value: value.tolist())
  except (AttributeError, TypeError, ValueError) as error:
    raise ValueError(
      f'`notes` must hold plain values, numbers, strings, lists and dictionaries: {error}.'
    ) from error
