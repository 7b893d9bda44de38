"""Bounds of bytes, rows and time, the token, and draining, within the process."""

import asyncio
import functools
import threading
import time
import tracemalloc

import numpy as np
import pytest
from starlette.testclient import TestClient

from ma_keras import serving
from ma_keras.serving import tensors

PREDICT = '/v1/models/small:predict'
ROW = [0.1, 0.2, 0.3]


@pytest.fixture(scope='module')
def path(normal):
  """Bounds are the same whatever the model computes."""
  return normal


def running(path, token=None, **limits):
  app = serving.application(path, 'small', token=token, limits=serving.Limits(**limits))
  return TestClient(app)


# One server for the tests of the same limits that leave it as it is.
shared = functools.cache(running)


@pytest.fixture
def client(path):
  return shared(path, max_json_bytes=20_000)


def ask(app, headers, messages, path=PREDICT, method='POST'):
  """Status and headers of a request whose body arrives in the given (seconds, message) steps."""
  answers = []

  async def receive():
    wait, message = messages.pop(0)
    await asyncio.sleep(wait)
    return {'type': 'http.request', **message}

  async def send(message):
    answers.append(message)

  scope = {'type': 'http', 'method': method, 'path': path, 'headers': headers, 'query_string': b''}
  asyncio.run(asyncio.wait_for(app(scope, receive, send), 30))
  return answers[0]['status'], dict(answers[0]['headers'])


def test_a_body_that_comes_byte_by_byte_has_a_deadline(path):
  app = running(path, body_seconds=0.2).app
  drip = [(0.05, {'body': b' ', 'more_body': True}) for _ in range(100)]
  start = time.monotonic()
  status, headers = ask(app, [(b'content-length', b'100')], drip)
  assert status == 408 and headers[b'connection'] == b'close'
  assert time.monotonic() - start < 5 and app.state.service.budget.used == 0


def test_a_client_that_leaves_leaves_nothing(path):
  app = running(path).app

  async def receive():
    return {'type': 'http.disconnect'}

  async def send(message):
    raise AssertionError(message)

  headers = [(b'content-length', b'100')]
  scope = {'type': 'http', 'method': 'POST', 'path': PREDICT, 'headers': headers}
  asyncio.run(app(scope, receive, send))
  service = app.state.service
  assert (service.budget.used, service.requests_in_flight) == (0, 0)


@pytest.mark.parametrize(
  'headers, status',
  [
    ([], 411),
    ([(b'content-length', b'-3')], 411),
    ([(b'content-length', '\u00b2'.encode('latin-1'))], 411),
    ([(b'content-length', b'2'), (b'transfer-encoding', b'chunked')], 411),
    ([(b'content-length', b'9')], 400),
    ([(b'content-length', b'9' * 18)], 413),
    ([(b'content-length', b'2'), (b'content-type', b'multipart/form-data; boundary=1')], 415),
    ([(b'content-length', b'2'), (b'content-encoding', b'gzip')], 415),
    ([(b'content-length', b'2'), (b'cookie', b'1' * 20_000)], 431),
  ],
)
def test_a_broken_request_is_answered_and_closed(client, headers, status):
  got, answer = ask(client.app, headers, [(0, {'body': b'{}', 'more_body': False})])
  assert (got, answer[b'connection']) == (status, b'close')


def test_a_body_that_waits_for_leave_is_refused_unread(client):
  headers = [(b'content-length', b'1000000'), (b'expect', b'100-continue')]
  assert ask(client.app, headers, [])[0] == 413


