"""Options of the potential of the density app: a sum of layers."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, choice, integer, number, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityPotentialConfig(Configuration):
  """Dense units, units of single coordinates and units on patches, in every segment of time."""

  hidden_units: int = integer(1024, 'Dense hidden units H; 0: none.', lower=0, fixes_run=True)
  dense_start: str = choice(
    'random',
    ('random', 'per_pixel'),
    'First kernels of the dense units: all random, or one for every pixel and the rest random.',
    fixes_run=True,
  )
  separable_units: int = integer(0, 'Units per pixel; 0: none.', lower=0, fixes_run=True)
  separable_spread: float = number(
    2.0, 'They are centred within +- this.', lower=0.0, fixes_run=True
  )
  separable_steepness: float = number(1.0, 'Their first steepness.', lower=1e-6, fixes_run=True)
  local: str = text(
    '',
    'Locally connected layers, patch,stride,units each: 8,4,64 or 8,4,64+14,7,32. Two layers: '
    'patch,stride,units,second_units,reach, such as 8,4,8,16,2.',
    fixes_run=True,
  )
  context_units: int = integer(
    32,
    "Numbers that a network of two layers makes of --context_columns, the potential's context.",
    lower=1,
    fixes_run=True,
  )
  latent_units: int = integer(
    0,
    'Dense units of a further step next to the latents, which alone is given the contexts: many '
    'of them, as classes, then cost hardly more than one; 0: all potentials are given them.',
    lower=0,
    fixes_run=True,
  )
  latent_components: int = integer(
    0,
    'Principal components of images that --latent_units see and move, in as many steps as a '
    'segment has; 0: all coordinates, in one step. Some forty tell classes of images apart best.',
    lower=0,
    fixes_run=True,
  )
  basis_size: int = integer(1, 'Functions of time per amplitude.', lower=1, fixes_run=True)
  segments: int = integer(
    1,
    'Equal parts of [0, T], each with a potential of its own: a chain of so many flows.',
    lower=1,
    fixes_run=True,
  )
