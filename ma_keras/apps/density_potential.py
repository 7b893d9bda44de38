"""The flow of apps/mnist_main.py: its potentials are sums of layers, as flags say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.linalg

from ma_keras import data, potentials, training
from ma_keras.apps import first_weights, training_app
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import FlowChain
from ma_keras.fitting.settings import seed_of_try
from ma_keras.training.likelihood import to_latent_space

LATENT_UNITS = 3  # Per pixel, of the step next to the latents.
SEEDS_APART = 1000  # Of two segments; layers of one have seeds in a row.
COMPONENT_ROWS = 10_000  # Training points of which principal components are taken.
ROWS_AT_ONCE = 1000


def build_flow(points: data.Dataset, config: DensityConfig) -> MongeAmpereBijector | FlowChain:
  """The flow; a chain of --segments flows, each a part of [0, T] with a potential of its own.

  With --latent_units a further flow, next to the latents, is alone given the contexts.
  """
  check_segments(config)
  part = dataclasses.replace(config, num_steps=config.num_steps // config.segments, segments=1)
  seeds = [seed_of_try(config.seed, SEEDS_APART * k) for k in range(config.segments)]
  body = dataclasses.replace(points, contexts=()) if config.latent_units else points
  flows = [training_app.build_bijector(build(body, part, seed), part) for seed in seeds]
  if config.latent_units and points.contexts:
    last = part if config.latent_components else dataclasses.replace(part, num_steps=1)
    flows.append(training_app.build_bijector(build_latent(points, last), last))
  return flows[0] if len(flows) == 1 else FlowChain(flows)


def build_latent(points: data.Dataset, config: DensityConfig) -> potentials.Potential:
  """The potential next to the latents, which is given the contexts."""
  size, context_size = points.event_size, config.context_units
  seed = seed_of_try(config.seed, -SEEDS_APART)
  if config.latent_components:
    directions = principal_directions(points, config.latent_components)
    dense = potentials.OneHiddenLayer(
      config.latent_components,
      config.latent_units,
      time_basis=time_basis(config),
      context_size=context_size,
      seed=seed,
    )
    return potentials.Projected(dense, directions)
  dense = potentials.OneHiddenLayer(size, config.latent_units, context_size=context_size, seed=seed)
  return dense + potentials.Separable(size, LATENT_UNITS, context_size=context_size, seed=seed)


def principal_directions(points: data.Dataset, number: int) -> np.ndarray:
  """Directions of the flow's space in which the data vary most, orthonormal columns [N, number].

  Raises:
    ValueError: There are not so many, or not enough training points to tell.
  """
  if number > points.event_size:
    raise ValueError(
      f'`--latent_components` {number} of points of {points.event_size} coordinates: at most so '
      'many; 0 takes all of them.'
    )
  if number >= len(points.train):
    raise ValueError(
      f'`--latent_components` {number} of {len(points.train)} training points: fewer components '
      'than points, or 0.'
    )
  _, x = points.parts(np.asarray(points.train[:COMPONENT_ROWS]))
  y = to_latent_space(data.for_dataset(points), data.dequantised(x, seed=0), ROWS_AT_ONCE).astype(
    np.float64
  )
  size = points.event_size
  covariance = np.atleast_2d(np.cov(y, rowvar=False))
  return scipy.linalg.eigh(covariance, subset_by_index=[size - number, size - 1])[1]


def time_basis(config: DensityConfig) -> potentials.TimeBasis | None:
  """Functions of time of all amplitudes; None for constant ones."""
  if config.basis_size == 1:
    return None
  return potentials.TimeBasis(config.num_steps * config.step_size, config.basis_size)


def check_segments(config: DensityConfig) -> None:
  """Raises ValueError unless every segment takes as many steps."""
  if config.num_steps % config.segments:
    raise ValueError(
      f'`--segments` {config.segments} must divide --num_steps, got {config.num_steps}: every '
      'segment takes as many steps.'
    )


def build(
  points: data.Dataset, config: DensityConfig, seed: int | None = None
) -> potentials.Potential:
  """The sum of the layers that are asked for; the seed, or --seed, names first weights."""
  seed = config.seed if seed is None else seed
  basis = time_basis(config)
  context_size = config.context_units if points.contexts else None
  terms: list[potentials.Potential] = []
  if config.hidden_units:
    terms.append(build_dense(points, config, basis, seed, context_size))
  if config.separable_units:
    terms.append(
      potentials.Separable(
        points.event_size,
        config.separable_units,
        spread=config.separable_spread,
        steepness=config.separable_steepness,
        time_basis=basis,
        seed=seed,
        context_size=context_size,
      )
    )
  for number, layer in enumerate(config.local.split('+') if config.local else ()):
    terms.append(build_local(layer, points, basis, seed + number, context_size))
  if not terms:
    raise ValueError('The potential is empty: pass --hidden_units, --separable_units or --local.')
  return terms[0] if len(terms) == 1 else potentials.Sum(terms)


def build_dense(
  points: data.Dataset,
  config: DensityConfig,
  basis: potentials.TimeBasis | None,
  seed: int,
  context_size: int | None = None,
) -> potentials.OneHiddenLayer:
  """The paper's potential, at its start."""
  dense = potentials.OneHiddenLayer(
    points.event_size,
    config.hidden_units,
    time_basis=basis,
    seed=seed,
    context_size=context_size,
  )
  if config.dense_start == 'per_pixel':
    dense.start_per_coordinate()
  return dense


def build_local(
  layer: str,
  points: data.Dataset,
  basis: potentials.TimeBasis | None,
  seed: int,
  context_size: int | None = None,
) -> potentials.Potential:
  """Local units out of 'patch,stride,units', or two layers by ',second_units,reach' beside."""
  sizes = layer.split(',')
  if len(sizes) not in (3, 5) or not all(size.strip().isdigit() for size in sizes):
    raise ValueError(
      f'`--local` must be patch,stride,units, got {layer!r}: --local=8,4,64, say, or '
      '8,4,8,16,2 for 16 units that see the first 8 of each of 2 x 2 patches; + joins several.'
    )
  if not points.is_image:
    raise ValueError(f'`--local` needs images, got points of shape {points.event_shape}.')
  patch, stride, units, *second = (int(size) for size in sizes)
  height, width, channels = points.event_shape
  image = (height, width, channels)
  options: dict[str, Any] = {'time_basis': basis, 'seed': seed, 'context_size': context_size}
  if not second:
    return potentials.LocallyConnected(image, patch, stride, units, **options)
  second_units, reach = second
  return potentials.DeepLocallyConnected(
    image, patch, stride, units, second_units, reach, **options
  )


def begin_with(model: training.MaximumLikelihood, path: str) -> None:
  """The weights of a run with the same flags of the potential; those of its encoder as well.

  Those of a run without contexts begin the flows that are given none.

  Raises:
    ValueError: They have other names or shapes.
  """
  start: Any = first_weights.load(path)
  saved = [*start.bijector.variables, *_encoder_variables(start)]
  if start.is_conditional or not isinstance(model.bijector, FlowChain):
    variables = [
      *model.bijector.variables,
      *_encoder_variables(getattr(model, 'conditional', None)),
    ]
  else:
    flows = [flow for flow in model.bijector.flows if not flow.potential.needs_context]
    variables = [variable for flow in flows for variable in flow.variables]
  first_weights.assign(variables, saved, path, of='data and potential')


def _encoder_variables(owner: Any) -> list[Any]:
  encoder = getattr(owner, 'encoder', None)
  return [] if encoder is None else list(encoder.variables)
