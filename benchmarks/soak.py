"""Whether memory stays where it is while a flow is trained and scored for a long time.

  python benchmarks/soak.py --output=soak.json

A tiny flow by `fit`, with the callbacks of the apps, and between steps log_prob of fresh points in
batches of changing size: whatever is retraced, cached or kept per step or epoch shows as a resident
set that grows. The run fails if that at the last step exceeds that at `--settled` by `--tolerance`.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import report
import tensorflow as tf
import tf_keras
from absl import app, flags, logging

import ma_keras
from ma_keras import symmetry, targets, training

FLAGS = flags.FLAGS
flags.DEFINE_integer('steps', 2000, 'Training steps; a multiple of --epoch.', lower_bound=1)
flags.DEFINE_integer('epoch', 50, 'Steps of an epoch.', lower_bound=1)
flags.DEFINE_integer('settled', 200, 'Step by which all is traced and allocated.', lower_bound=1)
flags.DEFINE_float('tolerance', 0.05, 'Growth that is put down to chance.', lower_bound=0.0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

SIDE = 4
SCORE_EVERY = 5


class Soak(tf_keras.callbacks.Callback):
  """Scores fresh points every few steps, and keeps the resident set of every epoch.

  Attributes:
    megabytes: Steps to the resident set after so many.
    scored: How often log_prob was called.
  """

  def __init__(self, flow: Any) -> None:
    """`flow` is the distribution that is trained."""
    super().__init__()
    self.flow = flow
    self.step = 0
    self.scored = 0
    self.megabytes: dict[int, float] = {}

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Scores a batch of 1 to 64 points."""
    del batch, logs
    self.step += 1
    if self.step % SCORE_EVERY == 0:
      self.scored += 1
      points = tf.random.stateless_normal([1 + self.scored % 64, SIDE**2], [self.step, 0])
      self.flow.log_prob(points)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Notes the resident set."""
    del epoch, logs
    self.megabytes[self.step] = resident()


def resident() -> float:
  """Megabytes of this process in memory."""
  lines = pathlib.Path('/proc/self/status').read_text().splitlines()
  return next(int(line.split()[1]) for line in lines if line.startswith('VmRSS:')) / 1024


def soak(folder: str) -> Soak:
  """Trains, as apps/ising_main.py does."""
  layer = ma_keras.potentials.OneHiddenLayer(SIDE**2, 32, 'log_cosh', use_bias=False, seed=0)
  potential = symmetry.OneElementPerInterval(layer, symmetry.square_lattice(SIDE), 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps=4, step_size=0.1)
  target = targets.Ising(SIDE)
  model = training.VariationalFreeEnergy(bijector, target, batch_size=16)
  model.compile(training.adam(1e-3, FLAGS.steps, gradient_clip=10.0))
  kept = Soak(ma_keras.standard_normal_flow(bijector))
  run = training.RunDirectory(pathlib.Path(folder))
  callbacks = [
    training.BoundGuard(target.exact_free_energy_per_site(), 16 * FLAGS.epoch),
    tf_keras.callbacks.CSVLogger(str(run.metrics)),
    tf_keras.callbacks.BackupAndRestore(str(run.backup), save_freq='epoch'),
    kept,
  ]
  epochs = FLAGS.steps // FLAGS.epoch
  model.fit(model.sample_numbers(FLAGS.epoch), epochs=epochs, callbacks=callbacks, verbose=0)
  return kept


def main(argv: list[str]) -> None:
  """Prints the resident set over the run, and judges it."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.steps % FLAGS.epoch or FLAGS.settled % FLAGS.epoch or FLAGS.settled >= FLAGS.steps:
    raise app.UsageError(
      '`--steps` and `--settled` must be multiples of --epoch, and --settled the smaller, got '
      f'{FLAGS.steps}, {FLAGS.settled} and {FLAGS.epoch}.'
    )
  logging.set_verbosity(logging.WARNING)  # Checkpoints announce every shard they write.
  with tempfile.TemporaryDirectory() as folder:
    kept = soak(folder)
  for step, megabytes in kept.megabytes.items():
    print(f'{step:6d} steps  {megabytes:7.1f} MB')
  growth = kept.megabytes[FLAGS.steps] / kept.megabytes[FLAGS.settled] - 1
  print(f'{100 * growth:+.1f} % from step {FLAGS.settled} to {FLAGS.steps}, {kept.scored} scorings')
  report.write(
    FLAGS.output, {'growth': growth, 'scorings': kept.scored, 'megabytes': kept.megabytes}
  )
  if growth > FLAGS.tolerance:
    sys.exit(f'soak: memory grew by {100 * growth:.1f} %, more than {100 * FLAGS.tolerance:g} %.')


if __name__ == '__main__':
  app.run(main)
