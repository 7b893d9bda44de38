"""The potential of apps/ising_main.py: the paper's hidden layer, or symmetric convolutions."""

from __future__ import annotations

import functools
import operator
from typing import Any

from absl import flags

import ma_keras
from ma_keras import potentials, symmetry, targets

FLAGS = flags.FLAGS
flags.DEFINE_enum(
  'potential',
  'hidden_layer',
  ('hidden_layer', 'lattice'),
  "The paper's hidden layer, or convolutions with every symmetry of the torus built in.",
)
flags.DEFINE_integer('hidden_units', 512, 'Width H of the hidden layer.', lower_bound=1)
flags.DEFINE_enum(
  'activation', 'log_cosh', ('log_cosh', 'softplus'), 'log_cosh has no bias and is Z2 symmetric.'
)
flags.DEFINE_enum(
  'symmetry',
  'one_element',
  ('one_element', 'average', 'none'),
  'Translations and D4 of the hidden layer: one random element per step (the paper), the exact '
  'average (small lattices), or none.',
)
flags.DEFINE_enum(
  'start',
  'gaussian',
  ('gaussian', 'random'),
  'First flow: to the Gaussian factor of the target (log_cosh and H >= 2 N only), or random.',
)
flags.DEFINE_integer('channels', 10, 'Kernels C of the lattice potential.', lower_bound=1)
flags.DEFINE_integer(
  'kernel_reach',
  None,
  'Rows and columns that the kernels of the lattice potential go, up to L // 2; default: all.',
  lower_bound=0,
)
flags.DEFINE_integer('basis_size', 6, 'Functions of time of the lattice potential.', lower_bound=1)
flags.DEFINE_integer(
  'second_layer', 0, 'Units of a second layer of the lattice potential; 0: none.', lower_bound=0
)
flags.DEFINE_string(
  'start_from', None, "The model.npz of a smaller lattice's run, whose weights to begin with."
)


def build(target: targets.Target) -> potentials.Potential:
  """Builds the potential of --potential."""
  return build_lattice(target) if FLAGS.potential == 'lattice' else build_hidden_layer(target)


def build_hidden_layer(target: targets.Target) -> potentials.Potential:
  """The paper's potential, made symmetric as --symmetry says."""
  if FLAGS.start_from:
    raise ValueError('`--start_from` needs --potential=lattice: dense kernels know one size only.')
  layer = potentials.OneHiddenLayer(
    target.event_size,
    FLAGS.hidden_units,
    activation=FLAGS.activation,
    use_bias=FLAGS.activation != 'log_cosh',
    dtype=target.dtype,
    seed=FLAGS.seed,
  )
  if FLAGS.start == 'gaussian':
    if not isinstance(target, targets.CoupledSpins):
      raise ValueError(
        f'`--start=gaussian` needs the Gaussian factor that --target={FLAGS.target} has not: use '
        '--start=random, or --potential=lattice.'
      )
    layer.start_gaussian(target.covariance, FLAGS.num_steps * FLAGS.step_size)
  return symmetrised(layer)


def symmetrised(potential: potentials.Potential) -> potentials.Potential:
  """phi~ made symmetric under the lattice's space group as --symmetry says."""
  if FLAGS.symmetry == 'none':
    return potential
  if FLAGS.target == 'couplings':
    raise ValueError(
      f'`--symmetry={FLAGS.symmetry}` is that of a square lattice, and --target=couplings knows '
      'none: use --symmetry=none.'
    )
  groups = [symmetry.dihedral(FLAGS.side)]
  if FLAGS.boundary == 'periodic':
    groups.append(symmetry.translations(FLAGS.side))
  if FLAGS.symmetry == 'average':
    return symmetry.GroupAverage(potential, functools.reduce(operator.mul, groups))
  for seed, group in enumerate(groups):  # Nested draws are draws from the product.
    potential = symmetry.OneElementPerInterval(potential, group, FLAGS.step_size, seed)
  return potential


def build_lattice(target: targets.Target) -> potentials.Potential:
  """Hidden convolutions and the quadratic part, for spins started at the Gaussian solution."""
  if FLAGS.boundary != 'periodic' or FLAGS.target == 'couplings':
    raise ValueError(
      f'`--potential=lattice` lives on a torus, got --boundary={FLAGS.boundary} and '
      f'--target={FLAGS.target}: use --potential=hidden_layer.'
    )
  time = FLAGS.num_steps * FLAGS.step_size
  basis = potentials.TimeBasis(time, FLAGS.basis_size) if FLAGS.basis_size > 1 else None
  shared: dict[str, Any] = {
    'time_basis': basis,
    'reach': FLAGS.kernel_reach,
    'dtype': target.dtype,
    'seed': FLAGS.seed,
  }
  terms: list[potentials.Potential] = [potentials.Lattice(FLAGS.side, FLAGS.channels, **shared)]
  if FLAGS.second_layer:
    sizes = (FLAGS.side, FLAGS.channels, FLAGS.second_layer)
    terms.append(potentials.DeepLattice(*sizes, **shared))
  quadratic = potentials.SpectralQuadratic(FLAGS.side, basis, dtype=target.dtype)
  if isinstance(target, targets.CoupledSpins):
    quadratic.start_gaussian(target.covariance, time)
  terms.append(quadratic)
  if FLAGS.start_from:
    begin_with(terms, FLAGS.start_from)
  return potentials.Sum(terms)


def begin_with(terms: list[potentials.Potential], path: str) -> None:
  """The weights of a run of this app, on a lattice that is not larger."""
  found = ma_keras.load(path).bijector.potential
  others = found.terms if isinstance(found, potentials.Sum) else (found,)
  if [type(term) for term in others] != [type(term) for term in terms]:
    raise ValueError(
      f'`--start_from` {path} holds {", ".join(type(term).__name__ for term in others)}: it must '
      'be of --potential=lattice with the same --second_layer.'
    )
  for term, other in zip(terms, others):
    term.start_from(other)
