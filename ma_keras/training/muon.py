"""Muon: steps of kernels that turn all directions alike, and Adam for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
import tf_keras

MOMENTUM = 0.95
# p(s) = a s + b s^3 + c s^5: five times over, it takes all s of [0.01, 1] to between 0.68 and 1.13.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


@tf_keras.saving.register_keras_serializable('ma_keras')
class Muon(tf_keras.optimizers.Adam):
  """K <- K - rate max(1, R/C)^(1/2) U V', where U S V' is the mean gradient of a kernel K [R, C].

  A step of a kernel is its mean gradient with all singular values replaced by about one: few
  directions rule the gradient of a layer, and by Muon all of them learn at one rate. Kernels are
  the variables that are named so, of shape [..., R, C], a matrix for every patch of a
  `LocallyConnected` layer; biases, amplitudes and all others take steps of Adam. Updates are those
  of every variable by itself, so any number of replicas can share them.

  Reference: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024.

  Attributes:
    kernel_rate: Rate of kernels, in units of that of the others.
  """

  def __init__(
    self,
    learning_rate: Any = 0.01,
    kernel_rate: float = 2.0,
    name: str = 'Muon',
    **options: Any,
  ) -> None:
    """Keeps the rates; variables are made by `build`.

    Args:
      learning_rate: Rate of Adam's variables: a number, or a tf_keras schedule.
      kernel_rate: Rate of kernels, in units of it.
      name: Name of the optimiser.
      **options: Further ones of tf_keras' Adam: `global_clipnorm`, say.

    Raises:
      ValueError: `kernel_rate` is not positive.
    """
    if not kernel_rate > 0:
      raise ValueError(f'`kernel_rate` must be positive, got {kernel_rate!r}. Try 2.')
    self.kernel_rate = float(kernel_rate)
    super().__init__(learning_rate, name=name, **options)

  def build(self, var_list: Iterable[tf.Variable]) -> None:
    """Makes the running means of Adam, the first of which is the momentum of kernels, too."""
    variables = list(var_list)
    super().build(variables)
    self._kernels = {self._var_key(v) for v in variables if is_kernel(v)}

  def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """One step of one variable."""
    if self._var_key(variable) not in self._kernels:
      super().update_step(gradient, variable)
      return
    mean = self._momentums[self._index_dict[self._var_key(variable)]]
    mean.assign(MOMENTUM * mean + gradient)
    step = orthogonalised(gradient + MOMENTUM * mean)  # Nesterov's.
    rows, columns = variable.shape[-2:]
    rate = tf.cast(self.learning_rate, variable.dtype) * self.kernel_rate
    variable.assign_sub(rate * max(1.0, rows / columns) ** 0.5 * step)

  def get_config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {**super().get_config(), 'kernel_rate': self.kernel_rate}


def is_kernel(variable: tf.Variable) -> bool:
  """Tells if it is a matrix, or a stack of them, by the name of `kernel`."""
  return variable.shape.rank >= 2 and variable.name.split('/')[-1].split(':')[0] == 'kernel'


def orthogonalised(matrix: tf.Tensor) -> tf.Tensor:
  """U p(p(...p(S))) V' of the matrix U S V' [..., R, C], about U V': see `QUINTIC`.

  Products of matrices alone, by X p(X'X): no decomposition, whose kernels are slow everywhere.
  """
  tall = matrix.shape[-2] > matrix.shape[-1]
  x = tf.linalg.matrix_transpose(matrix) if tall else matrix
  x = x / (tf.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
  a, b, c = QUINTIC
  for _ in range(ITERATIONS):
    gram = tf.matmul(x, x, transpose_b=True)
    x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
  return tf.linalg.matrix_transpose(x) if tall else x