def test_case_24_json_of_60_mb_is_dropped_as_it_comes(path):
  """By the limits of a server that nobody has set; it took 22 GB."""
  app = running(path).app
  rows = b'[0.1,0.2,0.3],' * 75_000
  parts = [(0, {'body': rows, 'more_body': True}) for _ in range(60_000_000 // len(rows))]
  status, answer = ask(app, [(b'content-length', b'60000000')], [*parts, (0, {'body': b'[]'})])
  assert status == 413 and answer[b'connection'] == b'close'
  assert app.state.service.budget.used == 0


def test_rows_beyond_the_limit_are_refused(path):
  with running(path, max_rows=3) as client:
    assert client.post(PREDICT, json={'instances': [ROW] * 3}).status_code == 200
    answer = client.post(PREDICT, json={'instances': [ROW] * 4})
    assert answer.status_code == 413 and 'has 4 rows, the limit is 3' in answer.json()['error']
    sample = {'signature_name': 'sample', 'inputs': {'seed': [1, 2], 'n': 4}}
    assert client.post(PREDICT, json=sample).status_code == 413


@pytest.mark.parametrize('item', [b'[]', b'{}', b'1', b'""', b'[[]]', b'{"a":{}}'])
def test_json_that_grows_in_memory_is_refused_before_it_is_read(path, item):
  body = b'{"instances":[' + b','.join([item] * 100_000) + b']}'
  client = shared(path, max_parsed_bytes=3_000_000)
  answer = client.post(PREDICT, content=body)
  assert answer.status_code == 413 and 'bytes of memory' in answer.json()['error']


@pytest.mark.parametrize('item', [b'[]', b'{}', b'1.5', b'"\xc3\xa9a%d"', b'[[]]', b'{"%d":{}}'])
def test_the_memory_of_json_is_not_more_than_estimated(item):
  """Counted by tracemalloc, list and all."""
  items = [item.replace(b'%d', b'%d' % i) for i in range(20_000)]
  body = b'[' + b','.join(items) + b']'
  tracemalloc.start()
  value = tensors.parse(body)
  size, _ = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert len(value) == 20_000 and size <= tensors.parsed_bytes(body)


def test_bytes_of_all_requests_are_bounded_and_given_back(path):
  with running(path, max_bytes_in_flight=1000) as client:
    service = client.app.state.service
    with service.budget.share() as share:
      share.hold(990)
      answer = client.post(PREDICT, json={'instances': [ROW]})
      assert answer.status_code == 503 and answer.headers['retry-after'] == '1'
    assert client.post(PREDICT, json={'instances': [ROW]}).status_code == 200
    assert service.budget.used == 0


def slowed(client, gate):
  """Lets the model wait for a gate; returns what tells that it does."""
  busy = threading.Event()
  signature = client.app.state.service.servable.signatures['log_prob']
  function = signature.function

  def wait(**arrays):
    busy.set()
    gate.wait(120)
    return function(**arrays)

  object.__setattr__(signature, 'function', wait)
  return busy


def test_work_beyond_the_queue_is_refused_and_the_rest_answered(path):
  gate = threading.Event()
  body = {'signature_name': 'log_prob', 'instances': [ROW] * 2}
  with running(path, max_queued_rows=4, max_batch_rows=2) as client:
    busy = slowed(client, gate)
    answers = []
    threads = [
      threading.Thread(target=lambda: answers.append(client.post(PREDICT, json=body)))
      for _ in range(8)
    ]
    threads[0].start()
    assert busy.wait(60)  # One batch of two rows runs,
    for thread in threads[1:]:
      thread.start()
    for _ in range(600):
      if len(answers) >= 5:  # and four rows wait.
        break
      time.sleep(0.05)
    assert [a.status_code for a in answers] == [503] * 5
    assert all(a.headers['retry-after'] == '1' for a in answers)
    gate.set()
    for thread in threads:
      thread.join()
    assert sorted(a.status_code for a in answers) == [200] * 3 + [503] * 5
    assert client.app.state.service._batcher.queued_rows == 0


def test_a_result_that_takes_too_long_is_given_up(path):
  gate = threading.Event()
  with running(path, compute_seconds=0.2) as client:
    slowed(client, gate)
    body = {'signature_name': 'log_prob', 'instances': [ROW]}
    assert client.post(PREDICT, json=body).status_code == 504
    gate.set()
    assert client.post(PREDICT, json=body).status_code in (200, 504)


def test_one_row_that_the_model_refuses_does_not_fail_the_others(tmp_path):
  import tensorflow as tf

  class Positive(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name='x')])
    def log_prob(self, x):
      tf.debugging.assert_positive(x)
      return {'log_prob': -x[:, 0]}

  module = Positive()
  signatures = {'log_prob': module.log_prob, 'serving_default': module.log_prob}
  tf.saved_model.save(module, str(tmp_path), signatures=signatures)
  gate = threading.Event()
  with running(tmp_path) as client:
    slowed(client, gate)
    values = [1.0, 2.0, -1.0, 3.0, -2.0, 4.0]
    answers = {}

    def post(value):
      body = {'signature_name': 'log_prob', 'instances': [[value]]}
      answers[value] = client.post(PREDICT, json=body)

    threads = [threading.Thread(target=post, args=[value]) for value in values]
    for thread in threads:
      thread.start()
    time.sleep(0.3)
    gate.set()
    for thread in threads:
      thread.join()
  for value, answer in answers.items():
    assert answer.status_code == (200 if value > 0 else 400)
    assert value < 0 or answer.json() == {'predictions': [-value]}


