"""The likelihood or free energy of a trained model, and what its paths cost, with their errors.

A density is measured on the test points of its data, a flow of spins or fields on fresh samples,
weighed against its own target.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

import tensorflow_probability as tfp

import ma_keras
from ma_keras import data, targets, training, transport
from ma_keras.apps import density_classes, density_data, ising_target, model_app, particles_target
from ma_keras.apps.configuration.evaluate import EvaluateConfig
from ma_keras.apps.configuration.option import options
from ma_keras.apps.configuration.particles_target import PARTICLES, ParticlesTargetConfig
from ma_keras.apps.configuration.target import TargetConfig
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.data import pictures
from ma_keras.distributions import BatchNormalisation
from ma_keras.distributions.flow_chain import event_size
from ma_keras.files.replacing import check_apart, replacing
from ma_keras.saving import model_file

SAMPLES = 4096


def test_data(model: model_file.Model, config: EvaluateConfig) -> data.Dataset:
  """The split that the model was trained with: it has seen all but its test points."""
  config = density_data.restored(config, model.notes)
  model_app.check_contexts(model, config)
  contexts = model.contexts or ()
  points = density_data.load(config, model_columns=model.columns, contexts=contexts)
  size = event_size(model.bijector)
  if points.event_size != size:
    raise ValueError(
      f'`--model` {config.model} takes points of {size} numbers, and {points.name!r} has '
      f'{points.event_size}: name its data by --dataset or --dataset_file.'
    )
  _check_pixels(model, points, config)
  return points


def likelihood(
  model: model_file.Model, config: EvaluateConfig, points: data.Dataset | None = None
) -> training.Likelihood:
  """On test points of `test_data`."""
  points = test_data(model, config) if points is None else points
  return training.measure_likelihood(
    model.bijector,
    model.preprocessing or tfp.bijectors.Identity(),
    points.test[: config.n or None],
    points.levels,
    config.batch_size,
    config.seed,
    config.draws,
    config.tolerance,
    base=model.base,
    conditional=model.latent_flow() if model.is_conditional else None,
  )


def _check_pixels(model: model_file.Model, points: data.Dataset, config: EvaluateConfig) -> None:
  """Raises ValueError on pictures of another shape, or pixels of other levels, than the model's."""
  if model.event_shape and min(len(model.event_shape), len(points.event_shape)) > 1:
    pictures.check_shape(points.name, points.event_shape, model.event_shape)
  levels = model.levels
  if levels is not None and points.levels != levels:
    given = 'real numbers' if points.levels is None else f'{points.levels}'
    raise ValueError(
      f'`--model` {config.model} takes pixels of {levels} levels, and {points.name!r} has {given}: '
      f'name its data by --dataset or --dataset_file, and say --levels={levels} of a table.'
    )


def free_energy(model: model_file.Model, config: EvaluateConfig) -> training.FreeEnergy:
  """On fresh samples, of the target that the model was trained for."""
  target, exact = target_of(model.notes)
  size = min(config.batch_size, config.n or SAMPLES)
  number = config.n or SAMPLES
  return training.measure(
    model.bijector, target, number, size, config.seed, exact_per_site=exact, base=model.base
  )


def target_of(notes: dict[str, Any]) -> tuple[targets.Target, float | None]:
  """The target that a model was trained for, and -ln Z/N where it is known."""
  if notes['target'] in PARTICLES:
    own = {name: notes[name] for name in options(ParticlesTargetConfig) if name in notes}
    return particles_target.build(ParticlesTargetConfig(**own)), None
  own = {name: notes[name] for name in options(TargetConfig) if name in notes}
  target = ising_target.build(TargetConfig(**own))
  return target, ising_target.exact_per_site(target)


def measure(config: EvaluateConfig) -> training.FreeEnergy | training.Likelihood:
  """The free energy of spins and fields, the likelihood of data."""
  return measured(model_app.load(config), config)[0]


def measured(
  model: model_file.Model, config: EvaluateConfig
) -> tuple[training.FreeEnergy | training.Likelihood, density_classes.ClassAccuracy | None]:
  """`measure` of a model that is at hand; and the classes of --classify test points."""
  model_app.check_steps(model, config)
  density_classes.check(model, config)
  if 'target' in model.notes:
    return free_energy(model, config), None
  points = test_data(model, config)
  result = likelihood(model, config, points)
  return result, density_classes.of_model(model, points, config, result)


def transport_cost(
  model: model_file.Model, config: EvaluateConfig
) -> transport.TransportCost | None:
  """Energy, straightness and bounds of the paths from the base; None where --paths is 0."""
  if not config.paths:
    return None
  if model.is_conditional:
    print('No cost of paths: it is another under every context (--paths=0 leaves this out).')
    return None
  if any(isinstance(part, BatchNormalisation) for part in model.bijector.submodules):
    print('No cost of paths: a normalisation moves points in no time (--paths=0 leaves this out).')
    return None
  size = min(config.batch_size, config.paths)
  return transport.transport_cost(model.bijector, config.paths, size, config.seed, model.base)


def write(
  config: EvaluateConfig,
  result: training.FreeEnergy | training.Likelihood,
  classes: density_classes.ClassAccuracy | None,
  cost: transport.TransportCost | None,
) -> None:
  """Writes --output, whole or not at all."""
  if config.output is None:
    return
  described = {
    'model': config.model,
    'seed': config.seed,
    'version': ma_keras.__version__,
    'measured': plain(dataclasses.asdict(result)),
    'classes': classes and {**plain(dataclasses.asdict(classes)), 'doubts': classes.doubts()},
    'transport': cost and {**cost.summary(), 'doubts': cost.doubts()},
    'doubts': result.doubts(),
  }
  with replacing(pathlib.Path(config.output)) as beside:
    beside.write_text(json.dumps(described, indent=2) + '\n')


def work(config: EvaluateConfig) -> None:
  """Measures, writes and prints; what is in doubt ends with its own exit code."""
  if config.output is not None:
    check_apart(config.output, config.model, config.dataset_file)
  model = model_app.load(config)
  result, classes = measured(model, config)
  print('; '.join(str(part) for part in (result, classes) if part is not None))
  cost = transport_cost(model, config)
  if cost is not None:
    print(cost)
  write(config, result, classes, cost)
  doubts = [part.doubts() for part in (result, classes, cost) if part is not None]
  if any(doubts):
    end(ExitCode.STOPPED, next(filter(None, doubts)))


def plain(numbers: dict[str, Any]) -> dict[str, Any]:
  """Returns the numbers, with None for what JSON has no number for: NaN and infinity."""
  return {
    name: None if isinstance(value, float) and not math.isfinite(value) else value
    for name, value in numbers.items()
  }


def main(config: EvaluateConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
