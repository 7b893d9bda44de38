"""Potentials and tensors among the attributes of a potential, of any class.

A wrapper around other potentials passes on what they are given, prepared or seeded with; and
whatever tensors a potential holds are arguments of its flow, which has derivatives by them. Neither
needs a word from the class: its attributes are looked through, with their tuples, lists, dicts and
NamedTuples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
  from ma_keras.potentials.base import Potential
  from ma_keras.potentials.twins import Twins

TRACKING = '_self_'  # Attributes in which tf.Module keeps books, with the originals of twins.


def children(potential: Twins) -> list[Potential]:
  """Potentials that this one is made of, without theirs."""
  return [part for _, leaves in _leaves(potential) for part in leaves if _is_potential(part)]


def changed(potential: Twins, change: Callable[[Potential], Potential]) -> dict[str, Any]:
  """Attributes in which `change` of the potentials within makes a difference, as they are then."""
  return _replaced(potential, lambda leaf: change(leaf) if _is_potential(leaf) else leaf)


def tensors(potential: Twins) -> list[tf.Tensor]:
  """Floating tensors that the potential and those within hold: contexts, and what is prepared.

  Each of them once, whatever number of potentials holds it.
  """
  own = [part for _, leaves in _leaves(potential) for part in leaves if _is_tensor(part)]
  within = [part for child in children(potential) for part in tensors(child)]
  return list({id(part): part for part in own + within}.values())


def with_tensors(potential: Potential, values: Sequence[tf.Tensor]) -> Potential:
  """Returns the potential with other tensors in place of `tensors(potential)`, in their order."""
  new = {id(old): value for old, value in zip(tensors(potential), values, strict=True)}

  def change(part: Potential) -> Potential:
    own = _replaced(part, lambda leaf: new[id(leaf)] if _is_tensor(leaf) else leaf)
    return (part._twin(**own) if own else part).over_parts(change)

  return change(potential)


def _replaced(potential: Twins, change: Callable[[Any], Any]) -> dict[str, Any]:
  replaced = {}
  for name, leaves in _leaves(potential):
    new = [change(leaf) for leaf in leaves]
    if any(one is not other for one, other in zip(new, leaves)):
      replaced[name] = tf.nest.pack_sequence_as(vars(potential)[name], new)
  return replaced


def _leaves(potential: Twins) -> list[tuple[str, list[Any]]]:
  """Names of attributes, in order, and the leaves of each."""
  names = sorted(name for name in vars(potential) if not name.startswith(TRACKING))
  return [(name, tf.nest.flatten(vars(potential)[name])) for name in names]


def _is_tensor(leaf: Any) -> bool:
  return isinstance(leaf, tf.Tensor) and leaf.dtype.is_floating


def _is_potential(leaf: Any) -> bool:
  return hasattr(leaf, 'gradient_and_laplacian') and isinstance(leaf, tf.Module)
