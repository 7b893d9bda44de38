"""Optimal maps from samples alone: Kantorovich's dual problem as a tf_keras model."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import seeds
from ma_keras.layers.own_variables import OwnVariables
from ma_keras.training import keras3, pairs
from ma_keras.training.built_optimizer import BuiltOptimizer
from ma_keras.transport import BrenierMap, DualBound, Inverse, dual_bound
from ma_keras.transport.dual import conjugate_terms, potential_terms

TOLERANCE = 1e-4  # Of inverses in training: its square is what a bound is too high by.
_OWN = ('loss', 'metrics', 'loss_weights', 'weighted_metrics')


class KantorovichDual(OwnVariables, BuiltOptimizer):
  """Maximises a lower bound of W2(P, Q)^2 over maps grad u: the optimal map of P to Q has it.

    W2^2 >= -2 (E_P[u(z) - |z|^2/2] + E_Q[u*(x) - |x|^2/2]),   u*(x) = max_z x.z - u(z).

  Samples of P and of Q are all that is needed, no densities and no pairs. The maximum is at
  z = (grad u)^-1(x), which Newton's method finds; by the envelope theorem the gradient by the
  variables is E_P[du(z)] - E_Q[du(z)], with no derivative through z, and is unbiased.

  ```python
  model = ma_keras.training.KantorovichDual(ma_keras.transport.BrenierMap(phi))
  model.compile(ma_keras.training.adam(0.01, total_steps=1000))
  model.fit((z, x), batch_size=256, epochs=10)  # Arrays of P and of Q, as long as each is,
  model.fit((p, q), steps_per_epoch=1000)  # or TFP distributions, sampled anew for every step.
  print(model.bound(z_test, x_test))
  ```

  | in the logs | what |
  |---|---|
  | `loss` | minus half the bound |
  | `squared_distance` | the bound of W2^2, in squared units of the data |
  | `unsolved` | share of the x whose inverse missed the tolerance: they are left out of the loss |

  Attributes:
    optimal: The map that is trained.
    seed: Names every random number of training: the order of rows, and samples of distributions.
    tolerance: Of the inverses in training, see `BrenierMap`; `bound` takes the map's own.
  """

  def __init__(
    self,
    optimal: BrenierMap,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    name: str = 'kantorovich_dual',
  ) -> None:
    """Checks the arguments.

    Args:
      optimal: The map to train, from P to Q.
      seed: Non-negative integer.
      tolerance: Of the inverses in training.
      name: Model name.

    Raises:
      TypeError: `optimal` is no BrenierMap.
      ValueError: A number is out of range.
    """
    super().__init__(name=name, autocast=False)
    if not isinstance(optimal, BrenierMap):
      raise TypeError(
        f'`optimal` must be a ma_keras.transport.BrenierMap, got {type(optimal).__name__}: '
        'BrenierMap(potential) of a convex potential.'
      )
    seeds.stateless(seed, salt='pairs')  # Refuses what is no seed.
    self.optimal, self.seed = optimal, seed
    self.tolerance = tolerance
    self._solver = optimal.copy(tolerance=tolerance, validate_args=False)
    self._metrics_by_name = {
      name: tf_keras.metrics.Mean(name) for name in ('loss', 'squared_distance', 'unsolved')
    }
    self.built = True  # All variables exist; there is no call() to build from.

  def own_variables(self) -> list[tf.Variable]:
    """Variables of the map."""
    return list(self.optimal.variables)

  def compile(self, optimizer: Any = 'adam', **options: Any) -> None:
    """Chooses the optimiser; loss and metrics are the model's own.

    Args:
      optimizer: A name, or an optimiser of tf_keras or Keras 3.
      **options: `jit_compile`, `run_eagerly`, `steps_per_execution` and others of tf_keras.

    Raises:
      ValueError: There is a loss or a metric, or tf_keras has no such optimiser.
    """
    if given := [name for name in _OWN if options.get(name) is not None]:
      raise ValueError(f'`{given[0]}`: KantorovichDual minimises a loss of its own, leave it out.')
    super().compile(keras3.optimizer(optimizer), **options)

  def fit(
    self, x: Any = None, y: None = None, batch_size: int | None = None, **options: Any
  ) -> Any:
    """Trains; see `tf_keras.Model.fit` for what is not said here.

    Args:
      x: (samples of P, samples of Q): arrays [n, N] and [m, N], not paired, or TFP distributions;
        or a `tf.data.Dataset` of pairs of batches.
      y: None; samples of Q may stand here as well.
      batch_size: Samples of each a step; 256 by default.
      **options: Further arguments of tf_keras's fit. An epoch is once through the longer array;
        of distributions it has `steps_per_epoch`, 100 by default. `validation_data` has any form
        of `x`, and `validation_steps`.

    Returns:
      tf_keras's History.

    Raises:
      RuntimeError: The model has not been compiled.
      ValueError: P and Q are not of the map's dimension.
    """
    if getattr(self, 'optimizer', None) is None:
      raise RuntimeError("The model has no optimiser: call model.compile(optimizer='adam') first.")
    stream = self._stream(x, y, batch_size, options.pop('steps_per_epoch', None))
    validation = options.pop('validation_data', None)
    if validation is not None:
      ahead = self._stream(validation, None, batch_size, options.pop('validation_steps', None))
      options |= {'validation_data': ahead.dataset, 'validation_steps': ahead.steps}
    if 'callbacks' in options:
      options['callbacks'] = keras3.callbacks(options['callbacks'])
    return super().fit(stream.dataset, steps_per_epoch=stream.steps, **options)

  def bound(self, z: Any, x: Any) -> DualBound:
    """The bound of W2^2 by other samples of P and Q, with its standard error: `dual_bound`."""
    return dual_bound(self.optimal, z, x)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return list(self._metrics_by_name.values())

  @tf.autograph.experimental.do_not_convert
  def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """One step on samples of P and samples of Q."""
    z, x = batch
    inverse = self._inverse(z, x)
    with tf.GradientTape() as tape:
      loss = self._loss(z, x, inverse.z, inverse.solved)
    variables = self.trainable_variables
    self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return self._updated(loss, inverse.solved)

  @tf.autograph.experimental.do_not_convert
  def test_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """The loss of samples as they are."""
    z, x = batch
    inverse = self._inverse(z, x)
    return self._updated(self._loss(z, x, inverse.z, inverse.solved), inverse.solved)

  def call(self, z: tf.Tensor, training: Any = None, mask: Any = None) -> tf.Tensor:
    """grad u(z), [b, N]: what `predict` returns."""
    del training, mask
    return self.optimal.forward(z)

  def save_weights(self, filepath: Any, *args: Any, **options: Any) -> None:
    """Writes the variables, as `.weights.h5` or a TensorFlow checkpoint: see tf_keras.

    Raises:
      ValueError: Another suffix, of a format in which Keras would leave out all of them.
    """
    super().save_weights(_checked(filepath), *args, **options)

  def load_weights(self, filepath: Any, *args: Any, **options: Any) -> Any:
    """Assigns what `save_weights` wrote.

    Raises:
      ValueError: Another suffix; or the file is of a map of another structure.
    """
    return super().load_weights(_checked(filepath), *args, **options)

  def save(self, *args: Any, **options: Any) -> None:
    """Raises NotImplementedError, and says what to save."""
    raise NotImplementedError(
      'A KantorovichDual is saved by what it trains: model.save_weights(path), '
      'ma_keras.model_file.save(path, Model(model.optimal)), or pickle.dump(model.optimal, file).'
    )

  def _inverse(self, z: tf.Tensor, x: tf.Tensor) -> Inverse:
    """(grad u)^-1(x), from where the map that is linear over the samples of P has it."""
    return self._solver.solve_inverse(x, self._solver.linear_inverse(x, z))

  def _loss(self, z: tf.Tensor, x: tf.Tensor, latents: tf.Tensor, solved: tf.Tensor) -> tf.Tensor:
    """Minus half the bound, []; NaN if no inverse is solved."""
    safe = tf.where(solved[:, tf.newaxis], latents, tf.zeros_like(latents))
    terms = conjugate_terms(self.optimal, safe, x)
    chosen = tf.cast(solved, terms.dtype)
    mean = tf.reduce_sum(chosen * terms) / tf.reduce_sum(chosen)
    return tf.reduce_mean(potential_terms(self.optimal, z)) + mean

  def _updated(self, loss: tf.Tensor, solved: tf.Tensor) -> dict[str, tf.Tensor]:
    unsolved = 1.0 - tf.reduce_mean(tf.cast(solved, loss.dtype))
    values = {'loss': loss, 'squared_distance': -2.0 * loss, 'unsolved': unsolved}
    for name, value in values.items():
      self._metrics_by_name[name].update_state(value)
    return {name: metric.result() for name, metric in self._metrics_by_name.items()}

  def _stream(self, x: Any, y: Any, batch_size: int | None, steps: int | None) -> pairs.Stream:
    data = x if y is None else (x, y)
    return pairs.stream(data, self.optimal, batch_size or pairs.BATCH_SIZE, steps, self.seed)


def _checked(filepath: Any) -> str:
  path = os.fspath(filepath)
  if path.endswith(('.h5', '.hdf5', '.keras')) and not path.endswith('.weights.h5'):
    raise ValueError(
      f'`filepath` {path!r}: the variables of a map go into a name.weights.h5, or, without a '
      'suffix, a TensorFlow checkpoint.'
    )
  return path
