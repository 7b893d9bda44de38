"""Two replicas train as one with the same global batch."""

import subprocess
import sys

import numpy as np
import pytest

TRAIN = """
import sys
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
  tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import ma_keras
from ma_keras import symmetry, targets, training
from ma_keras.training import strategy

chosen = strategy.make(sys.argv[1])
assert chosen.num_replicas_in_sync == int(sys.argv[2])
with chosen.scope():
  potential = ma_keras.potentials.OneHiddenLayer(
    4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
  )
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1)
  model = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
  optimizer = training.adam(1e-2, 20, 2, 1.0)
  optimizer.build(model.trainable_variables)
  model.compile(optimizer)
history = model.fit(model.sample_numbers(10), epochs=2, steps_per_epoch=10, verbose=0).history
weights = {v.name: v.numpy() for v in model.trainable_variables}
np.savez(sys.argv[3], loss=history['free_energy_per_site'], **weights)
"""


def trained(strategy, replicas, path):
  command = [sys.executable, '-c', TRAIN, strategy, str(replicas), str(path)]
  subprocess.run(command, check=True, timeout=300)
  return np.load(path)


def test_two_replicas_equal_one(tmp_path):
  """Same latents, same group elements, same mean gradient: equal but for rounding."""
  one = trained('one_device', 1, tmp_path / 'one.npz')
  two = trained('mirrored', 2, tmp_path / 'two.npz')
  assert set(one) == set(two) and len(list(one)) == 3
  for name in one:
    assert two[name] == pytest.approx(one[name], rel=1e-9, abs=1e-12)
