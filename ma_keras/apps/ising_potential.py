"""The potential of apps/ising_main.py: the paper's hidden layer, or symmetric convolutions."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import potentials, symmetry, targets
from ma_keras.apps import first_weights, training_app
from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.potentials.torus import Torus

GROWTH_SAMPLES = 64  # They tell the size that a flow gives the magnetisation to a tenth.


def build(target: targets.Target, config: IsingConfig) -> potentials.Potential:
  """Builds the potential of --potential."""
  if config.train == 'new_terms' and not config.start_from:
    raise ValueError(
      '`--train=new_terms` trains those that the file of --start_from has not: pass that, or leave '
      'out --train.'
    )
  make = build_lattice if config.potential == 'lattice' else build_hidden_layer
  return make(target, config)


def build_hidden_layer(target: targets.Target, config: IsingConfig) -> potentials.Potential:
  """The paper's potential, made symmetric as --symmetry says."""
  if config.magnetisation_units:
    raise ValueError('`--magnetisation_units` needs --potential=lattice.')
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
  file_terms = saved_terms(config.start_from) if config.start_from else {}
  terms = make_terms(target, config, set(file_terms) if config.train == 'new_terms' else set())
  if config.start_from:
    begin_with(terms, file_terms, config.start_from)
  if not any(term.trainable_variables for term in terms):
    raise ValueError(
      f'`--train=new_terms` with --start_from={config.start_from}, which has all terms of these '
      'flags: ask for one more, or train all.'
    )
  potential = potentials.Sum(terms)
  in_file = file_terms.get(potentials.Magnetisation)
  for term in terms:
    same_size = in_file is not None and in_file.event_size == term.event_size
    if isinstance(term, potentials.Magnetisation) and not same_size:
      term.growth.assign(measured_growth(potential, config))
  return potential


def make_terms(
  target: targets.Target, config: IsingConfig, frozen: set[type]
) -> list[potentials.Potential]:
  """Terms with their first weights; variables of kinds that are frozen are not trained."""
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
  make = functools.partial(make_term, frozen=frozen)
  terms = [make(potentials.Lattice, config.side, config.channels, **shared)]
  if config.second_layer:
    sizes = (config.side, config.channels, config.second_layer)
    terms.append(make(potentials.DeepLattice, *sizes, **shared))
  if config.spin_channels:
    terms.append(make(potentials.SpinLattice, config.side, config.spin_channels, **shared))
  if config.magnetisation_units:
    options = {'time_basis': basis, 'dtype': target.dtype, 'seed': config.seed}
    units = config.magnetisation_units
    magnetisation = make(potentials.Magnetisation, target.event_size, units, **options)
    magnetisation.amplitude.assign(tf.zeros_like(magnetisation.amplitude))  # Its growth is unknown.
    terms.append(magnetisation)
  reach = _reach(config, 'quadratic_reach')
  quadratic = make(
    potentials.SpectralQuadratic, config.side, basis, dtype=target.dtype, reach=reach
  )
  if isinstance(target, targets.Ising):
    site = np.eye(1, target.event_size)[0]
    row = target.couplings.product(site) + target.shift * site
    quadratic.start_gaussian(row.numpy(), time)
  return [*terms, quadratic]


def measured_growth(potential: potentials.Potential, config: IsingConfig) -> float:
  """ln of the standard deviation of the magnetisation at the end of a flow, divided by T.

  Raises:
    ValueError: The flow does not end at finite fields.
  """
  bijector = training_app.build_bijector(potential, config)
  shape = [GROWTH_SAMPLES, potential.event_size]
  z = tf.random.stateless_normal(shape, [config.seed, 1], dtype=potential.dtype)
  totals = tf.reduce_sum(bijector.forward(z), axis=-1) / potential.event_size**0.5
  growth = float(tf.math.log(tf.math.reduce_std(totals)))
  if not np.isfinite(growth):
    raise ValueError(
      '`--magnetisation_units`: the flow that they are added to does not end at finite fields: '
      'begin with other weights, or with more, smaller steps.'
    )
  return growth / (config.num_steps * config.step_size)


def _reach(config: IsingConfig, name: str) -> int:
  """The value of a flag, all of the torus by default; raises ValueError that names the flag."""
  try:
    return Torus(config.side).checked_reach(getattr(config, name))
  except ValueError as error:
    raise ValueError(f'`--{name}`: {error}') from error


def make_term(
  kind: type[potentials.Potential], *args: Any, frozen: set[type], **options: Any
) -> Any:
  """A term of the potential; its variables are not trained where its kind is frozen."""
  if kind not in frozen:
    return kind(*args, **options)
  with tf.variable_creator_scope(_untrained):
    return kind(*args, **options)


def _untrained(create: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
  return create(**{**options, 'trainable': False})


def saved_terms(path: str) -> dict[type[potentials.Potential], potentials.Potential]:
  """Terms of a run of this app by kind; raises ValueError where the file holds none."""
  smaller = first_weights.load_potential(path)
  terms = smaller.terms if isinstance(smaller, potentials.Sum) else (smaller,)
  by_kind = {type(term): term for term in terms}
  if potentials.SpectralQuadratic not in by_kind or len(by_kind) < len(terms):
    raise ValueError(
      f'`--start_from` {path} holds {_names(terms)}: it must be of --potential=lattice, '
      'which has one term of a kind, and a SpectralQuadratic.'
    )
  return by_kind


def begin_with(
  terms: Sequence[potentials.Potential],
  file_terms: Mapping[type[potentials.Potential], potentials.Potential],
  path: str,
) -> None:
  """The weights of a run of this app, on a lattice that is not larger.

  Terms that it has not begin at amplitude zero: the flow is that of the run until they learn.

  Args:
    terms: To begin with them.
    file_terms: Terms of the run by kind.
    path: Its file, for the error.

  Raises:
    ValueError: The run has terms that these are not, or of other sizes.
  """
  if not set(file_terms) <= {type(term) for term in terms}:
    raise ValueError(
      f'`--start_from` {path} holds {_names(tuple(file_terms.values()))}, and these flags ask for '
      f'{_names(terms)}: ask for all that it has, --second_layer, --spin_channels and '
      '--magnetisation_units.'
    )
  for term in terms:
    if type(term) in file_terms:
      _take(term, file_terms[type(term)], path)
    else:
      term.amplitude.assign(tf.zeros_like(term.amplitude))


def _take(term: Any, smaller: potentials.Potential, path: str) -> None:
  """The weights of a term of the file; raises ValueError that says which will not do."""
  try:
    term.start_from(smaller)
  except ValueError as error:
    raise ValueError(f'`--start_from` {path}, its {type(term).__name__}: {error}') from error


def _names(terms: Sequence[potentials.Potential]) -> str:
  """The classes of terms."""
  return ', '.join(type(term).__name__ for term in terms)
