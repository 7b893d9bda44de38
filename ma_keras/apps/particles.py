"""Variational free energy of particles: pairs and embedded atoms, mean-free or in a box.

from ma_keras.apps import particles
from ma_keras.apps.configuration import ParticlesConfig

run = particles.carry_out(ParticlesConfig(target='dw4', epochs=1))
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import data, targets, training
from ma_keras.apps import (
  ising,
  particles_figures,
  particles_potential,
  particles_reference,
  particles_start,
  particles_target,
  training_app,
)
from ma_keras.apps.configuration import penalty
from ma_keras.apps.configuration.option import options
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.apps.configuration.particles_target import ParticlesTargetConfig
from ma_keras.apps.particles_measure import agree, beyond, line, totals
from ma_keras.apps.particles_monitor import Monitor
from ma_keras.saving import export
from ma_keras.training import strategy as strategies

CERTIFIED_SAMPLES = 256  # At most so many choose the depth that files keep.


@dataclasses.dataclass(frozen=True)
class Experiment:
  """All that a run is made of: its configuration, directory, devices, energy and compiled model."""

  config: ParticlesConfig
  run: training.RunDirectory
  strategy: tf.distribute.Strategy
  target: targets.Particles
  model: training.VariationalFreeEnergy


def build_model(
  target: targets.Particles, config: ParticlesConfig
) -> training.VariationalFreeEnergy:
  """The compiled Keras model; call within the strategy's scope."""
  potential = particles_potential.build(target, config)
  if config.start_from:
    particles_start.begin_with(potential, config.start_from)
  bijector = training_app.build_bijector(potential, config)
  constrained, share = training_app.constrained(config), config.likelihood_share
  if share and constrained:
    raise ValueError('`--objective` goes with reverse KL alone: leave out --likelihood_share.')
  settings = model_settings(config)
  base = target.base(config.base_scale)
  model = (
    training.Jeffreys(bijector, target, **settings, base=base, share=share)
    if share
    else training.VariationalFreeEnergy(
      bijector, target, **settings, base=base, constrained=constrained
    )
  )
  return training_app.compiled(model, config.steps_per_epoch, config)


def model_settings(config: ParticlesConfig) -> dict[str, Any]:
  """Arguments of the model that come from the configuration alone."""
  return {
    'batch_size': config.batch_size,
    'seed': config.seed,
    'penalties': penalty.parse(config.penalty),
    'aids': training.Aids(
      path_gradient=config.path_gradient,
      path_share=config.path_share,
      anneal_steps=config.anneal_steps,
      energy_ceiling=config.energy_ceiling,
    ),
  }


def set_up(config: ParticlesConfig, run: training.RunDirectory) -> Experiment:
  """Everything that can fail for an option's sake, before any work is done."""
  check_untrained(config, run)
  strategy = strategies.make(config.strategy, config.tpu)
  strategies.check_compiled(strategy, config.strategy, config.jit_compile)
  target = particles_target.build(config)
  with strategy.scope():
    model = build_model(target, config)
  if strategies.is_chief(strategy):
    training_app.prepare(config, run, 'particles')
  return Experiment(config, run, strategy, target, model)


def callbacks(experiment: Experiment) -> list[tf_keras.callbacks.Callback]:
  """Guard and refinement; the chief also measures the effective sample size, and writes logs."""
  config, model = experiment.config, experiment.model
  samples_of_epoch = config.batch_size * config.steps_per_epoch
  guard = (
    divergence_guard(experiment.run, model.base.degrees_of_freedom)
    if config.likelihood_share == 1.0
    else training.BoundGuard(None, samples_of_epoch)
  )
  own = [guard, *refinement(config, model)]
  if not strategies.is_chief(experiment.strategy):
    return own
  monitor = [Monitor(model, config)] if config.monitor_samples else []
  return [*own, *monitor, *training_app.logs(experiment.run)]


def divergence_guard(run: training.RunDirectory, margin: float) -> training.DivergenceGuard:
  """The guard of a loss without validation, with what it knew when the run was interrupted."""
  losses = training_app.history(run, 'loss')
  losses = losses[np.isfinite(losses)]
  return training.DivergenceGuard(
    'loss',
    best=training_app.least(losses),
    first=float(losses[0]) if losses.size else None,
    validated=False,
    margin=margin,
  )


def refinement(
  config: ParticlesConfig, model: training.VariationalFreeEnergy
) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    samples = 4 * config.eval_batch_size
    result = training.measure(
      bijector.copy(jitter=0.0),
      model.target,
      samples,
      config.eval_batch_size,
      config.seed,
      base=model.base,
    )
    return result.integration_error

  return [training.Refinement(error, config.refine_tolerance)] if config.refine_tolerance else []


