"""Adam in the eigenbasis of the gradient's second moment, for a few thousand parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

LARGEST = 8000  # Parameters: the two matrices then hold 512 MB in float32.
FIRST_TURN = 20  # Steps before the first basis of our own.
# How long: C, v and its weight alike, since v is the diagonal of Q'CQ.
MEMORY = {'momentum': 0.9, 'square': 0.99, 'weight': 0.99, 'covariance': 0.99}
KNOWN = 100  # Gradients that C is the mean of, 1/(1 - 0.99).
GUESS = 0.1  # Weight of ten of them.
TINY = 1e-30  # Of weights that have seen nothing.


@tf_keras.saving.register_keras_serializable('ma_keras')
class Soap(tf_keras.optimizers.Optimizer):
  """theta <- theta - rate Q [Q'm / sqrt(v)], m the mean gradient, v that of (Q'g)^2; Q'CQ diagonal.

  C is the running mean of g g', g the gradient by all P parameters in one vector. Q = I is Adam,
  which sees each parameter alone; kernels, amplitudes and the quadratic part of a lattice potential
  undo and redo one another's work, and in the eigenbasis of C they do not. `turn`, which finds Q,
  is called every so often from outside the compiled step: see `Turns`. Shampoo's eigenbasis (Vyas
  et al., SOAP, 2024), of one block that holds all parameters.

  Attributes:
    momentum: m, variable [P].
    square: v times its weight, variable [P].
    weight: Share of a whole mean that v has seen, [P]: 1 - 0.99^n after n gradients, but for
      directions that a turn has found anew.
    covariance: C, variable [P, P].
    basis: Q, variable [P, P].
  """

  def __init__(
    self,
    learning_rate: Any,
    gradient_clip: float = 0.0,
    still_steps: int = 0,
    name: str = 'Soap',
  ) -> None:
    """Keeps the rate and the clip; variables are made by `build`.

    Args:
      learning_rate: A number, or a tf_keras schedule.
      gradient_clip: Largest norm of g; 0 leaves it alone.
      still_steps: First steps that learn C and move nothing. Weights that are good already can be
        lost to Adam, whose equal steps by all values of a kernel add up in its sum.
      name: Name of the optimiser.
    """
    super().__init__(name=name)
    self._learning_rate = self._build_learning_rate(learning_rate)
    self.gradient_clip, self.still_steps = gradient_clip, still_steps

  def build(self, var_list: Iterable[tf.Variable]) -> None:
    """Makes m, v, C and Q.

    Raises:
      ValueError: There are too many parameters for P x P matrices, or several replicas.
    """
    super().build(var_list)
    if getattr(self, '_built', False):
      return
    variables = list(var_list)
    size = sum(v.shape.num_elements() for v in variables)
    if size > LARGEST:
      raise ValueError(
        f"`optimizer` 'soap' keeps matrices of P x P for P <= {LARGEST} parameters, got {size}: "
        "use 'adam'."
      )
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
      raise ValueError(
        "`optimizer` 'soap' takes one replica: use 'adam', or --strategy=one_device."
      )
    dtype = variables[0].dtype
    self.momentum = self.add_variable([size], dtype, name='momentum')
    self.square = self.add_variable([size], dtype, name='square')
    self.weight = self.add_variable([size], dtype, name='weight')
    self.covariance = self.add_variable([size, size], dtype, name='covariance')
    self.basis = self.add_variable([size, size], dtype, 'identity', name='basis')
    self._built = True

  def apply_gradients(
    self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]], **unused: Any
  ) -> tf.Variable:
    """One step; the count of steps, as in every optimiser of tf_keras, goes up by one."""
    gradients, variables = zip(*grads_and_vars)
    with tf.init_scope():
      self.build(variables)
    step = self._step(tf.concat([tf.reshape(g, [-1]) for g in gradients], axis=0))
    sizes = [v.shape.num_elements() for v in variables]
    for variable, part in zip(variables, tf.split(step, sizes)):
      variable.assign_sub(tf.reshape(part, variable.shape))
    return self.iterations.assign_add(1)

  def _step(self, g: tf.Tensor) -> tf.Tensor:
    """Step that is taken off all parameters, [P]; the running means take in g."""
    if self.gradient_clip:
      g = tf.clip_by_norm(g, self.gradient_clip)
    q = self.basis.read_value()
    turned = tf.linalg.matvec(q, g, transpose_a=True)
    beta = tf.constant(MEMORY['momentum'], g.dtype)
    count = tf.cast(self.iterations + 1, g.dtype)
    mean = self._remembered('momentum', g) / (1.0 - tf.pow(beta, count))
    square = self._remembered('square', tf.square(turned))
    square = square / self._weighed(turned)
    self._remembered('covariance', g[:, tf.newaxis] * g)
    direction = tf.linalg.matvec(q, mean, transpose_a=True) / (tf.sqrt(square) + 1e-8)
    rate = self._learning_rate
    rate = rate(self.iterations) if callable(rate) else rate
    rate = tf.where(self.iterations < self.still_steps, 0.0, rate)
    return tf.cast(rate, g.dtype) * tf.linalg.matvec(q, direction)

  def _remembered(self, name: str, value: tf.Tensor) -> tf.Tensor:
    """The running mean of that name with one more value in it."""
    variable, beta = getattr(self, name), MEMORY[name]
    variable.assign(beta * variable + (1.0 - beta) * value)
    return variable.read_value()

  def _weighed(self, turned: tf.Tensor) -> tf.Tensor:
    """The weight with one more gradient in it; checkpoints before it was kept have none."""
    seen = tf.cast(self.iterations, turned.dtype)
    whole = 1.0 - tf.pow(tf.constant(MEMORY['weight'], turned.dtype), seen)
    self.weight.assign(tf.where(self.weight == 0.0, whole, self.weight))
    return self._remembered('weight', tf.ones_like(turned))

  def turn(self) -> None:
    """Q becomes the eigenvectors of C, and v the eigenvalues, the diagonal of Q'CQ.

    C is the mean of a hundred g g' at most, and knows as many eigenvalues. Of other directions q_i
    it says next to nothing, and a step divided by that root would be many times too large until v
    learned better: they begin anew at what the old basis q'_j says, sum_j (q_i . q'_j)^2 v_j, which
    counts as ten gradients.
    """
    squares, basis = np.linalg.eigh(self.covariance.numpy().astype(np.float64))
    old = self.basis.numpy()
    overlap = np.square(basis.T.astype(old.dtype) @ old)
    guess = overlap @ (self.square.numpy() / np.maximum(self.weight.numpy(), TINY))
    steps = int(self.iterations.numpy())
    known = np.arange(len(squares)) >= len(squares) - min(KNOWN, steps)
    weight = 1.0 - MEMORY['covariance'] ** steps
    self.square.assign(np.where(known, np.maximum(squares, 0.0), min(GUESS, weight) * guess))
    self.weight.assign(np.where(known, weight, min(GUESS, weight)))
    self.basis.assign(basis)

  def get_config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    rate = self._serialize_hyperparameter(self._learning_rate)
    own = {'gradient_clip': self.gradient_clip, 'still_steps': self.still_steps}
    return {'learning_rate': rate, **own, 'name': self.name}


class Turns(tf_keras.callbacks.Callback):
  """Turns the basis of the model's `Soap`: after 20, 40, 80, ... steps, then every max(20, P/20).

  Eigenvectors cost P^3; so seldom, they take a few hundredths of the time. When to turn is read off
  the count of steps, so that a resumed run turns when the interrupted one would have. Place it
  before the callback that writes checkpoints.
  """

  def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
    """Counts the turns behind."""
    del logs
    self._done = self._due()

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Turns if it is time, or was since the last look."""
    del batch, logs
    due = self._due()
    if due > self._done:
      self.model.optimizer.turn()
      self._done = due

  def _due(self) -> int:
    """How many turns are due by now."""
    optimizer = self.model.optimizer
    return turns_due(int(optimizer.iterations.numpy()), optimizer.momentum.shape[0])


def turns_due(steps: int, size: int) -> int:
  """How often `Turns` turns in so many steps, of P = `size` parameters."""
  every = max(FIRST_TURN, size // 20)
  early = min(steps, every - 1) // FIRST_TURN  # 20, 40, 80, ... before `every`.
  return early.bit_length() + steps // every
