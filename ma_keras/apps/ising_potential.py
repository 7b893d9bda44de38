"""The potential of apps/ising_main.py: the paper's hidden layer, or symmetric convolutions."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import potentials, symmetry, targets
from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.potentials.torus import Torus


def build(target: targets.Target, config: IsingConfig) -> potentials.Potential:
  """Builds the potential of --potential."""
  make = build_lattice if config.potential == 'lattice' else build_hidden_layer
  return make(target, config)


def build_hidden_layer(target: targets.Target, config: IsingConfig) -> potentials.Potential:
  """The paper's potential, made symmetric as --symmetry says."""
  if config.start_from:
    raise ValueError('`--start_from` needs --potential=lattice: dense kernels know one size only.')
  layer = potentials.OneHiddenLayer(
    target.event_size,
    config.hidden_units,
    activation=config.activation,
    use_bias=config.activation != 'log_cosh',
    dtype=target.dtype,
    seed=config.seed,
  )
  if config.start == 'gaussian':
    if not isinstance(target, targets.CoupledSpins):
      raise ValueError(
        f'`--start=gaussian` needs the Gaussian factor that --target={config.target} has not: use '
        '--start=random, or --potential=lattice.'
      )
    layer.start_gaussian(target.covariance, config.num_steps * config.step_size)
  return symmetrised(layer, config)


def symmetrised(potential: potentials.Potential, config: IsingConfig) -> potentials.Potential:
  """phi~ made symmetric under the lattice's space group as --symmetry says."""
  if config.symmetry == 'none':
    return potential
  if config.target == 'couplings':
    raise ValueError(
      f'`--symmetry={config.symmetry}` is that of a square lattice, and --target=couplings knows '
      'none: use --symmetry=none.'
    )
  groups = [symmetry.dihedral(config.side)]
  if config.boundary == 'periodic':
    groups.append(symmetry.translations(config.side))
  if config.symmetry == 'average':
    return symmetry.GroupAverage(potential, functools.reduce(operator.mul, groups))
  for seed, group in enumerate(groups):  # Nested draws are draws from the product.
    potential = symmetry.OneElementPerInterval(potential, group, config.step_size, seed)
  return potential


def build_lattice(target: targets.Target, config: IsingConfig) -> potentials.Potential:
  """Hidden convolutions and the quadratic part, for spins started at the Gaussian solution."""
  if config.boundary != 'periodic' or config.target == 'couplings':
    raise ValueError(
      f'`--potential=lattice` lives on a torus, got --boundary={config.boundary} and '
      f'--target={config.target}: use --potential=hidden_layer.'
    )
  time = config.num_steps * config.step_size
  basis, layer_basis = (
    potentials.TimeBasis(time, size) if size > 1 else None
    for size in (config.basis_size, config.layer_basis_size)
  )
  shared: dict[str, Any] = {
    'time_basis': basis,
    'layer_basis': layer_basis,
    'reach': _reach(config, 'kernel_reach'),
    'dtype': target.dtype,
    'seed': config.seed,
  }
  terms: list[potentials.Potential] = [potentials.Lattice(config.side, config.channels, **shared)]
  if config.second_layer:
    sizes = (config.side, config.channels, config.second_layer)
    terms.append(potentials.DeepLattice(*sizes, **shared))
  if config.spin_channels:
    terms.append(potentials.SpinLattice(config.side, config.spin_channels, **shared))
  quadratic = potentials.SpectralQuadratic(
    config.side, basis, dtype=target.dtype, reach=_reach(config, 'quadratic_reach')
  )
  if isinstance(target, targets.Ising):
    site = np.eye(1, target.event_size)[0]
    row = target.couplings.product(site) + target.shift * site
    quadratic.start_gaussian(row.numpy(), time)
  terms.append(quadratic)
  if config.start_from:
    begin_with(terms, config.start_from)
  return potentials.Sum(terms)


def _reach(config: IsingConfig, name: str) -> int:
  """The value of a flag, all of the torus by default; raises ValueError that names the flag."""
  try:
    return Torus(config.side).checked_reach(getattr(config, name))
  except ValueError as error:
    raise ValueError(f'`--{name}`: {error}') from error


def begin_with(terms: list[potentials.Potential], path: str) -> None:
  """The weights of a run of this app, on a lattice that is not larger.

  Terms that it has not begin at amplitude zero: the flow is that of the run until they learn.
  """
  smaller = ma_keras.load(path).bijector.potential
  smaller_terms = smaller.terms if isinstance(smaller, potentials.Sum) else (smaller,)
  by_type = {type(term): term for term in smaller_terms}
  kinds = set(by_type)
  if potentials.SpectralQuadratic not in kinds or len(kinds) < len(smaller_terms):
    raise ValueError(
      f'`--start_from` {path} holds {_names(smaller_terms)}: it must be of --potential=lattice, '
      'which has one term of a kind, and a SpectralQuadratic.'
    )
  if not kinds <= {type(term) for term in terms}:
    raise ValueError(
      f'`--start_from` {path} holds {_names(smaller_terms)}, and these flags ask for '
      f'{_names(terms)}: ask for all that it has, --second_layer and --spin_channels.'
    )
  for term in terms:
    if type(term) in by_type:
      _take(term, by_type[type(term)], path)
    else:
      term.amplitude.assign(tf.zeros_like(term.amplitude))


def _take(term: potentials.Potential, smaller: potentials.Potential, path: str) -> None:
  """The weights of a term of the file; raises ValueError that says which will not do."""
  try:
    term.start_from(smaller)
  except ValueError as error:
    raise ValueError(f'`--start_from` {path}, its {type(term).__name__}: {error}') from error


def _names(terms: Sequence[potentials.Potential]) -> str:
  """The classes of terms."""
  return ', '.join(type(term).__name__ for term in terms)
