"""Variational free energy of the 2-D Ising model (paper, section 4.2 and Figure 4).

from ma_keras.apps import ising
from ma_keras.apps.configuration import IsingConfig

run = ising.carry_out(IsingConfig(side=4, num_steps=12, step_size=1 / 12))
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import targets, training
from ma_keras.apps import ising_figures, ising_potential, ising_target, training_app
from ma_keras.apps.configuration import penalty
from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.apps.configuration.option import options
from ma_keras.apps.configuration.target import TargetConfig
from ma_keras.saving import export
from ma_keras.training import parameter_server
from ma_keras.training import strategy as strategies

CERTIFIED_SAMPLES = 256  # At most so many choose the depth that files keep.
SNAPSHOT_MOMENTS = 4  # Figure 4 shows epochs 0, 500, 1000 and 1500 of 2000.


@dataclasses.dataclass(frozen=True)
class Experiment:
  """All that a run is made of: its configuration, directory, devices, energy and compiled model."""

  config: IsingConfig
  run: training.RunDirectory
  strategy: tf.distribute.Strategy
  target: targets.Target
  model: training.VariationalFreeEnergy


def build_model(target: targets.Target, config: IsingConfig) -> training.VariationalFreeEnergy:
  """The compiled Keras model; call within the strategy's scope."""
  model = training.VariationalFreeEnergy(
    training_app.build_bijector(ising_potential.build(target, config), config),
    target,
    config.batch_size,
    config.seed,
    penalty.parse(config.penalty),
    training.Aids(
      config.force_weight, config.path_gradient, config.antithetic, config.anneal_steps
    ),
    constrained=training_app.constrained(config),
  )
  return training_app.compiled(model, config.steps_per_epoch, config)


def set_up(config: IsingConfig, run: training.RunDirectory) -> Experiment:
  """Everything that can fail for an option's sake, before any work is done."""
  strategy = strategies.make(config.strategy, config.tpu)
  strategies.check_compiled(strategy, config.strategy, config.jit_compile)
  if config.force_weight and config.jit_compile and config.potential == 'lattice':
    raise ValueError(
      f'`--force_weight={config.force_weight}` has second derivatives of the flow, which XLA '
      'cannot compile for --potential=lattice: use --nojit_compile.'
    )
  target = ising_target.build(config)
  ising_figures.other_curves(config.beside)  # Fails now if there is none.
  with strategy.scope():
    model = build_model(target, config)
  if strategies.is_chief(strategy):
    training_app.prepare(config, run, 'ising')
  return Experiment(config, run, strategy, target, model)


