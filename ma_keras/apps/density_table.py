"""Steps of the density app for a table: settings by its size, a report, a start, baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras import data, fitting, potentials, training
from ma_keras.apps import density_potential
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.data import columns, disk_rows
from ma_keras.distributions.flow_chain import event_size
from ma_keras.files.replacing import replacing
from ma_keras.fitting import flow
from ma_keras.fitting.settings import seed_of_try
from ma_keras.saving import model_file
from ma_keras.training.halving import Halving, Scorer, halve
from ma_keras.training.likelihood import latent_rows

SURVEY_ROWS = 100_000
MOST_STEPS = 500  # Of an epoch, where --epochs is not given.
MOST_ROWS = 200_000  # So many training rows are fitted before training.


def is_table(points: data.Dataset) -> bool:
  """Tells rows of real numbers from pictures, and from what is quantised as they are."""
  return points.levels is None and not points.is_image


def settings(points: data.Dataset, config: DensityConfig) -> dict[str, float]:
  """Options that have a value by the size of the table, unless they were given."""
  chosen = fitting.Settings.for_table(len(points.train), points.event_size)
  num_steps = config.segments * math.ceil(chosen.num_steps / config.segments)
  num_steps = config.num_steps if 'num_steps' in config.overrides else num_steps
  sizes = {'hidden_units', 'epochs', 'steps_per_epoch'}
  free = not config.overrides & sizes and config.begins_anew
  free = free and not points.contexts  # An encoder would have to begin anew as well.
  return {
    'tries': chosen.affordable_tries(points.event_size) if free else 1,
    'hidden_units': chosen.hidden_units,
    'basis_size': chosen.basis_size,
    'num_steps': num_steps,
    'step_size': chosen.time / num_steps,
    'batch_size': chosen.batch_size,
    'learning_rate': chosen.learning_rate,
    'gradient_clip': chosen.gradient_clip,
    'patience': patience(chosen, config),
  }


def patience(chosen: fitting.Settings, config: DensityConfig) -> int:
  """As many steps without a gain as suit the table, in epochs of --steps_per_epoch."""
  epoch = config.steps_per_epoch or chosen.steps_per_epoch
  return math.ceil(chosen.patience * chosen.steps_per_epoch / epoch)


def warmup_steps(points: data.Dataset, config: DensityConfig) -> int:
  """One step in twenty of those that --epochs make, as `fitting.Settings` has it."""
  return config.epochs * steps_per_epoch(points, config) // 20


def steps_per_epoch(points: data.Dataset, config: DensityConfig) -> int:
  """--steps_per_epoch, or every training point once if there is no table or --epochs is given.

  Without them as many passes over few rows as make a training of so many epochs, and of millions of
  rows a part.
  """
  if config.steps_per_epoch:
    return config.steps_per_epoch
  once = max(len(points.train) // config.batch_size, 1)
  if not is_table(points) or 'epochs' in config.overrides:
    return once
  steps = fitting.Settings.for_table(len(points.train), points.event_size).steps
  return min(once * max(round(steps / (config.epochs * once)), 1), MOST_STEPS)


def surveyed(points: data.Dataset, column_kind: str) -> tuple[columns.Column, ...]:
  """The columns of all rows, with the kinds of --column_kind; raises ValueError on constants."""
  names = points.columns
  report = columns.survey_blocks(_blocks(points), names)
  kinds = columns.kinds_from_flag(column_kind, [column.name for column in report])
  return columns.with_kinds(report, kinds)


def _blocks(points: data.Dataset) -> Iterator[np.ndarray]:
  """All rows; those on disk in the order of the file, since splits would read a page for each."""
  parts: list[Any] = [points.train, points.validation, points.test]
  if isinstance(points.train, disk_rows.DiskRows):
    apart = [part for part in parts if getattr(part, 'path', None) != points.train.path]
    parts = [points.train.whole(), *apart]
  for part in parts:
    for k in range(0, len(part), SURVEY_ROWS):
      yield points.parts(np.asarray(part[k : k + SURVEY_ROWS]))[1]


def report(
  points: data.Dataset, surveyed: tuple[columns.Column, ...], run: training.RunDirectory
) -> None:
  """Writes the report on the columns into the run directory, and prints what is in doubt."""
  _, rows = points.parts(points.train[:SURVEY_ROWS])
  names = [column.name for column in surveyed]
  pairs, groups = columns.collinear(rows, names), columns.dependent(rows, names)
  for name, text in (
    ('columns.txt', columns.report(surveyed, pairs, groups)),
    ('columns.json', columns.as_json(surveyed, pairs, groups)),
  ):
    with replacing(run.root / name) as beside:
      beside.write_text(text, encoding='utf-8')
  maps = [f'{c.name} {columns.suggestion(c)}' for c in surveyed if c.kind != 'real' or c.step]
  if maps:
    print(f'Columns mapped: {"; ".join(maps)}.', flush=True)
  for remark in columns.remarks(surveyed, pairs, groups):
    print(f'In doubt: {remark}', flush=True)


def start(
  config: DensityConfig,
  points: data.Dataset,
  surveyed: tuple[columns.Column, ...],
  run: training.RunDirectory,
) -> fitting.Start:
  """The start that the run began with; a new one where it has not begun."""
  if run.start.exists():
    model = model_file.load(run.start)
    maps: Any = model.preprocessing
    return fitting.Start(maps, model.base)
  return fitting.Start.fitted(
    points.parts(points.train[:MOST_ROWS])[1],
    surveyed,
    config.seed,
    with_mixture=config.base == 'auto',
    held_out=points.parts(np.asarray(points.validation[:MOST_ROWS]))[1],
  )


def keep(start: fitting.Start, bijector: MongeAmpereBijector, run: training.RunDirectory) -> None:
  """Writes the start for the same command later."""
  if not run.start.exists():
    model_file.save(run.start, model_file.Model(bijector, start.maps, base=start.base))


def first_potentials(points: data.Dataset, config: DensityConfig) -> list[potentials.Potential]:
  """Potentials of --tries seeds, as x = z; the first is that of --seed."""
  seeds = [seed_of_try(config.seed, k) for k in range(config.tries)]
  first = [density_potential.build(points, config, seed) for seed in seeds]
  for potential in first:
    begin_as_identity(potential)
  return first


def begin_as_identity(module: tf.Module) -> None:
  """Sets amplitudes to zero: the flow begins as x = z, its likelihood as that of the start."""
  for part in (module, *module.submodules):
    if isinstance(part, potentials.OneHiddenLayer | potentials.Separable):
      part.amplitude.assign(np.zeros(part.amplitude.shape))


def begin_with_the_best(
  epochs: int,
  model: training.MaximumLikelihood,
  train: Callable[[list[tf_keras.callbacks.Callback]], Any],
  validation: training.Validation,
  first: Sequence[potentials.Potential],
) -> None:
  """Trains the model from each of several first weights, and sets it to the best ones of these.

  Args:
    epochs: Without a better one after which a training ends.
    model: Compiled; it ends at the beginning of a training.
    train: Callbacks -> a training of the model.
    validation: Says which is the best.
    first: Potentials with these first weights.
  """
  least = []
  for potential in first:
    flow.begin(model, potential.variables)
    best = flow.Best(math.inf, epochs)
    train([validation, best])
    least.append(best.least)
  number = int(np.argmin(least))
  flow.begin(model, first[number].variables)
  print(f'Of {len(first)} first weights number {number} are the best after training.', flush=True)


def given_by(model: training.MaximumLikelihood) -> Any:
  """The conditional density that a model trains; None of one without contexts."""
  return getattr(model, 'conditional', None)


def start_log_prob(model: training.MaximumLikelihood, rows: np.ndarray) -> np.ndarray:
  """ln p(y, 0) of rows [o, y] of the flow's space, [n], whatever they are given."""
  y = rows[:, -event_size(model.bijector) :]
  return model.base.log_prob(y.astype(model.bijector.dtype.as_numpy_dtype)).numpy()


