"""Copies of a potential that share its variables, each with something beside t and x."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import contexts, parts

if TYPE_CHECKING:
  from ma_keras.potentials.base import Potential

TwinsT = TypeVar('TwinsT', bound='Twins')


class Twins:
  """The part of a `Potential` that a flow calls to fit it to a solve: contexts, draws, steps.

  Every method returns a potential of the same variables, and reaches the potentials among its
  attributes as well: see `parts`.
  """

  _context_size: int | None = None
  _context: tf.Tensor | None = None
  _laplacian_method: Any
  dtype: Any
  with_laplacian: Callable[..., Any]

  @property
  def context_size(self) -> int | None:
    """C, the length of the context that phi or a potential within depends on; None for none."""
    sizes = [self._context_size, *(child.context_size for child in parts.children(self))]
    return next((size for size in sizes if size is not None), None)

  @property
  def context(self) -> tf.Tensor:
    """c, the context that `given` put beside the points, [..., C].

    Raises:
      ValueError: None was given.
    """
    if self._context is None:
      raise ValueError(
        f'{type(self).__name__} depends on a context of {self.context_size} numbers, and none was '
        'given: pass potential.given(context), bijector.forward(x, context=context) or '
        "flow.log_prob(x, bijector_kwargs={'context': context})."
      )
    return self._context

  @property
  def needs_context(self) -> bool:
    """True where a context is still to be given."""
    lacks = self._context_size is not None and self._context is None
    return lacks or any(child.needs_context for child in parts.children(self))

  def over_parts(self, change: Callable[[Potential], Potential]) -> Any:
    """Returns the potential with `change` made to all potentials among its attributes.

    A potential around no others, or one in which nothing changes, returns itself.
    """
    changed = parts.changed(self, change)
    return self._twin(**changed) if changed else self

  def given(self: TwinsT, context: tf.Tensor) -> TwinsT:
    """Returns phi(., . | c), sharing the variables, with contexts beside its points.

    Derivatives by the context, and by whatever computed it, are had in every gradient mode.

    Args:
      context: c, shape [..., C]; its leading axes are those of x or broadcast to them. A row for
        every point, or one for all.

    Raises:
      ValueError: The potential takes no context, or one of another length.
      TypeError: The context has another floating dtype.
    """
    context = self.checked_context(context)
    twin = self.over_parts(lambda part: part if part.context_size is None else part.given(context))
    if self._context_size is None:
      return twin
    # What `prepared` computed was of another context.
    anew = {name: None for name in vars(self) if name.startswith('_prepared')}
    return twin._twin(_context=context, **anew)

  def checked_context(self, context: tf.Tensor) -> tf.Tensor:
    """Returns the context as a tensor [..., C] of the potential's dtype.

    Raises:
      ValueError: The potential takes no context, or one of another length.
      TypeError: The context has another floating dtype.
    """
    size = self.context_size
    if size is None:
      raise ValueError(
        f'{type(self).__name__} takes no `context`: build it with context_size=C, the length of '
        'one context.'
      )
    return contexts.checked(context, size, self.dtype or tf.float32)

  def with_seed(self, seed: seeds.Seed) -> Potential:
    """Returns the potential with other random draws, sharing its variables.

    What is random is the Laplacian's probe, or the group elements of
    `symmetry.OneElementPerInterval`; a deterministic potential returns itself. Training draws
    anew for every batch.
    """
    children = parts.children(self)
    keys = iter(seeds.split(seed, len(children), salt='sum') if children else ())
    return self.over_parts(lambda part: part.with_seed(next(keys)))._with_probes(seed)

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Potential:
    """Returns the potential for some rows of a batch, with the draws that they have in all of it.

    A flow that takes its points some at a time asks for it. Most potentials draw nothing and
    return themselves.

    Args:
      rows: Numbers of the rows in the batch, int32 [b].
      batch_size: B, an int or int32 [].
    """
    twin = self.over_parts(lambda part: part.for_rows(rows, batch_size))
    if twin._context is not None and twin._context.shape.rank > 1:
      twin = twin._twin(_context=tf.gather(twin._context, rows))
    chosen = getattr(self._laplacian_method, 'for_rows', None)
    return twin if chosen is None else twin.with_laplacian(chosen(rows, batch_size))

  def prepared(self, times: tf.Tensor | None = None) -> Potential:
    """Returns the potential with what does not depend on x computed once.

    The flow calls this before its loop over steps. An override returns a twin that holds tensors
    among its attributes: the flow has derivatives by them. The default prepares the potentials
    within.

    Args:
      times: Times [T] at which phi is going to be asked for, or None where they are unknown.
    """
    return self.over_parts(lambda part: prepared(part, times))

  def on_interval(self, start: tf.Tensor, stop: tf.Tensor) -> Potential:
    """The potential in force on one integration step [start, stop], both of shape [].

    All stages of a step see this one. The default is the potential itself, of potentials in
    force; a random symmetry element per step is the exception (`symmetry.OneElementPerInterval`).
    """
    return self.over_parts(lambda part: part.on_interval(start, stop))

  def _with_probes(self, seed: seeds.Seed) -> Any:
    """The potential with other draws in its Laplacian method."""
    reseed = getattr(self._laplacian_method, 'with_seed', None)
    return self if reseed is None else self.with_laplacian(reseed(seed))

  def _twin(self: TwinsT, **attributes: object) -> TwinsT:
    """A shallow copy, sharing the variables, with some attributes replaced."""
    twin = copy.copy(self)
    for name, value in attributes.items():
      # Around tf.Module's tracking, whose tables the shallow copy shares with the original:
      # there the children of the original stay, and with them the checkpoint of both.
      object.__setattr__(twin, name, value)
    return twin


def prepared(potential: Potential, times: tf.Tensor | None) -> Potential:
  """The prepared potential, of a class too whose own `prepared` asks for no times."""
  takes_times = inspect.signature(potential.prepared).parameters
  return potential.prepared(times) if takes_times else potential.prepared()
