"""Any Keras model as a potential."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import tensorflow as tf

from ma_keras.potentials import activations, deep
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import append


class KerasModel(Potential):
  """phi(t, x) = model(x)[..., 0], or of (x, t), (x, c), (x, t, c) with time t and context c.

  Works for tf_keras models and for Keras 3 models on the TensorFlow backend. The model must be
  smooth (softplus, tanh, gelu; not relu) and act on each sample alone (no batch normalisation
  in training mode; it is called with `training=False`).

  A `Sequential` of Dense layers with activations of `activations.JETS` has its gradient and exact
  Laplacian in closed form (see `potentials.deep`); those of any other model come from nested
  tapes, at N reverse passes per point, and a warning names the layer that is in the way.

  Attributes:
    adapts_keras: Its Keras 3 variables are seen to.
    model: The Keras model.
    time_dependent: Whether the time is an input feature after x.
  """

  adapts_keras = True
  # Layers hold further variables, a Normalization the count of what it adapted to, that Keras does
  # not list: tf.Module would, and an optimiser would look for their gradients.
  _TF_MODULE_IGNORED_PROPERTIES = frozenset({'model', *Potential._TF_MODULE_IGNORED_PROPERTIES})

  def __init__(
    self,
    model: Any,
    event_size: int,
    time_dependent: bool = False,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Wraps a built model.

    Args:
      model: tf_keras or Keras 3 model: [B, N (+ 1) (+ C)] -> [B, 1].
      event_size: N.
      time_dependent: Append t as feature N + 1.
      context_size: C, where a context is appended as the last C features.
      name: Module name.

    Raises:
      ValueError: The model is not built, or its output is not one number per sample.
    """
    super().__init__(event_size, name, context_size)
    self._width = event_size + int(time_dependent) + (context_size or 0)
    if not getattr(model, 'built', False):
      raise ValueError(
        f'`model` {getattr(model, "name", model)!r} has no variables yet: call '
        f'`model.build((None, {self._width}))`, or start it with an Input.'
      )
    if model.losses:
      warnings.warn(
        f'`model` has {len(model.losses)} regularisers, which no flow adds to its loss: leave them '
        'out, and use an optimiser with weight_decay, tf_keras.optimizers.AdamW.',
        stacklevel=2,
      )
    self.model = model
    self.time_dependent = time_dependent
    # Keras 3 layers are no tf.Modules, and their variables are wrappers: without this list the
    # bijector's trainable_variables would silently be empty.
    self._backing_variables = [backing_variable(v) for v in model.variables]
    self._check_output()

  def __getstate__(self) -> dict[str, Any]:
    """Returns a state to copy: Keras sees to the model, whose variables are listed anew."""
    tracking = ('_self_', '_backing_variables')
    return {k: v for k, v in vars(self).items() if not k.startswith(tracking)}

  def __setstate__(self, state: dict[str, Any]) -> None:
    """Takes what `__getstate__` gave."""
    for name, value in state.items():
      setattr(self, name, value)
    self._backing_variables = [backing_variable(v) for v in self.model.variables]

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    inputs = self._inputs(t, x)
    rows = tf.reshape(inputs, [-1, inputs.shape[-1]])  # Keras layers want rank 2.
    return tf.reshape(self.model(rows, training=False), tf.shape(x)[:-1])

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if _obstacle(self.model) is not None:
      return super()._gradient(t, x)
    return tf.cast(deep.gradient(*self._closed_form(t, x)), x.dtype)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    obstacle = _obstacle(self.model)
    if obstacle is not None:
      _warn_once(f'{obstacle}: its Laplacian takes {self.event_size} reverse passes per point.')
      return super()._gradient_and_laplacian(t, x)
    velocity, laplacian = deep.gradient_and_laplacian(*self._closed_form(t, x))
    return tf.cast(velocity, x.dtype), tf.cast(laplacian, x.dtype)

  def _closed_form(self, t: tf.Tensor, x: tf.Tensor) -> tuple[deep.Network, tf.Tensor]:
    network = _network(self.model, self.event_size)
    # Keras casts its inputs too: points of float64 may go into a model of float32.
    return network, tf.cast(self._inputs(t, x), network.amplitude.dtype)

  def _inputs(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    context = None if self.context_size is None else self.context
    return append(x, t if self.time_dependent else None, context)

  def _check_output(self) -> None:
    shape = self.model(tf.zeros([2, self._width], self.dtype or tf.float32), training=False).shape
    if tuple(shape) != (2, 1):
      raise ValueError(
        f'`model` must map [B, {self._width}] to [B, 1], got {tuple(shape)} for B = 2. '
        'End it with a Dense(1, use_bias=False).'
      )


def backing_variable(variable: Any) -> tf.Variable:
  """The tf.Variable itself: tf_keras holds it, Keras 3 wraps it."""
  return variable if isinstance(variable, tf.Variable) else variable.value


def _obstacle(model: Any) -> str | None:
  """Why `model` has no closed forms, or None where it has them."""
  if not _is_keras(type(model), 'Sequential'):
    return (
      f'Model {getattr(model, "name", model)!r} ({type(model).__name__}) is no plain Sequential'
    )
  for layer in model.layers:
    if not _is_understood(layer):
      activation = getattr(layer, 'activation', None)
      kind = f'{type(layer).__name__}, activation {getattr(activation, "__name__", activation)}'
      return f'Layer {layer.name!r} ({kind}) is no Dense of known derivatives'
  return None


def _is_understood(layer: Any) -> bool:
  return (
    _is_keras(type(layer), 'Dense')
    and _jet(layer.activation) is not None
    and layer.compute_dtype == layer.variable_dtype  # No mixed precision,
    and getattr(layer, 'quantization_mode', None) is None  # nor integer kernels.
  )


def _is_keras(kind: type, name: str) -> bool:
  """Tells if a class is Keras's own, and not a subclass, which may compute anything."""
  return kind.__name__ == name and kind.__module__.split('.')[0] in ('keras', 'tf_keras')


def _jet(activation: Any) -> activations.Jet | None:
  """The derivatives of an activation of Keras's own."""
  if activation is tf.nn.silu:  # What tf_keras makes of 'silu'.
    return activations.silu
  package, *modules = (getattr(activation, '__module__', None) or '').split('.')
  # Not from `keras.ops`: its gelu is the approximate one.
  if package not in ('keras', 'tf_keras') or 'activations' not in modules:
    return None
  return activations.JETS.get(getattr(activation, '__name__', ''))


def _network(model: Any, event_size: int) -> deep.Network:
  """The layers as they are now: kernels are read at every call, so that they train."""
  *hidden, last = [
    deep.Layer(
      tf.convert_to_tensor(layer.kernel),
      None if layer.bias is None else tf.convert_to_tensor(layer.bias),
      _jet(layer.activation) or activations.linear,
    )
    for layer in model.layers
  ]
  if hidden and last.jet is activations.linear:
    return deep.Network(hidden, last.kernel[:, 0], event_size)
  return deep.Network([*hidden, last], tf.ones([1], last.kernel.dtype), event_size)


@functools.cache
def _warn_once(message: str) -> None:
  warnings.warn(message, stacklevel=2)