def keep_start_without_gain(
  model: training.MaximumLikelihood, validation: training.Validation
) -> None:
  """Sets the flow to x = z, and says so, if held-out rows gain no more by it than chance gives."""
  rows, bijector = validation.points, model.bijector
  scorer = Scorer(bijector, validation.batch_size, base=model.base, conditional=given_by(model))
  first_steps = bijector.horizon.num_steps
  halving = halve(lambda num_steps: scorer(rows, num_steps), first_steps, Halving.within)
  gain, error = flow.gained(halving.fine, start_log_prob(model, rows))
  if flow.beyond_chance(gain, error):
    return
  begin_as_identity(bijector)
  print(
    f'Held-out rows gain {gain:.2g} +- {error:.1g} nats by the flow, no more than chance gives: '
    'the model is its start, x = z.',
    flush=True,
  )


def compared(
  config: DensityConfig,
  points: data.Dataset,
  model: training.MaximumLikelihood,
  num_steps: int,
) -> tuple[str, str]:
  """Compares the flow with a Gaussian and a mixture on test rows, and doubts it if it is worse.

  Args:
    config: Points, seed and size of batches.
    points: The data.
    model: Trained.
    num_steps: In which its likelihood is certified.

  Returns:
    The comparison, and the doubt, empty if there is none.
  """
  cells = model.preprocessing.cell_sizes
  contexts, test = points.parts(points.test[: config.eval_points or None])
  test = data.dequantised(test, config.seed, 0, cells)
  train = data.dequantised(points.parts(points.train[:MOST_ROWS])[1], config.seed, 1, cells)
  baselines = fitting.Baselines.fitted(train, test, config.seed)
  rows = latent_rows(model.preprocessing, contexts, test, config.eval_batch_size)
  conditional = given_by(model)
  scorer = Scorer(model.bijector, config.eval_batch_size, base=model.base, conditional=conditional)
  log_prob = scorer(rows, num_steps)
  log_prob = log_prob + training.log_dets(model.preprocessing, test, config.eval_batch_size)
  losses = -log_prob - baselines.gaussian_losses
  worse, error = float(np.mean(losses)), float(np.std(losses, ddof=1) / math.sqrt(len(losses)))
  doubt = ''
  if not worse <= 2.0 * error:
    doubt = (
      f'The flow is {worse:.2g} +- {error:.1g} nats worse than a Gaussian with full covariance: do '
      'not use it. Leave the flags of the model at their defaults, or lower --learning_rate.'
    )
  return baselines.compared(float(-np.mean(log_prob))), doubt