OPEN = ['/healthz', '/readyz', '/v2/health/live', '/v2/health/ready']


@pytest.mark.parametrize(
  'header', [None, 'Bearer other', 'secret', 'Basic secret', 'Bearer s\u00e9']
)
def test_without_the_token_nothing_but_health_is_told(path, header):
  client = shared(path, token='secret')
  headers = {} if header is None else {'Authorization': header.encode('utf-8')}
  assert {client.get(where, headers=headers).status_code for where in OPEN} == {200}
  for where in ('/metrics', '/v1/models/small', '/v2', '/nothing'):
    answer = client.get(where, headers=headers)
    assert answer.status_code == 401 and answer.headers['www-authenticate'] == 'Bearer'
  answer = client.post(PREDICT, json={'instances': [ROW]}, headers=headers)
  assert answer.status_code == 401


def test_with_the_token_all_is(path):
  with running(path, token='secret') as client:
    headers = {'Authorization': 'Bearer secret'}
    answer = client.post(PREDICT, json={'instances': [ROW]}, headers=headers)
    assert answer.status_code == 200 and client.get('/metrics', headers=headers).is_success


@pytest.mark.parametrize('token', ['', 'two\nlines', 's\u00e9cret'])
def test_a_token_that_fits_no_header_is_refused(path, token):
  with pytest.raises(ValueError, match='`token` must be'):
    serving.application(path, 'small', token=token)


@pytest.mark.parametrize('change', [{'max_rows': 0}, {'max_wait_ms': -1.0}, {'body_seconds': 0.0}])
def test_a_limit_that_lets_nothing_through_is_refused(change):
  with pytest.raises(ValueError, match=f'`{next(iter(change))}` must be positive'):
    serving.Limits(**change)


def test_a_server_that_drains_says_so(path):
  with running(path) as client:
    client.app.state.service.draining = True
    for where in ('/readyz', '/v2/health/ready', '/v2/models/small/ready'):
      assert client.get(where).status_code == 503
    assert client.get('/healthz').status_code == 200
    answer = client.post(PREDICT, json={'instances': [ROW]})
    assert (answer.status_code, answer.headers['connection']) == (503, 'close')
    assert answer.headers['retry-after'] == '1'


def test_metrics_count_what_was_answered(path):
  with running(path) as client:
    for rows in (1, 2, 5):
      client.post(PREDICT, json={'instances': [ROW] * rows})
    client.post(PREDICT, json={'instances': [[1.0]]})
    lines = client.get('/metrics').text.splitlines()
  values = dict(line.rsplit(' ', 1) for line in lines if not line.startswith('#'))
  assert float(values['ma_keras_requests_total{route="predict",status="200"}']) == 3
  assert float(values['ma_keras_requests_total{route="predict",status="400"}']) == 1
  assert float(values['ma_keras_batch_rows_sum']) == 8
  assert float(values['ma_keras_model_version']) == 1
  assert float(values['ma_keras_queued_rows']) == float(values['ma_keras_bytes_in_flight']) == 0


def test_it_can_be_mounted(path):
  from starlette.applications import Starlette
  from starlette.routing import Mount

  inner = serving.application(path, 'small')
  client = TestClient(Starlette(routes=[Mount('/flows', inner)]))
  answer = client.post('/flows' + PREDICT, json={'instances': [ROW]})
  expected = -0.5 * np.sum(np.square(ROW) + np.log(2 * np.pi))
  np.testing.assert_allclose(answer.json()['predictions'], [expected], rtol=1e-6)
  assert client.get('/flows/nothing').status_code == 404
