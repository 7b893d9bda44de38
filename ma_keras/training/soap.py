"""Adam in the eigenbasis of the gradient's second moment."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

WINDOW = 256  # Gradients behind the second moment, hence eigenvectors at most.
FIRST_TURN, TURN_EVERY = 20, 50  # Steps.
LARGEST = 100_000  # Parameters: the last gradients and the basis then hold 200 MB in float32.
EPSILON = 1e-8
RANK_TOLERANCE = 1e-12  # Of singular values, in float64.
MEMORY = {'momentum': 0.9, 'inside': 0.99, 'outside': 0.99}


class Soap(tf_keras.optimizers.Optimizer):
  """theta <- theta - rate (Q [Q'm / sqrt(v)] + R [R m / sqrt(w)]), R = I - QQ', Q'CQ diagonal.

  C is the mean of g g' over the last K gradients g, each of all P parameters in one vector; Q holds
  its eigenvectors, K at most. m is the running mean of g, v that of (Q'g)^2, w that of (R g)^2.
  Without Q this is Adam, which sees each parameter alone; kernels, amplitudes and the quadratic
  part of a lattice potential undo and redo one another's work, and in the eigenbasis of C they do
  not. `turn`, which finds Q, is called every so often from outside the compiled step: see `Turns`.
  A step costs some 10 P K operations, a turn 2 P K^2. Shampoo's eigenbasis (Vyas et al., SOAP,
  2024), of one block that holds all parameters, in the low-rank form of Agarwal et al. (GGT, 2019).

  Attributes:
    momentum: m, variable [P].
    recent: The last gradients, variable [K, P], the one of step k in row k mod K.
    basis: Q, variable [P, K]; columns are zero until there are as many gradients.
    inside: v, variable [K].
    outside: w, variable [P].
  """

  def __init__(self, learning_rate: Any, gradient_clip: float = 0.0, name: str = 'Soap') -> None:
    """Keeps the rate and the clip; variables are made by `build`.

    Args:
      learning_rate: A number, or a tf_keras schedule.
      gradient_clip: Largest norm of g; 0 leaves it alone.
      name: Name of the optimiser.
    """
    super().__init__(name=name)
    self._learning_rate = self._build_learning_rate(learning_rate)
    self.gradient_clip = gradient_clip

  def build(self, var_list: Iterable[tf.Variable]) -> None:
    """Makes m, v, w, Q and room for the last gradients.

    Raises:
      ValueError: There are too many parameters, or several replicas.
    """
    super().build(var_list)
    if getattr(self, '_built', False):
      return
    variables = list(var_list)
    size = sum(v.shape.num_elements() for v in variables)
    if size > LARGEST:
      raise ValueError(
        f"`optimizer` 'soap' keeps {WINDOW} gradients of at most {LARGEST} parameters, got {size}: "
        "use 'adam'."
      )
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
      raise ValueError(
        "`optimizer` 'soap' takes one replica: use 'adam', or --strategy=one_device."
      )
    dtype = variables[0].dtype
    self.momentum = self.add_variable([size], dtype, name='momentum')
    self.recent = self.add_variable([WINDOW, size], dtype, name='recent')
    self.basis = self.add_variable([size, WINDOW], dtype, name='basis')
    self.inside = self.add_variable([WINDOW], dtype, name='inside')
    self.outside = self.add_variable([size], dtype, name='outside')
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
    """What is taken off all parameters, [P]; the running means take in g."""
    if self.gradient_clip:
      g = tf.clip_by_norm(g, self.gradient_clip)
    q = self.basis.read_value()
    split = functools.partial(_inside_and_outside, q)
    row = tf.cast(self.iterations % WINDOW, tf.int32)
    self.recent.scatter_update(tf.IndexedSlices(g[tf.newaxis], row[tf.newaxis]))
    v, w = (self._remember(name, x**2) for name, x in zip(('inside', 'outside'), split(g)))
    inside, outside = split(self._remember('momentum', g))
    # Once more outside: the scales w, one for each parameter, mix the two.
    _, outside = split(outside / (tf.sqrt(w) + EPSILON))
    step = tf.linalg.matvec(q, inside / (tf.sqrt(v) + EPSILON)) + outside
    rate = self._learning_rate
    rate = rate(self.iterations) if callable(rate) else rate
    return tf.cast(rate, g.dtype) * step

  def _remember(self, name: str, value: tf.Tensor) -> tf.Tensor:
    """The running mean of that name with one more value in it, free of the bias of its start."""
    variable, beta = getattr(self, name), MEMORY[name]
    variable.assign(beta * variable + (1.0 - beta) * value)
    count = tf.cast(self.iterations + 1, value.dtype)
    return variable / (1.0 - tf.pow(tf.constant(beta, value.dtype), count))

  def turn(self) -> None:
    """Q becomes the eigenvectors of C, and v its eigenvalues, the diagonal of Q'CQ."""
    count = min(int(self.iterations.numpy()), WINDOW)
    rows = self.recent.numpy()[:count].astype(np.float64)
    _, roots, basis = np.linalg.svd(rows / np.sqrt(max(count, 1)), full_matrices=False)
    rank = int(np.sum(roots > RANK_TOLERANCE * roots[:1]))
    room = WINDOW - rank
    self.inside.assign(np.pad(roots[:rank] ** 2, (0, room)))
    self.basis.assign(np.pad(basis[:rank].T, ((0, 0), (0, room))))

  def get_config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    rate = self._serialize_hyperparameter(self._learning_rate)
    return {'learning_rate': rate, 'gradient_clip': self.gradient_clip, 'name': self.name}


def _inside_and_outside(q: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Q'x and x - QQ'x."""
  inside = tf.linalg.matvec(q, x, transpose_a=True)
  return inside, x - tf.linalg.matvec(q, inside)


class Turns(tf_keras.callbacks.Callback):
  """Turns the basis of the model's `Soap`: after 20 and 40 steps, then every 50.

  When to turn is read off the count of steps, so that a resumed run turns when the interrupted one
  would have. Place it before the callback that writes checkpoints.
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
    return turns_due(int(self.model.optimizer.iterations.numpy()))


def turns_due(steps: int) -> int:
  """How often `Turns` turns in so many steps."""
  early = min(steps, TURN_EVERY - 1) // FIRST_TURN
  return early + steps // TURN_EVERY
