"""A deeper potential: a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations, deep
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import append


class MLP(Potential):
  """phi(t, x) = a . h_n, h_k = act(W_k' h_(k-1) + b_k), h_0 = x, and t and a context beside it.

  All derivatives are in closed form, layer by layer: see `potentials.deep`.

  Attributes:
    kernels: Variables W_k, shapes [N (+ 1) (+ C), H_1], [H_1, H_2], ...
    biases: Variables b_k, shapes [H_k].
    amplitude: Variable a, shape [H_n].
    time_dependent: Whether t is one more input.
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    hidden_units: Sequence[int] = (64, 64),
    activation: str = 'softplus',
    time_dependent: bool = False,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W_k ~ Normal(0, 1/fan-in), b = 0, a ~ Normal(0, 0.01/H_n).

    Args:
      event_size: N.
      hidden_units: Widths H_1, ..., H_n of the hidden layers.
      activation: One of `activations.JETS`: 'softplus', 'log_cosh', 'tanh', 'gelu', ...
      time_dependent: Give the network the time as well.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C, where a context is one more input.
      name: Module name.

    Raises:
      ValueError: No hidden layer, a width below one, or an unknown activation.
    """
    super().__init__(event_size, name, context_size)
    if not isinstance(hidden_units, Sequence) or not all(map(is_whole, hidden_units or (0,))):
      raise ValueError(
        f'`hidden_units` must hold at least one positive width, got {hidden_units!r}. '
        'For example (64, 64).'
      )
    hidden_units = tuple(map(int, hidden_units))
    self.activation, self._jet = activation, activations.get_jet(activation)
    self.time_dependent = time_dependent
    widths = (event_size + int(time_dependent) + (context_size or 0), *hidden_units)
    seed = seeds.fresh() if seed is None else seed
    keys = seeds.split(seed, len(widths), salt='mlp')
    self.kernels = tuple(
      tf.Variable(_scaled_normal((rows, columns), rows**-0.5, key, dtype), name=f'kernel_{k}')
      for k, (rows, columns, key) in enumerate(zip(widths, widths[1:], keys))
    )
    self.biases = tuple(
      tf.Variable(tf.zeros([width], dtype), name=f'bias_{k}')
      for k, width in enumerate(hidden_units)
    )
    self.amplitude = tf.Variable(
      _scaled_normal((widths[-1],), 0.1 * widths[-1] ** -0.5, keys[-1], dtype), name='amplitude'
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': [bias.shape[0] for bias in self.biases],
      'activation': self.activation,
      'time_dependent': self.time_dependent,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return deep.value(self._network(), self._inputs(t, x))

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return deep.gradient(self._network(), self._inputs(t, x))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return deep.gradient_and_laplacian(self._network(), self._inputs(t, x))

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if not self.time_dependent:
      return tf.zeros_like(x[..., 0])
    return deep.time_derivative(self._network(), self._inputs(t, x))

  def _inputs(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    context = None if self.context_size is None else self.context
    return append(x, t if self.time_dependent else None, context)

  def _network(self) -> deep.Network:
    layers = [
      deep.Layer(tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias), self._jet)
      for kernel, bias in zip(self.kernels, self.biases)
    ]
    return deep.Network(layers, tf.convert_to_tensor(self.amplitude), self.event_size)


def _scaled_normal(
  shape: tuple[int, ...], scale: float, seed: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
  return scale * tf.random.stateless_normal(shape, seed, dtype=dtype)
