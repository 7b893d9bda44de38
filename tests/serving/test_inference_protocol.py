"""The Open Inference Protocol: the flow's numbers in JSON and in raw bytes."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.support import bijectors

ROWS = bijectors.points(5, dtype=tf.float32).numpy()
INFER = '/v2/models/small/infer'


def tensor(array=ROWS, name='x', datatype='FP32', **parameters):
  entry = {'name': name, 'shape': list(array.shape), 'datatype': datatype}
  return {**entry, 'parameters': parameters} if parameters else {**entry, 'data': array.tolist()}


def infer(client, inputs, **more):
  answer = client.post(INFER, json={'inputs': inputs, **more})
  assert answer.status_code == 200, answer.text
  body = answer.json()
  outputs = {o['name']: np.reshape(o['data'], o['shape']) for o in body['outputs']}
  return body, outputs


@pytest.mark.slow
@pytest.mark.parametrize('flat', [True, False])
def test_the_default_is_the_density(client, flow, flat):
  entry = tensor()
  if flat:
    entry['data'] = ROWS.reshape(-1).tolist()
  body, outputs = infer(client, [entry], id='seven')
  assert (body['id'], body['model_name'], body['model_version']) == ('seven', 'small', '1')
  assert [(o['datatype'], o['shape']) for o in body['outputs']] == [('FP32', [5])]
  np.testing.assert_allclose(outputs['log_prob'], flow.log_prob(ROWS), rtol=1e-6)


@pytest.mark.slow
def test_a_parameter_names_the_signature_and_outputs_the_wanted_ones(client, flow):
  parameters = {'signature_name': 'forward'}
  x = flow.bijector.forward(ROWS)
  _, outputs = infer(client, [tensor(name='z')], parameters=parameters)
  np.testing.assert_allclose(outputs['x'], x, rtol=1e-6)
  wanted = [{'name': 'log_det'}]
  _, outputs = infer(client, [tensor(name='z')], parameters=parameters, outputs=wanted)
  assert set(outputs) == {'log_det'}


@pytest.mark.parametrize('shape', [[], [1]])
def test_samples_are_those_of_their_seed(client, flow, shape):
  inputs = [
    tensor(np.array([1, 2]), 'seed', 'INT32'),
    {'name': 'n', 'shape': shape, 'datatype': 'INT64', 'data': [4]},
  ]
  _, outputs = infer(client, inputs, parameters={'signature_name': 'sample'})
  expected = flow.sample(4, seed=tf.constant([1, 2]))
  np.testing.assert_allclose(outputs['x'], expected, rtol=1e-5)


def send_raw(client, head, raw, **headers):
  text = json.dumps(head).encode()
  headers = {'Inference-Header-Content-Length': str(len(text)), **headers}
  return client.post(INFER, content=text + raw, headers=headers)


def read_raw(answer):
  length = int(answer.headers['inference-header-content-length'])
  head, raw, arrays = json.loads(answer.content[:length]), answer.content[length:], {}
  for output in head['outputs']:
    size = output['parameters']['binary_data_size']
    arrays[output['name']] = np.frombuffer(raw[:size], np.float32).reshape(output['shape'])
    raw = raw[size:]
  assert raw == b''
  return arrays


@pytest.mark.slow
def test_raw_bytes_are_the_same_numbers(client, loaded):
  expected = loaded.signatures['inverse'](x=tf.constant(ROWS))
  head = {
    'inputs': [tensor(binary_data_size=ROWS.nbytes)],
    'parameters': {'signature_name': 'inverse', 'binary_data_output': True},
  }
  arrays = read_raw(send_raw(client, head, ROWS.tobytes()))
  assert set(arrays) == set(expected)
  for name, value in expected.items():
    np.testing.assert_array_equal(arrays[name], value)


def test_raw_bytes_carry_more_rows_than_a_batch_has(client, flow):
  """JSON of as many would be beyond this server's limit."""
  x = np.repeat(ROWS, 4000, axis=0)
  head = {'inputs': [tensor(x, binary_data_size=x.nbytes)]}
  answer = send_raw(client, head, x.tobytes())
  assert answer.status_code == 200
  (output,) = answer.json()['outputs']
  np.testing.assert_allclose(output['data'], np.repeat(flow.log_prob(ROWS), 4000), rtol=1e-5)


