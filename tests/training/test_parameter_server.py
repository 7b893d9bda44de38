"""Parts of asynchronous training that need no cluster: callbacks at epochs, and who listens."""

import socket
import types

import pytest
import tensorflow as tf
import tf_keras

from ma_keras.training import parameter_server

pytestmark = pytest.mark.slow


class Diary(tf_keras.callbacks.Callback):
  """Writes down what it is called with; a dictionary is left for the next one."""

  def __init__(self, name, pages):
    super().__init__()
    self.name, self.pages = name, pages

  def set_params(self, params):
    self.pages.append((self.name, 'params', params['steps']))

  def set_model(self, model):
    self.pages.append((self.name, 'model', model is not None))

  def on_train_begin(self, logs=None):
    self.pages.append((self.name, 'train begins'))

  def on_train_end(self, logs=None):
    self.pages.append((self.name, 'train ends'))

  def on_epoch_begin(self, epoch, logs=None):
    self.pages.append((self.name, 'epoch begins', epoch))

  def on_epoch_end(self, epoch, logs=None):
    self.pages.append((self.name, 'epoch ends', epoch, sorted(logs)))
    logs[self.name] = 1.0

  def on_train_batch_end(self, batch, logs=None):
    raise AssertionError('a batch that a worker may not have computed yet')

  on_train_batch_begin = on_train_batch_end


def test_callbacks_are_called_at_epochs_alone_and_in_order():
  model = tf_keras.Sequential([tf_keras.layers.Dense(1)])
  model.compile('sgd', 'mse')
  pages = []
  callbacks = parameter_server.AtEpochs([Diary('a', pages), Diary('b', pages)])
  zeros = [[0.0]] * 6
  model.fit(zeros, zeros, batch_size=2, epochs=2, verbose=0, callbacks=[callbacks])
  assert [page[1:] for page in pages if page[0] == 'a'] == [
    ('model', True),
    ('params', 3),
    ('train begins',),
    ('epoch begins', 0),
    ('epoch ends', 0, ['loss']),
    ('epoch begins', 1),
    ('epoch ends', 1, ['loss']),
    ('train ends',),
  ]
  assert [page[3] for page in pages if page[:2] == ('b', 'epoch ends')] == [['a', 'loss']] * 2
  assert [page[0] for page in pages] == ['a', 'b'] * 8


@pytest.mark.parametrize('family, host', [(socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')])
def test_a_process_listens_until_its_port_is_closed(family, host):
  with socket.socket(family) as server:
    try:
      server.bind((host, 0))
    except OSError:
      pytest.skip(f'this machine has no address {host}')
    server.listen()
    port = server.getsockname()[1]
    address = f'[{host}]:{port}' if family == socket.AF_INET6 else f'{host}:{port}'
    assert parameter_server._listens(address)
  assert not parameter_server._listens(address)


def test_a_worker_serves_from_the_chiefs_arrival_until_it_is_gone(monkeypatch):
  """It ends well, whatever the chief ended with."""
  there, seen = [False, False, True, True, True, False], []
  monkeypatch.setattr(
    parameter_server, '_listens', lambda chief: seen.append(chief) or there.pop(0)
  )
  monkeypatch.setattr(parameter_server, 'POLL_SECONDS', 0.0)
  monkeypatch.setattr(tf.distribute, 'Server', lambda *_, **options: seen.append(options))
  resolver = types.SimpleNamespace(
    cluster_spec=lambda: 'spec', task_type='worker', task_id=1, rpc_layer=None
  )
  with pytest.raises(SystemExit) as ended:
    parameter_server._serve(resolver, {'chief': ['chief:1'], 'worker': ['a:1'] * 99})
  assert ended.value.code == 0 and not there
  assert seen[0].pop('config').inter_op_parallelism_threads >= 100
  assert seen[0] == {'job_name': 'worker', 'task_index': 1, 'protocol': 'grpc'}
  assert seen[1:] == ['chief:1'] * 6


def test_only_parameter_servers_are_asynchronous():
  assert not parameter_server.is_asynchronous(tf.distribute.get_strategy())
  assert parameter_server.is_asynchronous(object.__new__(tf.distribute.ParameterServerStrategy))