def logging_callbacks(experiment: Experiment) -> list[tf_keras.callbacks.Callback]:
  """Callbacks that write snapshots, CSV and TensorBoard: the chief's alone."""
  config, run = experiment.config, experiment.run
  moments = [config.epochs * i // SNAPSHOT_MOMENTS for i in range(SNAPSHOT_MOMENTS)]
  draw = ising_figures.Configurations(experiment.model, experiment.target, config.seed)
  snapshots = [training.Snapshots(draw, moments, run.snapshots)] if config.figures else []
  return [*snapshots, *training_app.logs(run)]


def training_stream(model: training.VariationalFreeEnergy, steps_per_epoch: int) -> Any:
  """Sample numbers of an epoch's global batches; of every worker's own with parameter servers."""
  if parameter_server.is_asynchronous(model.distribute_strategy):
    return parameter_server.for_workers(
      lambda worker: model.sample_numbers(1).map(lambda k: k + worker * model.batch_size).repeat()
    )
  return model.sample_numbers(steps_per_epoch)


def train(experiment: Experiment, exact: float | None) -> None:
  """Minimises the free energy; the guard comes first, so that what it stops is not saved."""
  config, run, model = experiment.config, experiment.run, experiment.model
  stream = training_stream(model, config.steps_per_epoch)
  guard = training.BoundGuard(exact, config.batch_size * config.steps_per_epoch)
  logs = logging_callbacks(experiment) if strategies.is_chief(experiment.strategy) else []
  training_app.fit(
    config,
    model,
    stream=lambda _: stream,
    steps_per_epoch=config.steps_per_epoch,
    run=run,
    callbacks=[guard, *refinement(config, model), *logs],
  )


def refinement(
  config: IsingConfig, model: training.VariationalFreeEnergy
) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    samples = 4 * config.eval_batch_size
    equal = bijector.copy(jitter=0.0)
    result = training.measure(equal, model.target, samples, config.eval_batch_size, config.seed)
    return result.integration_error

  return [training.Refinement(error, config.refine_tolerance)] if config.refine_tolerance else []


def report(experiment: Experiment, exact: float | None, doubts: str = '') -> str:
  """Measures the trained flow, writes what is to be kept, and prints the result.

  F is that of the steps of training; files keep the flow in as many steps as its log densities are
  certified in.

  Args:
    experiment: With the weights to be reported.
    exact: -ln Z/N, or None where nobody knows it.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  config, run = experiment.config, experiment.run
  target, model = experiment.target, experiment.model
  model.bijector = model.bijector.copy(jitter=0.0)  # Random steps are for training alone.
  size = min(config.eval_batch_size, config.eval_samples)
  draws = training.draw(
    model.bijector, target, config.eval_samples, size, config.seed, config.jit_compile
  )
  result = training.summarise(draws, exact)
  halving = halve_log_densities(config, model)
  doubts = doubts or result.doubts() or halving.doubts() or violation(model, result)
  model.bijector = model.bijector.in_steps(halving.certified_steps())
  training_app.write_weights(model.bijector, run)
  if config.saved_model:
    export.save(model.flow(config.seed), run.saved_model)
  measured = {
    **dataclasses.asdict(result),
    'certified_steps': model.bijector.horizon.num_steps,
    'doubts': doubts,
  }
  notes = {**{name: getattr(config, name) for name in options(TargetConfig)}, **measured}
  ma_keras.model_file.save(run.model, ma_keras.model_file.Model(model.bijector, notes=notes))
  if config.figures:
    ising_figures.save(config, model, target, run, exact)
  summary = {'seed': config.seed, 'version': ma_keras.__version__, **measured}
  run.write_summary({**summary, 'observables': report_observables(config, draws, target)})
  if result.reweighting_doubts:
    print(f'Doubtful: {result.reweighting_doubts}')
  print(result)
  return doubts


def violation(model: training.VariationalFreeEnergy, result: training.FreeEnergy) -> str:
  """Says in one line that F is beyond the bound of --objective; empty if it is not."""
  if model.constrained is None:
    return ''
  terms = (result.free_energy_per_site, result.statistical_error)
  return model.constrained.doubts(*(result.num_sites * term for term in terms))


def halve_log_densities(
  config: IsingConfig, model: training.VariationalFreeEnergy
) -> training.Halving:
  """ln p of samples of the model at its own steps and in finer ones, its random elements drawn."""
  number = min(CERTIFIED_SAMPLES, config.eval_samples)
  return training.halve_on_samples(
    model.bijector.with_seed(config.seed), number, config.eval_batch_size, config.seed
  )


def report_observables(
  config: IsingConfig, draws: training.Draws, target: targets.Target
) -> list[dict[str, Any]]:
  """Prints what configurations do, the first few beside their exact values, and returns it all."""
  if config.eval_samples < 100 or (config.target == 'ising' and config.coupling == 0):
    return []
  observables = training.measure_observables(draws, target)
  exact = ising_target.exact_observables(target)
  for observable in observables[:5]:
    name = observable.name
    print(observable, f'; exact {exact[name]:.6f}' if name in exact else '', sep='')
  return [{**dataclasses.asdict(one), 'exact': exact.get(one.name)} for one in observables]


def work(experiment: Experiment) -> None:
  """Trains, measures and reports; after a stop what was saved last, before the stop is told."""
  exact = ising_target.exact_per_site(experiment.target)
  doubts = ''
  try:
    train(experiment, exact)
  except training.TrainingStopped as error:
    if training.Backup(experiment.model, experiment.run.backup).restore() == 0:
      raise
    doubts = str(error)
  if strategies.is_chief(experiment.strategy):
    doubts = report(experiment, exact, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def carry_out(config: IsingConfig) -> training.RunDirectory:
  """Trains, measures and reports in this process; returns the directory of the run.

  Raises:
    ValueError: An option, a file or what the directory holds is wrong.
    TrainingStopped: Training was stopped, or the result is in doubt.
  """
  return training_app.carry_out(config, set_up, work)


def main(config: IsingConfig) -> None:
  """Does so as a command: see `training_app.ending`."""
  training_app.main(config, carry_out)
