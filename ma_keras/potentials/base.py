"""The scalar potential phi(t, x) whose gradient moves the fluid, and sums of such."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.potentials import autodiff, contexts, overrides
from ma_keras.potentials.time_basis import untabulated
from ma_keras.potentials.twins import Twins
from ma_keras.potentials.units import Units

PotentialT = TypeVar('PotentialT', bound='Potential')


class LaplacianMethod(Protocol):
  """How to get (grad phi, laplacian phi) from a potential: see `Potential.with_laplacian`."""

  def __call__(
    self, potential: Potential, t: tf.Tensor, x: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns grad phi [..., N] and laplacian phi [...] at time t [] and points x [..., N]."""


class Frame(NamedTuple):
  """phi(x) = phi~(g x) for an orthogonal map g of R^N.

  Attributes:
    potential: phi~.
    enter: x -> g x, [..., N] -> [..., N].
    leave: y -> g^-1 y, [..., N] -> [..., N].
  """

  potential: Potential
  enter: Callable[[tf.Tensor], tf.Tensor]
  leave: Callable[[tf.Tensor], tf.Tensor]


class Potential(Twins, tf.Module, abc.ABC):
  """A learnable scalar potential: dx/dt = grad phi, d ln p/dt = -laplacian phi. Eqs. (2)-(3).

  Write `__call__(t, x)` and nothing else: gradient and exact Laplacian then come from nested
  gradient tapes. Where closed forms are known, override `_gradient` and
  `_gradient_and_laplacian`, and `_time_derivative`. In a subclass of any potential the overridden
  definition is in force in every gradient mode, and what it leaves open follows from it: see
  `overrides`. Potentials add: `phi_1 + phi_2` is a potential.

  All methods take a scalar time `t` [] and points `x` [..., N], any leading rank.

  A conditional potential phi(t, x | c) is built with a `context_size` C, and `given(context)` has
  rows c [..., C] beside x: read `self.context` in the methods above. Potentials and tensors among
  the attributes, in tuples and lists as well, are met in every gradient mode: see `parts`.

  Attributes:
    event_size: N, the number of coordinates of one event.
    self_contained: Whether phi depends on t, x and the variables alone: on no random draws, no
      tensors from outside. A hand-written pass may then take it in (see `Sum.units`).
  """

  self_contained = False
  _public_methods_in_force = True

  def __init__(
    self, event_size: int, name: str | None = None, context_size: int | None = None
  ) -> None:
    """Checks and keeps the event size N.

    Args:
      event_size: N, a positive integer.
      name: Module name.
      context_size: C, where phi depends on a context; the sizes of potentials within count too.

    Raises:
      ValueError: `event_size` or `context_size` is not a positive integer.
    """
    super().__init__(name=name)
    if not is_whole(event_size):
      raise ValueError(
        f'`event_size` must be a positive integer, got {event_size}. It is N, the length of '
        'one event: 784 for 28 x 28 images, side * side for a lattice.'
      )
    self.event_size = int(event_size)
    self._context_size = contexts.checked_size(context_size)
    self._laplacian_method: LaplacianMethod | None = None

  def config(self) -> dict[str, Any]:
    """The constructor's arguments, as plain numbers, strings, lists and bases of time.

    What `model_file.save` writes; a potential of your own needs none unless it is to be saved so.

    Raises:
      NotImplementedError: The class has no such description.
    """
    raise NotImplementedError(
      f'{type(self).__name__} has no config(): define one that returns its constructor arguments, '
      'or save its variables by tf.train.Checkpoint.'
    )

  @abc.abstractmethod
  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns phi(t, x), shape [...]; the value at a point may not depend on other points."""

  @property
  def dtype(self) -> tf.DType | None:
    """Floating dtype of the variables, or None for a potential without any.

    Raises:
      ValueError: The variables have several.
    """
    dtypes = sorted({v.dtype.name for v in self.variables if v.dtype.is_floating})
    if len(dtypes) > 1:
      raise ValueError(f'Variables of one potential must share one dtype, got {dtypes}.')
    return tf.as_dtype(dtypes[0]) if dtypes else None

  @property
  def laplacian_method(self) -> LaplacianMethod | None:
    """The method that `with_laplacian` put in place of the potential's own, or None."""
    return self._laplacian_method

  def check_variables(self) -> None:
    """Meets Keras 3 layers among the attributes, whose variables would silently not be trained.

    Raises:
      TypeError: There are some: they are no tf.Modules, and their variables no tf.Variables.
    """
    for module in (self, *self.submodules):
      for name, value in vars(module).items():
        if not getattr(module, 'adapts_keras', False) and _is_hidden_from_modules(value):
          raise TypeError(
            f'{type(module).__name__}.{name} is a Keras 3 {type(value).__name__}, whose variables '
            'tf.Module does not see: use a tf_keras layer, or potentials.KerasModel.'
          )

  def gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Velocity grad phi(t, x), shape [..., N]. Eq. (2)."""
    return overrides.gradient(self, *self._checked(t, x))

  def time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """d phi/dt at fixed points, shape [...]; zero for a potential that does not vary in time."""
    return overrides.time_derivative(self, *self._checked(t, x))

  def laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Divergence of the velocity, tr(Hessian phi)(t, x), shape [...]. Eq. (3)."""
    return self.gradient_and_laplacian(t, x)[1]

  def gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The pair (grad phi [..., N], laplacian phi [...]), sharing their common work."""
    t, x = self._checked(t, x)
    if self._laplacian_method is not None:
      return self._laplacian_method(self, t, x)
    return overrides.gradient_and_laplacian(self, t, x)

  def with_laplacian(self: PotentialT, method: LaplacianMethod | None) -> PotentialT:
    """Returns the potential, sharing its variables, with another Laplacian.

    The object keeps its class and its attributes, so a checkpoint of one restores the other.

    Args:
      method: For example `Hutchinson(seed=0)`, or `autodiff.gradient_and_laplacian` for nested
        tapes where a closed form exists; None for the potential's own.
    """
    return self._twin(_laplacian_method=method)

  def frame(self) -> Frame:
    """Coordinates y = g x in which one step is best taken; by default those of x itself.

    Runge-Kutta steps commute with linear maps, so a step of phi~(g x) may be taken as one of
    phi~(y): g then acts once per step and not once per stage.
    """
    return Frame(self, _identity, _identity)

  def units(self) -> Units | None:
    """The hidden layer of a potential that has one, for flows that know how to use it.

    It stands for the other methods of its class. Where a subclass overrides one of those and not
    this, no flow asks for it: see `overrides.units`.
    """
    return None

  def __add__(self, other: Potential) -> Sum:
    """phi_1 + phi_2: gradients and Laplacians add, since Eqs. (2)-(3) are linear in phi."""
    if not isinstance(other, Potential):
      return NotImplemented
    return Sum((self, other))

  def __radd__(self, other: object) -> Potential:
    """0 + phi, so that `sum(potentials)` works."""
    return self if other == 0 else NotImplemented

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Override with a closed form of grad phi."""
    return autodiff.gradient(self, t, x)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Override with a closed form of (grad phi, laplacian phi)."""
    return autodiff.gradient_and_laplacian(self, t, x)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Override with a closed form of d phi/dt."""
    return autodiff.time_derivative(untabulated(self), t, x)

  def _checked(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x = tf.convert_to_tensor(x, dtype_hint=self.dtype or tf.float32)
    if x.shape.rank == 0 or x.shape[-1] != self.event_size:
      raise ValueError(
        f'`x` must have shape [..., {self.event_size}], got {x.shape}: its last axis is the '
        f'event, and this potential has event_size={self.event_size}.'
      )
    return tf.convert_to_tensor(t, dtype=x.dtype), x


class Sum(Potential):
  """phi(t, x) = sum_k phi_k(t, x); so are its gradient and its Laplacian.

  Each term keeps its own closed form or Laplacian method. Usually written `phi_1 + phi_2`.

  Attributes:
    terms: The potentials phi_k, sums among them flattened.
  """

  def __init__(self, terms: Sequence[Potential], name: str | None = None) -> None:
    """Flattens nested sums and checks that all terms share one event size.

    Args:
      terms: At least one potential.
      name: Module name.

    Raises:
      TypeError: A term is no potential.
      ValueError: There are no terms, or their event sizes, context sizes or dtypes differ.
    """
    if not isinstance(terms, Sequence) or not all(isinstance(term, Potential) for term in terms):
      raise TypeError(f'`terms` must be a list of potentials, got {terms!r}.')
    sizes = sorted({term.event_size for term in terms})
    if len(sizes) != 1:
      raise ValueError(f'`terms` must share one event_size, got {sizes}.')
    dtypes = sorted({term.dtype.name for term in terms if term.dtype is not None})
    if len(dtypes) > 1:
      raise ValueError(f'`terms` must share one dtype, got {dtypes}: build them with the same.')
    super().__init__(sizes[0], name=name)
    self.terms = tuple(leaf for term in terms for leaf in _leaves(term))
    sizes = sorted({size for term in self.terms if (size := term.context_size) is not None})
    if len(sizes) > 1:
      raise ValueError(f'`terms` must share one context_size, or have none, got {sizes}.')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'terms': list(self.terms)}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return _added([term(t, x) for term in self.terms])

  def units(self) -> Units | None:
    """Units of the widest hidden layer among the terms, the other terms being the rest.

    None where there is no layer at rest, or where another term is not self-contained.
    """
    if self._laplacian_method is not None:
      return None
    by_term = {k: overrides.units(term) for k, term in enumerate(self.terms)}
    layers = {k: units for k, units in by_term.items() if units is not None and units.at_rest}
    if not layers:
      return None
    widest = max(layers, key=lambda k: layers[k].kernel.shape[1])
    further_terms = [term for k, term in enumerate(self.terms) if k != widest]
    if not all(overrides.is_self_contained(term) for term in further_terms):
      return None
    own = layers[widest].rest  # Of a term that is a sum itself, within a wrapper or of a subclass.
    rest = further_terms if own is None else [own, *further_terms]
    return layers[widest]._replace(rest=Sum(rest)) if rest else layers[widest]

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return _added([term.gradient(t, x) for term in self.terms])

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    pairs = [term.gradient_and_laplacian(t, x) for term in self.terms]
    velocities, laplacians = zip(*pairs)
    return _added(velocities), _added(laplacians)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return _added([term.time_derivative(t, x) for term in self.terms])


def _is_hidden_from_modules(value: object) -> bool:
  """Tells if it is a layer or a model of Keras 3, of any subclass."""
  packages = {kind.__module__.split('.')[0] for kind in type(value).__mro__}
  return 'keras' in packages and hasattr(value, 'trainable_variables')


def _identity(x: tf.Tensor) -> tf.Tensor:
  return x


def _added(parts: Sequence[tf.Tensor]) -> tf.Tensor:
  """Not tf.add_n, which adds in the order in which buffers become free: see `determinism`."""
  return functools.reduce(tf.add, parts)


def _leaves(term: Potential) -> tuple[Potential, ...]:
  # A sum with a Laplacian method of its own, or of a subclass, is one term: flattening would lose
  # what is its own.
  if type(term) is Sum and term._laplacian_method is None:
    return term.terms
  return (term,)
