"""Variational free energy of the 2-D Ising model (paper, section 4.2 and Figure 4).

  python apps/ising_main.py --flagfile=apps/flagfiles/ising_l8.flags

Trains a Monge-Ampere flow on Eq. (7), resumes where a killed run stopped, and ends with one
line: the free energy per site with its errors beside the exact one.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import tensorflow as tf
import tf_keras
from absl import flags

import ma_keras
from ma_keras import targets, training
from ma_keras.apps import ising_figures, ising_potential, ising_target, training_app
from ma_keras.saving import export
from ma_keras.training import parameter_server, penalties
from ma_keras.training import strategy as strategies

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(training_app)
flags.adopt_module_key_flags(ising_target)
flags.adopt_module_key_flags(ising_potential)
flags.adopt_module_key_flags(ising_figures)
flags.DEFINE_float(
  'force_weight', 0.0, 'Weight of the force-matching term of section 4.2.', lower_bound=0.0
)
flags.DEFINE_bool(
  'path_gradient',
  False,
  'The gradient along paths alone: one more solve, noise that vanishes at the optimum.',
)
flags.DEFINE_bool('antithetic', False, 'Draw latents in pairs of mirrored radii.')
flags.DEFINE_integer(
  'anneal_steps', 0, 'Scale the energy from 1/2 to 1 over the first steps; 0: never.', lower_bound=0
)
flags.DEFINE_integer('steps_per_epoch', 100, 'Training steps per epoch.', lower_bound=1)
flags.DEFINE_integer('eval_samples', 4096, 'Samples of the final measurement.', lower_bound=2)

DEFAULTS: dict[str, Any] = {}
# A run cannot change these on the way: they make the model and what it is trained for.
MODEL_FLAGS = (
  *ising_target.TARGET_FLAGS,
  *('seed', 'batch_size', 'penalty', 'force_weight'),
  *('path_gradient', 'antithetic', 'anneal_steps'),
  *('potential', 'hidden_units', 'activation', 'symmetry', 'start'),
  *('channels', 'kernel_reach', 'basis_size', 'second_layer', 'start_from'),
  *(
    'num_steps',
    'step_size',
    'integrator',
    'refine_tolerance',
    'step_jitter',
    'optimizer',
    'accumulate',
  ),
)
CERTIFIED_SAMPLES = 256  # So many choose the depth that files keep.
SNAPSHOT_MOMENTS = 4  # Figure 4 shows epochs 0, 500, 1000 and 1500 of 2000.


def build_model(target: targets.Target) -> training.VariationalFreeEnergy:
  """The compiled Keras model; call within the strategy's scope."""
  model = training.VariationalFreeEnergy(
    training_app.build_bijector(ising_potential.build(target)),
    target,
    FLAGS.batch_size,
    FLAGS.seed,
    penalties.parse(FLAGS.penalty),
    training.Aids(FLAGS.force_weight, FLAGS.path_gradient, FLAGS.antithetic, FLAGS.anneal_steps),
  )
  return training_app.compiled(model, FLAGS.steps_per_epoch)


def set_up(
  run: training.RunDirectory, flag_lines: dict[str, str]
) -> tuple[tf.distribute.Strategy, targets.Target, training.VariationalFreeEnergy]:
  """Everything that can fail for a flag's sake, before any work is done."""
  strategy = strategies.make(FLAGS.strategy, FLAGS.tpu)
  strategies.check_compiled(strategy, FLAGS.strategy, FLAGS.jit_compile)
  if FLAGS.force_weight and FLAGS.jit_compile and FLAGS.potential == 'lattice':
    raise ValueError(
      f'`--force_weight={FLAGS.force_weight}` has second derivatives of the flow, which XLA cannot '
      'compile for --potential=lattice: use --nojit_compile.'
    )
  target = ising_target.build()
  ising_figures.other_curves()  # Fails now if there is none.
  with strategy.scope():
    model = build_model(target)
  if strategies.is_chief(strategy):
    training_app.prepare(run, flag_lines, MODEL_FLAGS, 'ising')
  return strategy, target, model


