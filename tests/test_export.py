"""An exported flow runs on bare TensorFlow and gives the same numbers."""

import subprocess
import sys

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import export, symmetry

LOAD_BARE = """
import sys
import numpy as np
import tensorflow as tf
module = tf.saved_model.load(sys.argv[1])
for name, function in (('call', module), ('signature', module.signatures)):
  sample = module.sample if name == 'call' else function['sample']
  drawn = sample(seed=tf.constant([3, 4]), n=tf.constant(7))
  score = module.log_prob if name == 'call' else function['log_prob']
  scored = score(x=drawn['x'])
  np.savez(f'{sys.argv[1]}/{name}.npz', scored=scored['log_prob'], **drawn)
assert not {'ma_keras', 'tensorflow_probability'} & set(sys.modules)
"""


def test_a_reloaded_flow_samples_and_scores_alike_without_our_package(tmp_path):
  potential = ma_keras.potentials.OneHiddenLayer(4, 8, seed=1)
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.2, seed=5)
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 4, 0.2))
  path = str(tmp_path / 'saved_model')
  export.save(flow, path)
  subprocess.run([sys.executable, '-c', LOAD_BARE, path], check=True, timeout=300)
  for name in ('call', 'signature'):
    loaded = np.load(f'{path}/{name}.npz')
    assert loaded['x'].shape == (7, 4)
    np.testing.assert_allclose(loaded['scored'], flow.log_prob(loaded['x']), rtol=1e-5)
    np.testing.assert_allclose(loaded['log_prob'], loaded['scored'], rtol=1e-4)
    expected = flow.sample(7, seed=tf.constant([3, 4]))
    np.testing.assert_allclose(loaded['x'], expected, rtol=1e-5, atol=1e-6)


def test_images_through_a_chain_are_exported(tmp_path):
  tfb, tfd = tfp.bijectors, tfp.distributions
  bijector = ma_keras.MongeAmpereBijector(ma_keras.potentials.OneHiddenLayer(6, 4, seed=1), 3, 0.2)
  chain = tfb.Chain([tfb.Reshape([2, 3, 1], event_shape_in=[6]), bijector])
  flow = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 6), chain)
  export.save(flow, tmp_path)
  loaded = tf.saved_model.load(str(tmp_path))
  drawn = loaded.sample(seed=tf.constant([3, 4]), n=tf.constant(5))
  assert drawn['x'].shape == (5, 2, 3, 1)
  np.testing.assert_allclose(drawn['log_prob'], flow.log_prob(drawn['x']), rtol=1e-5)
  np.testing.assert_allclose(loaded.log_prob(drawn['x'])['log_prob'], drawn['log_prob'], rtol=1e-4)
