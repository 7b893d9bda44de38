"""Pickles and copies of the TFP distributions that a flow is put together from.

Classes of TFP whose `__new__` wants arguments can be neither pickled nor deep-copied (TFP 0.25:
"missing a required argument: 'distribution'"), and a flow is a `TransformedDistribution` of a
`Sample`. Here they are taken apart into class and constructor arguments, and made anew from those:
bijectors and distributions are immutable but for their variables, which are arguments, too.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

import tensorflow_probability as tfp

tfd, tfb = tfp.distributions, tfp.bijectors

CLASSES = (
  *(tfd.BatchBroadcast, tfd.BatchReshape, tfd.Independent, tfd.Masked, tfd.Mixture),
  *(tfd.MixtureSameFamily, tfd.MultivariateNormalDiag, tfd.MultivariateNormalFullCovariance),
  *(tfd.MultivariateNormalLinearOperator, tfd.MultivariateNormalTriL, tfd.QuantizedDistribution),
  *(tfd.Sample, tfd.TransformedDistribution, tfb.Blockwise, tfb.Invert),
)

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


def reduced(thing: Any) -> Reduced:
  """Answers pickle and deepcopy: how to call, with what, to get the same again."""
  return remade, (type(thing), dict(thing.parameters))


def remade(cls: Callable[..., Any], parameters: dict[str, Any]) -> Any:
  """An object of that class with those arguments."""
  return cls(**parameters)


def register() -> None:
  """Tells pickle and copy; the classes of TFP that are no composite tensors have names with _."""
  for cls in CLASSES:
    copyreg.pickle(cls, reduced)
    parent = cls.__mro__[1]
    if parent.__name__ == f'_{cls.__name__}':
      copyreg.pickle(parent, reduced)


register()
