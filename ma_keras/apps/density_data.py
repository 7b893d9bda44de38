"""The data of the density apps: what flags say."""

from __future__ import annotations

from absl import flags

from ma_keras import data

FLAGS = flags.FLAGS
flags.DEFINE_string(
  'dataset', 'mnist', "A tfds image data set (mnist, fashion_mnist, cifar10, ...), or 'digits'."
)
flags.DEFINE_string('dataset_file', None, 'A .csv, .npy or .npz file of points instead.')
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('split_seed', 0, 'Chooses the validation points.', lower_bound=0)


def load() -> data.Dataset:
  """What --dataset or --dataset_file says."""
  if FLAGS.dataset_file:
    return data.load_file(FLAGS.dataset_file, FLAGS.split_seed)
  return data.load(FLAGS.dataset, FLAGS.data_dir, FLAGS.split_seed)
