"""How a context reaches the flow within a distribution, by TFP's keyword arguments."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.bijector import MongeAmpereBijector


def context_size(flow: Any) -> int | None:
  """C, the length of the context that a distribution or bijector is still to be given, or None.

  Raises:
    ValueError: Flows within it take contexts of several lengths.
  """
  own = getattr(flow, 'context_size', None)  # A ConditionalFlow, whose encoder takes others.
  if own is not None:
    return own
  sizes = {bijector.potential.context_size or 0 for bijector in _conditional(flow)}
  if len(sizes) > 1:
    raise ValueError(f'`flow` takes contexts of several lengths, {sorted(sizes)}: give them one.')
  return next(iter(sizes), None)


def options(bijector: Any, context: tf.Tensor) -> dict[str, Any]:
  """Keyword arguments that hand a context to all flows within a bijector.

  `flow.log_prob(x, bijector_kwargs=options(flow.bijector, c))`: {'context': c} for a flow, and
  {name: {'context': c}} where it is a part of a `Chain`, as TFP wants it.

  Raises:
    ValueError: A part of a chain that takes a context has the name of one that takes none.
  """
  if isinstance(bijector, MongeAmpereBijector):
    return {'context': context} if bijector.potential.needs_context else {}
  if hasattr(bijector, 'bijector'):  # An Invert.
    return options(bijector.bijector, context)
  parts = [(part.name, options(part, context)) for part in getattr(bijector, 'bijectors', ())]
  by_name = {name: arguments for name, arguments in parts if arguments}
  if shared := [name for name, arguments in parts if not arguments and name in by_name]:
    raise ValueError(
      f'Parts of a chain have one name, {shared[0]!r}, of which one takes a context and one does '
      "not, and TFP hands it to names: flow.copy(name='given')."
    )
  return by_name


def outer_and_given(bijector: Any) -> tuple[list[Any], list[Any]]:
  """Parts of a chain before the first that takes a context, and the parts from there on.

  The inverse passes the former first, which so are the same for all contexts. A bijector that is
  no chain is one part.
  """
  parts = _parts(bijector)
  first = next((k for k, part in enumerate(parts) if _conditional(part)), len(parts))
  return parts[:first], parts[first:]


def _parts(bijector: Any) -> list[Any]:
  """The parts of a chain, of chains within it as well."""
  if not hasattr(bijector, 'bijectors'):
    return [bijector]
  return [inner for part in bijector.bijectors for inner in _parts(part)]


def _conditional(flow: Any) -> list[MongeAmpereBijector]:
  modules = [flow, *flow.submodules]
  flows = [module for module in modules if isinstance(module, MongeAmpereBijector)]
  return [bijector for bijector in flows if bijector.potential.needs_context]
