"""A training step is traced once."""

import numpy as np
import pytest
import tf_keras

from ma_keras import MongeAmpereBijector, potentials, training, transport


class Counted:
  """Counts the traces of its step."""

  traces = 0

  def train_step(self, *batch):
    self.traces += 1
    return super().train_step(*batch)


class Flow(Counted, training.MaximumLikelihood):
  pass


class Map(Counted, training.KantorovichDual):
  pass


def flow():
  layer = potentials.OneHiddenLayer(event_size=2, hidden_units=2, seed=0)
  return Flow(MongeAmpereBijector(layer, 1, 0.1, integrator='euler'), penalties={})


def optimal_map():
  return Map(transport.BrenierMap(transport.ConvexQuadratic(np.eye(2))))


@pytest.mark.slow
@pytest.mark.parametrize(
  'model, rows, optimizer',
  [
    (flow, lambda x: (x,), 'adam'),
    (optimal_map, lambda x: ((x, x + 1),), 'adam'),
    (flow, lambda x: (x,), tf_keras.optimizers.legacy.Adam),
  ],
  ids=['likelihood', 'dual', 'likelihood of the old kind'],
)
def test_a_step_is_traced_once_and_by_optimisers_of_the_old_kind_as_before(
  model, rows, optimizer, rng
):
  made = model()
  made.compile(optimizer if isinstance(optimizer, str) else optimizer())
  before = [np.array(v) for v in made.trainable_variables]
  made.fit(*rows(rng.normal(size=(8, 2)).astype(np.float32)), batch_size=4, epochs=2, verbose=0)
  assert made.traces == (1 if optimizer == 'adam' else 2)
  assert any(np.any(a != b) for a, b in zip(before, made.trainable_variables))
