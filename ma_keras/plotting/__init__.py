"""Figures of the paper and of densities: arrays in, matplotlib figures out, by the `plot` extra."""

from ma_keras.plotting.axis import Axis
from ma_keras.plotting.calibration import base_quantiles, uniformity
from ma_keras.plotting.canvas import save, tile
from ma_keras.plotting.clusters import cluster_histograms, cluster_training, structures
from ma_keras.plotting.density import (
  MNIST_BASELINES,
  flowing,
  gallery,
  latents,
  likelihood,
  pixel_maps,
)
from ma_keras.plotting.fluid import fluid
from ma_keras.plotting.free_energy import domains, free_energy
from ma_keras.plotting.information import information_maps
from ma_keras.plotting.table import contours, histogram, pairs
from ma_keras.plotting.thermodynamics import thermodynamics
from ma_keras.plotting.transport import convex_map, paths, transport_cost

__all__ = [
  'MNIST_BASELINES',
  'Axis',
  'base_quantiles',
  'cluster_histograms',
  'cluster_training',
  'contours',
  'convex_map',
  'domains',
  'flowing',
  'fluid',
  'free_energy',
  'gallery',
  'histogram',
  'information_maps',
  'latents',
  'likelihood',
  'pairs',
  'paths',
  'pixel_maps',
  'save',
  'structures',
  'thermodynamics',
  'tile',
  'transport_cost',
  'uniformity',
]
