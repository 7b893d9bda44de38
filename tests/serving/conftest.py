import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from starlette.testclient import TestClient

import ma_keras
from ma_keras import serving
from ma_keras.saving import export
from tests.support import bijectors

MAX_BYTES = 20_000


@pytest.fixture(scope='session')
def flow():
  layer = bijectors.generic(tf.float32, num_steps=1, integrator='euler', gradient='plain')
  return ma_keras.standard_normal_flow(layer)


@pytest.fixture(scope='session')
def path(flow, tmp_path_factory):
  folder = tmp_path_factory.mktemp('served') / 'small' / '1'
  export.save(flow, folder)
  return folder


@pytest.fixture(scope='session')
def loaded(path):
  """The module of the SavedModel, without a server."""
  return tf.saved_model.load(str(path))


@pytest.fixture(scope='session')
def normal(tmp_path_factory):
  """The folder of a normal density, which loads in a fraction of the time of a flow."""
  folder = tmp_path_factory.mktemp('served') / 'small' / '1'
  export.save(tfp.distributions.MultivariateNormalDiag(tf.zeros(3)), folder)
  return folder


@pytest.fixture(scope='session')
def client(path):
  limits = serving.Limits(max_json_bytes=MAX_BYTES)
  with TestClient(serving.application(path, 'small', limits=limits)) as running:
    yield running
