"""The potential of apps/mnist_main.py: a sum of layers, as flags say."""

from __future__ import annotations

from absl import flags

from ma_keras import data, potentials

FLAGS = flags.FLAGS
flags.DEFINE_integer('hidden_units', 1024, 'Dense hidden units H; 0: none.', lower_bound=0)
flags.DEFINE_enum(
  'dense_start',
  'random',
  ['random', 'per_pixel'],
  'First kernels of the dense units: all random, or one for every pixel and the rest random.',
)
flags.DEFINE_integer('separable_units', 0, 'Units per pixel; 0: none.', lower_bound=0)
flags.DEFINE_float('separable_spread', 2.0, 'They are centred within +- this.', lower_bound=0.0)
flags.DEFINE_float('separable_steepness', 1.0, 'Their first steepness.', lower_bound=1e-6)
flags.DEFINE_string(
  'local', '', 'Locally connected layers, patch,stride,units each: 8,4,64 or 8,4,64+14,7,32.'
)
flags.DEFINE_integer('basis_size', 1, 'Functions of time per amplitude.', lower_bound=1)


def build(points: data.Dataset, seed: int | None = None) -> potentials.Potential:
  """The sum of the layers that the flags ask for; the seed, or --seed, names first weights."""
  seed = FLAGS.seed if seed is None else seed
  basis = None
  if FLAGS.basis_size > 1:
    basis = potentials.TimeBasis(FLAGS.num_steps * FLAGS.step_size, FLAGS.basis_size)
  terms: list[potentials.Potential] = []
  if FLAGS.hidden_units:
    terms.append(build_dense(points, basis, seed))
  if FLAGS.separable_units:
    terms.append(
      potentials.Separable(
        points.event_size,
        FLAGS.separable_units,
        spread=FLAGS.separable_spread,
        steepness=FLAGS.separable_steepness,
        time_basis=basis,
        seed=seed,
      )
    )
  for number, layer in enumerate(FLAGS.local.split('+') if FLAGS.local else ()):
    terms.append(build_local(layer, points, basis, seed + number))
  if not terms:
    raise ValueError('The potential is empty: pass --hidden_units, --separable_units or --local.')
  return terms[0] if len(terms) == 1 else potentials.Sum(terms)


def build_dense(
  points: data.Dataset, basis: potentials.TimeBasis | None, seed: int
) -> potentials.OneHiddenLayer:
  """The paper's potential, at its start."""
  dense = potentials.OneHiddenLayer(
    points.event_size, FLAGS.hidden_units, time_basis=basis, seed=seed
  )
  if FLAGS.dense_start == 'per_pixel':
    dense.start_per_coordinate()
  return dense


def build_local(
  layer: str, points: data.Dataset, basis: potentials.TimeBasis | None, seed: int
) -> potentials.Potential:
  """A locally connected layer out of 'patch,stride,units'."""
  sizes = layer.split(',')
  if len(sizes) != 3 or not all(size.strip().isdigit() for size in sizes):
    raise ValueError(
      f'`--local` must be patch,stride,units, got {layer!r}: --local=8,4,64, say; + joins several.'
    )
  if not points.is_image:
    raise ValueError(f'`--local` needs images, got points of shape {points.event_shape}.')
  patch, stride, units = (int(size) for size in sizes)
  height, width, channels = points.event_shape
  image = (height, width, channels)
  return potentials.LocallyConnected(image, patch, stride, units, time_basis=basis, seed=seed)