def logging_callbacks(
  model: training.VariationalFreeEnergy, target: targets.Target, run: training.RunDirectory
) -> list[tf_keras.callbacks.Callback]:
  """Callbacks that write snapshots, CSV and TensorBoard: the chief's alone."""
  moments = [FLAGS.epochs * i // SNAPSHOT_MOMENTS for i in range(SNAPSHOT_MOMENTS)]
  draw = ising_figures.Configurations(model, target)
  snapshots = [training.Snapshots(draw, moments, run.snapshots)] if FLAGS.figures else []
  return [*snapshots, *training_app.logs(run)]


def training_stream(model: training.VariationalFreeEnergy) -> Any:
  """Sample numbers of an epoch's global batches; of every worker's own with parameter servers."""
  if parameter_server.is_asynchronous(model.distribute_strategy):
    return parameter_server.for_workers(
      lambda worker: model.sample_numbers(1).map(lambda k: k + worker * model.batch_size).repeat()
    )
  return model.sample_numbers(FLAGS.steps_per_epoch)


def train(
  model: training.VariationalFreeEnergy,
  run: training.RunDirectory,
  exact: float | None,
  logs: list[tf_keras.callbacks.Callback],
) -> None:
  """Minimises the free energy; the guard comes first, so that what it stops is not saved."""
  stream = training_stream(model)
  guard = training.BoundGuard(exact, FLAGS.batch_size * FLAGS.steps_per_epoch)
  callbacks = [guard, *refinement(model), *logs]
  training_app.fit(model, lambda _: stream, FLAGS.steps_per_epoch, run, callbacks)


def refinement(model: training.VariationalFreeEnergy) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    samples = 4 * FLAGS.eval_batch_size
    equal = bijector.copy(jitter=0.0)
    found = training.measure(equal, model.target, samples, FLAGS.eval_batch_size, FLAGS.seed)
    return found.integration_error

  return [training.Refinement(error, FLAGS.refine_tolerance)] if FLAGS.refine_tolerance else []


def report(
  model: training.VariationalFreeEnergy,
  target: targets.Target,
  run: training.RunDirectory,
  exact: float | None,
  doubts: str = '',
) -> str:
  """Measures the trained flow, writes what is to be kept, and prints the result.

  F is that of the steps of training; files keep the flow in as many steps as its log densities are
  certified in.

  Args:
    model: With the weights to be reported.
    target: Energy and event size.
    run: Where files go.
    exact: -ln Z/N, or None where nobody knows it.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  model.bijector = model.bijector.copy(jitter=0.0)  # Random steps are for training alone.
  size = min(FLAGS.eval_batch_size, FLAGS.eval_samples)
  draws = training.draw(
    model.bijector, target, FLAGS.eval_samples, size, FLAGS.seed, FLAGS.jit_compile
  )
  result = training.summarise(draws, exact)
  halving = halve_log_densities(model)
  doubts = doubts or result.doubts() or halving.doubts()
  model.bijector = training_app.in_steps(model.bijector, halving.certified_steps())
  training_app.write_weights(model.bijector, run)
  if FLAGS.saved_model:
    export.save(model.flow(FLAGS.seed), run.saved_model)
  measured = {
    **dataclasses.asdict(result),
    'certified_steps': model.bijector.horizon.num_steps,
    'doubts': doubts,
  }
  notes = {**{name: FLAGS[name].value for name in ising_target.TARGET_FLAGS}, **measured}
  ma_keras.model_file.save(run.model, ma_keras.model_file.Model(model.bijector, notes=notes))
  if FLAGS.figures:
    ising_figures.save(model, target, run, exact)
  summary = {'seed': FLAGS.seed, 'version': ma_keras.__version__, **measured}
  run.write_summary({**summary, 'observables': report_observables(draws, target)})
  if result.reweighting_doubts:
    print(f'Doubtful: {result.reweighting_doubts}')
  print(result)
  return doubts


def halve_log_densities(model: training.VariationalFreeEnergy) -> training.Halving:
  """ln p of samples of the model at its own steps and in finer ones, its random elements drawn."""
  return training.halve_on_samples(
    model.bijector.with_seed(FLAGS.seed), CERTIFIED_SAMPLES, FLAGS.eval_batch_size, FLAGS.seed
  )


def report_observables(draws: training.Draws, target: targets.Target) -> list[dict[str, Any]]:
  """Prints what configurations do, the first few beside their exact values, and returns it all."""
  if FLAGS.eval_samples < 100 or (FLAGS.target == 'ising' and FLAGS.coupling == 0):
    return []
  found = training.measure_observables(draws, target)
  exact = ising_target.exact_observables(target)
  for each in found[:5]:
    print(each, f'; exact {exact[each.name]:.6f}' if each.name in exact else '', sep='')
  return [{**dataclasses.asdict(each), 'exact': exact.get(each.name)} for each in found]


def work(
  run: training.RunDirectory,
  strategy: tf.distribute.Strategy,
  target: targets.Target,
  model: training.VariationalFreeEnergy,
) -> None:
  """Trains, measures and reports; after a stop what was saved last, before the stop is told."""
  exact, chief = ising_target.exact_per_site(target), strategies.is_chief(strategy)
  doubts = ''
  try:
    train(model, run, exact, logging_callbacks(model, target, run) if chief else [])
  except training.TrainingStopped as error:
    if training.Backup(model, run.backup).restore() == 0:
      raise
    doubts = str(error)
  if chief:
    doubts = report(model, target, run, exact, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def main(argv: list[str]) -> None:
  """See `work`."""
  training_app.main(argv, sys.modules[__name__], f'runs/{ising_target.name()}')
