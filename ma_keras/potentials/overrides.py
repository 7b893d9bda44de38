"""Definition of phi that is in force where subclasses replace parts of a potential.

A class may define phi by its value (`__call__`), its gradient (`_gradient`) and the pair of
gradient and Laplacian (`_gradient_and_laplacian`). The closed forms of a class stand for its own
`__call__` and for no subclass's: the definition of the most derived class is in force, and what it
leaves open follows from it by gradient tapes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ma_keras.potentials import autodiff
from ma_keras.potentials.time_basis import untabulated

if TYPE_CHECKING:
  from ma_keras.potentials.base import Potential
  from ma_keras.potentials.units import Units

VALUE, GRADIENT, PAIR = '__call__', '_gradient', '_gradient_and_laplacian'
TIME = '_time_derivative'
# Methods that say nothing of the value of phi: a shortcut stands for it whatever they do,
ABOUT_THE_OBJECT = {
  *('config', 'dtype', 'check_variables', 'with_laplacian', 'with_seed'),
  *('time_derivative', TIME),
}
# and those that say how a flow meets phi, of which closed forms know nothing.
ABOUT_THE_FLOW = {
  *('prepared', 'on_interval', 'frame', 'for_rows', 'units', 'self_contained'),
  *('over_parts', 'given', 'context_size', 'context', 'needs_context'),
}


def gradient(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """grad phi(t, x), [..., N], by the definition in force."""
  definition = _definition(potential, GRADIENT, PAIR)
  if _is_public(potential, 'gradient_and_laplacian'):
    return _beneath(potential).gradient_and_laplacian(t, x)[0]
  if definition == VALUE:
    return autodiff.gradient(potential, t, x)
  return potential._gradient(t, x) if definition == GRADIENT else _pair(potential, t, x)[0]


def gradient_and_laplacian(
  potential: Potential, t: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """(grad phi [..., N], laplacian phi [...]) by the definition in force."""
  definition = _definition(potential, PAIR, GRADIENT)
  if _is_public(potential, 'gradient'):
    velocity, laplacian = autodiff.with_divergence(_public_gradient, potential, t, x)
  elif definition == GRADIENT:
    velocity, laplacian = autodiff.with_divergence(_own_gradient, potential, t, x)
  else:
    velocity, laplacian = (
      autodiff.gradient_and_laplacian(potential, t, x)
      if definition == VALUE
      else _pair(potential, t, x)
    )
  if _is_public(potential, 'laplacian'):
    laplacian = _beneath(potential).laplacian(t, x)
  return velocity, laplacian


def time_derivative(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """d phi/dt [...]: the closed form, unless a subclass has changed the value it stands for.

  Raises:
    ValueError: A subclass defines the gradient anew, and not the value that it is the gradient of.
  """
  gradients = (GRADIENT, PAIR, 'gradient', 'gradient_and_laplacian')
  if min(_depth(potential, name) for name in gradients) < _depth(potential, VALUE):
    raise ValueError(
      f'{type(potential).__name__} defines its gradient, and d phi/dt needs the value: define '
      '__call__ as well.'
    )
  replaced = _depth(potential, VALUE) < _depth(potential, TIME)
  if replaced or is_replaced(potential, TIME, frozenset(ABOUT_THE_FLOW)):
    return autodiff.time_derivative(untabulated(potential), t, x)
  return potential._time_derivative(t, x)


def units(potential: Potential) -> Units | None:
  """The hidden layer of a potential, unless a subclass changes what the layer stands for."""
  if potential._laplacian_method is not None or is_replaced(potential, 'units'):
    return None
  return potential.units()


def is_self_contained(potential: Potential) -> bool:
  """Tells if phi is known to depend on t, x and the variables alone."""
  declared = potential.self_contained and not is_replaced(potential, 'self_contained')
  return declared and potential._laplacian_method is None


def is_replaced(potential: Potential, shortcut: str, besides: frozenset[str] = frozenset()) -> bool:
  """Tells if a class below the one that defines `shortcut` overrides a method of it.

  Args:
    potential: The potential.
    shortcut: Name of an attribute that stands for the other methods of its class.
    besides: Names that may be overridden without harm, beyond `ABOUT_THE_OBJECT`.
  """
  owner = _depth(potential, shortcut)
  above = type(potential).__mro__[owner:] if owner >= 0 else ()
  return any(
    name not in besides and any(name in vars(kind) for kind in above)
    for name in _methods_below(potential, owner)
  )


def _definition(potential: Potential, preferred: str, other: str) -> str:
  """The name of the definition in force; of two closed forms of one class, the preferred."""
  closed = min((preferred, other), key=functools.partial(_depth, potential))
  value, form = _depth(potential, VALUE), _depth(potential, closed)
  helpers_replaced = value == form and is_replaced(potential, closed, frozenset(ABOUT_THE_FLOW))
  return VALUE if value < form or helpers_replaced else closed


def _public_gradient(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  return _beneath(potential).gradient(t, x)


def _own_gradient(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  return potential._gradient(t, x)


def _pair(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  return potential._gradient_and_laplacian(t, x)


def _is_public(potential: Potential, name: str) -> bool:
  """Tells if a public method is overridden, below all closed forms, and not called by one such."""
  if not potential._public_methods_in_force:
    return False
  depth = _depth(potential, name)
  below_closed_forms = depth < min(_depth(potential, GRADIENT), _depth(potential, PAIR))
  return below_closed_forms and depth <= _depth(potential, VALUE)


def _beneath(potential: Potential) -> Potential:
  """A twin to call an overridden public method on: what it calls in turn is not that method."""
  return potential._twin(_public_methods_in_force=False)


def _depth(potential: Potential, name: str) -> int:
  """Place in the method resolution order of the class that defines `name`; -1: the object does."""
  if name in vars(potential):
    return -1
  return next(k for k, kind in enumerate(type(potential).__mro__) if name in vars(kind))


def _methods_below(potential: Potential, owner: int) -> Iterator[str]:
  """Names of the methods that the object and the classes before number `owner` define."""
  for name, value in vars(potential).items():
    if owner >= 0 and callable(value) and hasattr(type(potential), name):
      yield name
  for kind in type(potential).__mro__[: max(owner, 0)]:
    for name, value in vars(kind).items():
      about_values = name == VALUE or not name.startswith('__')
      neutral = name in ABOUT_THE_OBJECT or name.startswith('start_')
      if about_values and not neutral and _is_method(value):
        yield name


def _is_method(value: Any) -> bool:
  kinds = (property, staticmethod, classmethod, functools.cached_property)
  return callable(value) or isinstance(value, kinds)
