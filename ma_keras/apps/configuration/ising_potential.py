"""Options of the potential of the Ising app: a hidden layer, or symmetric convolutions."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, choice, integer, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class IsingPotentialConfig(Configuration):
  """The paper's hidden layer made symmetric, or a lattice potential."""

  potential: str = choice(
    'hidden_layer',
    ('hidden_layer', 'lattice'),
    "The paper's hidden layer, or convolutions with every symmetry of the torus built in.",
    fixes_run=True,
  )
  hidden_units: int = integer(512, 'Width H of the hidden layer.', lower=1, fixes_run=True)
  activation: str = choice(
    'log_cosh',
    ('log_cosh', 'softplus'),
    'log_cosh has no bias and is Z2 symmetric.',
    fixes_run=True,
  )
  symmetry: str = choice(
    'one_element',
    ('one_element', 'average', 'none'),
    'Translations and D4 of the hidden layer: one random element per step (the paper), the exact '
    'average (small lattices), or none.',
    fixes_run=True,
  )
  start: str = choice(
    'gaussian',
    ('gaussian', 'random'),
    'First flow: to the Gaussian factor of the target (log_cosh and H >= 2 N only), or random.',
    fixes_run=True,
  )
  channels: int = integer(10, 'Kernels C of the lattice potential.', lower=1, fixes_run=True)
  kernel_reach: int | None = integer(
    None,
    'Rows and columns that the kernels of the lattice potential go, up to L // 2; default: all.',
    lower=0,
    fixes_run=True,
  )
  quadratic_reach: int | None = integer(
    None,
    'Rows and columns that the quadratic part of the lattice potential goes, up to L // 2; '
    'default: all. Far ones hardly matter on large lattices, and are most of the parameters.',
    lower=0,
    fixes_run=True,
  )
  basis_size: int = integer(
    6, 'Functions of time of the lattice potential.', lower=1, fixes_run=True
  )
  layer_basis_size: int = integer(
    1,
    'Functions of time of the kernels within the lattice potential; 1: constant.',
    lower=1,
    fixes_run=True,
  )
  second_layer: int = integer(
    0, 'Units of a second layer of the lattice potential; 0: none.', lower=0, fixes_run=True
  )
  spin_channels: int = integer(
    0,
    'Kernels of soft spins tanh(s x) beside those of x in the lattice potential; 0: none.',
    lower=0,
    fixes_run=True,
  )
  magnetisation_units: int = integer(
    0,
    'Functions of the magnetisation in the lattice potential, whose two peaks kernels are slow to '
    'learn on large lattices; 0: none.',
    lower=0,
    fixes_run=True,
  )
  train: str = choice(
    'all',
    ('all', 'new_terms'),
    'Terms of the lattice potential that are trained: all, or those that the file of --start_from '
    'has not, beside which the others stay as they are.',
    fixes_run=True,
  )
  start_from: str | None = text(
    None,
    'The model.npz of a run on a lattice that is not larger, whose weights to begin with; '
    'terms and functions of time that it has not begin at zero.',
    fixes_run=True,
    names_file=True,
  )
