"""Figures of the paper: arrays in, matplotlib figures out. Needs the `plot` extra."""

from ma_keras.plotting.canvas import save, tile
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
from ma_keras.plotting.thermodynamics import thermodynamics

__all__ = [
  'MNIST_BASELINES',
  'domains',
  'flowing',
  'fluid',
  'free_energy',
  'gallery',
  'latents',
  'likelihood',
  'pixel_maps',
  'save',
  'thermodynamics',
  'tile',
]
