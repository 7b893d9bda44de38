"""The figures of `train density`: Figure 3 of the paper and its companions, and those of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import bases, data, plotting, potentials, seeds, training
from ma_keras.apps import density_table, model_figures
from ma_keras.saving import model_file

COLUMNS = 10  # Images side by side.
MOMENTS = 6  # Rows of a path.
SCORED = 1000  # Test points behind the histogram of latents.


def draw(
  points: data.Dataset, model: training.MaximumLikelihood, run: training.RunDirectory
) -> None:
  """Writes every figure that the data and the potential allow, as PNG, into the run directory.

  Raises:
    ImportError: matplotlib is missing.
  """
  trained, test = as_model(points, model), np.asarray(points.test[:SCORED])
  figures = {'figure3a': likelihood(points, run)}
  if points.contexts:
    return _save(figures, run)  # Every context has a density of its own.
  try:
    figures['calibration'] = model_figures.calibration(trained, test, seed=model.seed)
  except ValueError as error:  # A run keeps its result.
    print(f'No figure of the calibration. {error}')
  if points.is_image:
    figures['latents'] = plotting.latents(latents(points, model))
    figures['figure3b'] = path_to_noise(points, model)
    figures['path_to_images'] = path_to_images(points, model)
    figures['samples'] = samples(points, model)
    figures['depths'] = depths(points, model)
  else:
    figures['density'] = model_figures.density(trained, test, SCORED, seed=model.seed)
  separable = [phi for phi in model.bijector.submodules if isinstance(phi, potentials.Separable)]
  if len(separable) == 1:  # A chain has maps of pixels in every segment of time.
    figures['pixel_maps'] = pixel_maps(points, model, separable[0])
  _save(figures, run)


def _save(figures: dict[str, Any], run: training.RunDirectory) -> None:
  for name, figure in figures.items():
    plotting.save(figure, run.figure(name))
    print(f'Figure: {run.figure(name)}')


def as_model(points: data.Dataset, model: training.MaximumLikelihood) -> model_file.Model:
  """The trained model, as its file has it."""
  base = model.base if isinstance(model.base, bases.Mixture) else None
  shape = points.event_shape if len(points.event_shape) > 1 else None
  conditional = density_table.given_by(model)
  return model_file.Model(
    model.bijector,
    model.preprocessing,
    shape,
    base=base,
    columns=points.columns,
    encoder=conditional and conditional.encoder,
    contexts=points.contexts or None,
  )


def likelihood(points: data.Dataset, run: training.RunDirectory) -> Any:
  """Figure 3(a): what the run logged, beside the baselines where the data are theirs."""
  metrics = run.read_metrics()
  curves = {'training': metrics['nll'], 'validation': metrics['val_nll']}
  baselines = plotting.MNIST_BASELINES if points.name == 'mnist' else None
  return plotting.likelihood(metrics['epoch'], curves, baselines)


def in_logits(points: data.Dataset, model: training.MaximumLikelihood, count: int) -> tf.Tensor:
  """The first test points, dequantised, in the space of the flow."""
  x = data.dequantised(points.test[:count], model.seed)
  return model.preprocessing.inverse(tf.constant(x))


def latents(points: data.Dataset, model: training.MaximumLikelihood) -> np.ndarray:
  """Latents of the test points."""
  return model.bijector.inverse(in_logits(points, model, SCORED)).numpy()


def moments(model: training.MaximumLikelihood) -> list[float]:
  """Times between whole steps, 0 and T among them."""
  horizon = model.bijector.horizon
  steps = np.linspace(0, horizon.num_steps, min(MOMENTS, horizon.num_steps + 1)).round()
  return (steps * horizon.step_size).tolist()


def path_to_noise(points: data.Dataset, model: training.MaximumLikelihood) -> Any:
  """Figure 3(b): test images flowing to the base distribution."""
  times = moments(model)[::-1]
  path = model.bijector.trajectory(in_logits(points, model, COLUMNS), times, reverse=True)
  return plotting.flowing(as_images(points, path.states), path.times.numpy())


def path_to_images(points: data.Dataset, model: training.MaximumLikelihood) -> Any:
  """Noise flowing to images."""
  times = moments(model)
  path = model.bijector.trajectory(noise(points, model, COLUMNS), times)
  return plotting.flowing(as_images(points, path.states), path.times.numpy())


def depths(points: data.Dataset, model: training.MaximumLikelihood) -> Any:
  """Draws samples of equal latents at d/2, d, 2 d and 4 d steps, as pixels."""
  num_steps, z = model.bijector.horizon.num_steps, noise(points, model, COLUMNS)
  fewest = len(getattr(model.bijector, 'flows', [model.bijector]))  # A step for each of a chain.
  numbers = [max(num_steps // 2, fewest), *(num_steps * k for k in (1, 2, 4))]
  flows = [model.bijector.in_steps(d) for d in numbers]
  pictures = [model.preprocessing.forward(flow.forward(z)) for flow in flows]
  return plotting.flowing(as_images(points, tf.stack(pictures)), numbers, label='d')


def samples(points: data.Dataset, model: training.MaximumLikelihood) -> Any:
  """A square of samples, as pixels."""
  z = noise(points, model, COLUMNS * COLUMNS)
  pictures = as_images(points, model.preprocessing.forward(model.bijector.forward(z)))
  return plotting.gallery(pictures)


def noise(points: data.Dataset, model: training.MaximumLikelihood, count: int) -> tf.Tensor:
  """Latents of the figures, equal every time."""
  del points
  seed = seeds.stateless(model.seed, 'figures')
  return bases.latents(model.base, seeds.PerSample(seed, tf.range(count), count))


def as_images(points: data.Dataset, states: tf.Tensor) -> np.ndarray:
  """[..., N] -> [..., height, width, channels]."""
  return states.numpy().reshape(*states.shape[:-1], *points.event_shape)


def pixel_maps(
  points: data.Dataset, model: training.MaximumLikelihood, separable: potentials.Separable
) -> Any:
  """Maps of some pixels by the one-dimensional units alone, over the range of the data."""
  y = in_logits(points, model, SCORED).numpy()
  values = np.linspace(y.min(), y.max(), 200, dtype=np.float32)
  horizon = model.bijector.horizon
  own = ma_keras.MongeAmpereBijector(separable, horizon.num_steps, horizon.step_size)
  mapped = own.inverse(np.tile(values[:, np.newaxis], [1, points.event_size])).numpy()
  chosen = np.linspace(0, points.event_size // 2 + points.event_shape[-1], 5).astype(int)
  return plotting.pixel_maps(values, {f'pixel {i}': mapped[:, i] for i in chosen})