def train(experiment: Experiment) -> None:
  """Minimises the free energy, after the beginning that --begin asks for."""
  config, model = experiment.config, experiment.model
  samples = samples_to_learn_from(experiment) if config.learns_from_chains else None
  if config.begin != 'none' and not training.saved_epochs(experiment.run.backup):
    assert samples is not None
    particles_start.begin(config, experiment.run, model, samples)
  if config.epochs == 0:
    return  # See `check_untrained`.
  training_app.fit(
    config,
    model,
    stream=lambda step: stream(experiment, samples, step),
    steps_per_epoch=config.steps_per_epoch,
    run=experiment.run,
    callbacks=callbacks(experiment),
  )


def check_untrained(config: ParticlesConfig, run: training.RunDirectory) -> None:
  """Raises ValueError where --epochs=0 would measure other weights than those that are saved."""
  if config.epochs == 0 and (saved := training.saved_epochs(run.backup)):
    raise ValueError(
      f'`--epochs=0` in --run_dir={config.directory}, where {saved} epochs are saved: pass '
      f'--epochs={saved} to measure them, or choose another --run_dir.'
    )


def samples_to_learn_from(experiment: Experiment) -> np.ndarray:
  """Samples of the target along the first half of the chains, [n, N]."""
  reference = reference_of(experiment)
  assert reference is not None  # The configuration has seen to it.
  positions = reference.half(second=False).positions
  return positions.reshape(-1, positions.shape[-1])


def stream(experiment: Experiment, samples: np.ndarray | None, step: int) -> Any:
  """Numbers of the draws of every batch from this step on, and samples where it takes them."""
  config, model = experiment.config, experiment.model
  if isinstance(model, training.Jeffreys):
    assert samples is not None  # It learns from chains.
    return data.batches(samples, config.batch_size, config.seed, step)
  return ising.training_stream(model, config.steps_per_epoch)


def reference_of(experiment: Experiment) -> particles_reference.Reference | None:
  """Chains of the target and its ln Z, as the run has them; None where --chains is 0."""
  path = experiment.run.root / 'reference.npz'
  return particles_reference.reference(experiment.target, experiment.config, path)


def report(experiment: Experiment, doubts: str = '') -> str:
  """Measures the trained flow, writes what is to be kept, and prints the result.

  Args:
    experiment: With the weights to be reported.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  config, target, model = experiment.config, experiment.target, experiment.model
  model.bijector = model.bijector.copy(jitter=0.0)  # Random steps are for training alone.
  draws = training.draw(
    model.bijector,
    target,
    config.eval_samples,
    min(config.eval_batch_size, config.eval_samples),
    config.seed,
    config.jit_compile,
    base=model.base,
  )
  result = training.summarise(draws)
  reference = reference_of(experiment)
  if reference and config.learns_from_chains:
    reference = reference.half(second=True)
  agreement = agree(config, model, draws, reference) if reference else None
  number = min(CERTIFIED_SAMPLES, config.eval_samples)
  halving = training.halve_on_samples(
    model.bijector, number, config.eval_batch_size, config.seed, model.base
  )
  doubts = doubts or result.doubts() or halving.doubts() or beyond(result, reference)
  model.bijector = model.bijector.in_steps(halving.certified_steps())
  measured = {**totals(result, agreement, reference), 'doubts': doubts}
  write(experiment, measured)
  if config.figures:
    particles_figures.save(experiment.run, target, draws, reference)
  of_chains = str(reference.doubts) if reference else ''
  of_both = agreement[0].doubts() if agreement else ''
  for doubtful in (result.reweighting_doubts, of_chains, of_both):
    if doubtful:
      print(f'Doubtful: {doubtful}')
  print(line(measured))
  return doubts


def write(experiment: Experiment, measured: dict[str, Any]) -> None:
  """Weights, model file, SavedModel and summary."""
  config, run, model = experiment.config, experiment.run, experiment.model
  training_app.write_weights(model.bijector, run)
  if config.saved_model:
    export.save(model.flow(config.seed), run.saved_model)
  notes = {**{name: getattr(config, name) for name in options(ParticlesTargetConfig)}, **measured}
  saved = ma_keras.model_file.Model(model.bijector, notes=notes, base=model.base)
  ma_keras.model_file.save(run.model, saved)
  steps = {'certified_steps': model.bijector.horizon.num_steps}
  about = {'seed': config.seed, 'version': ma_keras.__version__}
  run.write_summary({**about, **steps, **measured})


def work(experiment: Experiment) -> None:
  """Trains, measures and reports; after a stop what was saved last, before the stop is told."""
  doubts = ''
  try:
    train(experiment)
  except training.TrainingStopped as error:
    if training.Backup(experiment.model, experiment.run.backup).restore() == 0:
      raise
    doubts = str(error)
  if strategies.is_chief(experiment.strategy):
    doubts = report(experiment, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def carry_out(config: ParticlesConfig) -> training.RunDirectory:
  """Trains, measures and reports in this process; returns the directory of the run.

  Raises:
    ValueError: An option, a file or what the directory holds is wrong.
    TrainingStopped: Training was stopped, or the result is in doubt.
  """
  return training_app.carry_out(config, set_up, work)


def main(config: ParticlesConfig) -> None:
  """Does so as a command: see `training_app.ending`."""
  training_app.main(config, carry_out)