@pytest.mark.parametrize(
  'change, message',
  [
    ({'datatype': 'BYTES'}, '`datatype` of `x` must be one of'),
    ({'shape': [3, 5]}, r'must be float32 of shape \[\?, 3\], got shape \[3, 5\]'),
    ({'shape': [5, -3]}, 'must be a list of sizes'),
    ({'shape': [10**6, 3]}, 'does not fit'),
    ({'name': 'y'}, "different names out of .*'x'.*got 'y'"),
    ({'data': 3}, 'does not fit'),
    ({'data': [[1.0, True, 2.0]] * 5}, 'does not fit'),
    ({'data': [['1', '1', '1']] * 5}, 'does not fit'),
    ({'data': [[1e39, 0, 0]] * 5}, 'beyond float32'),
    ({'data': None, 'parameters': {'binary_data_size': 60}}, '60 is not what the body has'),
    ({'parameters': 3}, 'parameters must be a JSON object'),
  ],
)
def test_a_bad_tensor_is_refused_and_told_why(client, change, message):
  answer = client.post(INFER, json={'inputs': [{**tensor(), **change}]})
  assert answer.status_code == 400
  assert re.search(message, answer.json()['error']), answer.text


@pytest.mark.parametrize(
  'body, message',
  [
    ([], 'the body must be a JSON object'),
    ({}, '`inputs` must be a list'),
    ({'inputs': []}, r"must be \['x'\], got \[\]"),
    ({'inputs': [tensor(), tensor()]}, 'different names'),
    ({'inputs': [tensor()], 'id': 3}, '`id` must be a string'),
    ({'inputs': [tensor()], 'outputs': [{'name': 'cats'}]}, "'log_prob'.*got 'cats'"),
    ({'inputs': [tensor()], 'parameters': {'signature_name': 'cats'}}, 'must be one of'),
  ],
)
def test_a_bad_request_is_refused_and_told_why(client, body, message):
  answer = client.post(INFER, json=body)
  assert answer.status_code == 400
  assert re.search(message, answer.json()['error']), answer.text


NAN = np.full_like(ROWS, np.nan)


@pytest.mark.parametrize(
  'head, raw, headers, status',
  [
    ({'inputs': [tensor(binary_data_size=60)]}, ROWS.tobytes() + b'1', {}, 400),
    ({'inputs': [tensor(binary_data_size=56)]}, ROWS.tobytes()[:56], {}, 400),
    ({'inputs': [tensor(binary_data_size=60)]}, NAN.tobytes(), {}, 400),
    ({'inputs': [tensor()]}, b'', {'Inference-Header-Content-Length': '10000'}, 400),
    ({'inputs': [tensor()]}, b'', {'Inference-Header-Content-Length': 'many'}, 400),
    ({'inputs': [tensor()]}, b'', {'Content-Type': 'image/png'}, 415),
    ({'inputs': [tensor()]}, b'', {'Content-Encoding': 'gzip'}, 415),
    ({'inputs': [tensor()], 'id': 'a' * 20_000}, b'', {}, 413),
  ],
)
def test_bad_raw_bytes_are_refused(client, head, raw, headers, status):
  answer = send_raw(client, head, raw, **headers)
  assert answer.status_code == status and set(answer.json()) == {'error'}


def test_the_server_describes_itself(client):
  get = lambda path: client.get(path).json()  # noqa: E731
  assert get('/v2')['extensions'] == ['binary_tensor_data']
  assert get('/v2/health/live') == {'live': True}
  assert get('/v2/health/ready') == get('/v2/models/small/ready') == {'ready': True}
  for place in ('/v2/models/small', '/v2/models/small/versions/1'):
    model = get(place)
    assert (model['name'], model['versions']) == ('small', ['1'])
    assert model['inputs'] == [{'name': 'x', 'datatype': 'FP32', 'shape': [-1, 3]}]
    assert model['outputs'] == [{'name': 'log_prob', 'datatype': 'FP32', 'shape': [-1]}]
  for place in ('/v2/models/cats', '/v2/models/small/versions/2/ready'):
    assert client.get(place).status_code == 404
