"""The REST interface of TensorFlow Serving, with the model's own numbers, within the process."""

import concurrent.futures
import json
import re
import threading

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from starlette.testclient import TestClient

from ma_keras import data, serving
from ma_keras.saving import export
from tests.serving.conftest import MAX_BYTES
from tests.support import bijectors

ROWS = bijectors.points(5, dtype=tf.float32).numpy()
ROW = [0.1, 0.2, 0.3]


def exchange(client, body=None, path='/v1/models/small:predict', method=None):
  """Status and JSON of a request; strict, for NaN is no JSON."""
  content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
  answer = client.request(method or ('GET' if body is None else 'POST'), path, content=content)
  return answer.status_code, json.loads(answer.text, parse_constant=pytest.fail)


def predict(client, **body):
  status, answer = exchange(client, body)
  assert status == 200, answer
  return answer


@pytest.mark.slow
def test_rows_and_columns_have_the_numbers_of_the_flow(client, flow):
  expected = flow.log_prob(ROWS)
  for answer in (
    predict(client, instances=ROWS.tolist())['predictions'],
    predict(client, instances=[{'x': row} for row in ROWS.tolist()])['predictions'],
    predict(client, inputs={'x': ROWS.tolist()})['outputs'],
    predict(client, inputs=ROWS.tolist(), signature_name='log_prob')['outputs'],
  ):
    np.testing.assert_allclose(answer, expected, rtol=1e-6)


def test_several_outputs_go_by_name(client, flow):
  x = flow.bijector.forward(ROWS)
  columns = predict(client, signature_name='forward', inputs={'z': ROWS.tolist()})['outputs']
  rows = predict(client, signature_name='forward', instances=ROWS.tolist())['predictions']
  np.testing.assert_allclose(columns['x'], x, rtol=1e-6)
  assert [row['x'] for row in rows] == columns['x']
  assert [row['log_det'] for row in rows] == columns['log_det']


def test_samples_are_those_of_their_seed(client, flow):
  drawn = predict(client, signature_name='sample', inputs={'seed': [1, 2], 'n': 4})['outputs']
  np.testing.assert_allclose(drawn['x'], flow.sample(4, seed=tf.constant([1, 2])), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('signature', ['log_prob', 'score', 'inverse'])
def test_floats_lose_no_digit(client, loaded, signature):
  outputs = loaded.signatures[signature](x=tf.constant(ROWS))
  answer = predict(client, signature_name=signature, inputs=ROWS.tolist())['outputs']
  for name, value in outputs.items():
    found = answer[name] if len(outputs) > 1 else answer
    np.testing.assert_array_equal(np.array(found, np.float32), value)


@pytest.mark.parametrize('kind, answer', [('instances', 'predictions'), ('inputs', 'outputs')])
def test_no_rows_have_no_predictions(client, kind, answer):
  assert predict(client, **{kind: []}) == {answer: []}


@pytest.mark.slow
def test_two_hundred_at_once_are_answered_each_with_its_own(client, flow):
  points = bijectors.points(200, dtype=tf.float32).numpy()
  with concurrent.futures.ThreadPoolExecutor(200) as clients:
    gate = threading.Barrier(200)

    def ask(point):
      gate.wait()
      return exchange(client, {'instances': [point.tolist()]})

    answers = list(clients.map(ask, points))
  assert [status for status, _ in answers] == [200] * 200
  found = [answer['predictions'][0] for _, answer in answers]
  np.testing.assert_allclose(found, flow.log_prob(points), rtol=1e-5)


@pytest.mark.parametrize('version', ['', '/versions/1'])
def test_the_model_is_available(client, version):
  status, answer = exchange(client, path=f'/v1/models/small{version}')
  (found,) = answer['model_version_status']
  assert (status, found['version'], found['state']) == (200, '1', 'AVAILABLE')
  assert found['status'] == {'error_code': 'OK', 'error_message': ''}
  assert exchange(client, {'instances': [ROW]}, f'/v1/models/small{version}:predict')[0] == 200


def test_metadata_describe_every_signature(client):
  status, answer = exchange(client, path='/v1/models/small/metadata')
  assert status == 200 and answer['model_spec']['name'] == 'small'
  signatures = answer['metadata']['signature_def']['signature_def']
  assert set(signatures) == set(client.app.state.service.servable.signatures)
  x = signatures['score']['inputs']['x']
  assert x['dtype'] == 'DT_FLOAT'
  assert [size['size'] for size in x['tensor_shape']['dim']] == ['-1', '3']
  assert signatures['sample']['inputs']['n']['tensor_shape']['dim'] == []
  assert signatures['sample']['inputs']['seed']['dtype'] == 'DT_INT32'
  assert set(signatures['inverse']['outputs']) == {'z', 'log_det'}


SAMPLE = {'signature_name': 'sample'}
BAD_BODIES = [
  (b'', 'no JSON'),
  (b'{"instances": [[1, 2, 3]', 'no JSON'),
  (b'\xff\xfe\x00', 'no JSON'),
  (b'[' * 10_000, 'no JSON'),
  ([[1, 2, 3]], 'must be a JSON object'),
  ({}, 'either `instances`.*or `inputs`'),
  ({'instance': [ROW]}, r"got \['instance'\]"),
  ({'instances': [ROW], 'inputs': [ROW]}, 'either `instances`'),
  ({'instances': [ROW], 'signature_name': 'cats'}, r"one of \['forward'.*got 'cats'"),
  ({'instances': [ROW], 'signature_name': 3}, 'got 3'),
  ({'instances': ROW}, r'`x` does not fit: row 0, 1, 2 .*shape \[3\], got shape \[\]'),
  ({'instances': 3}, 'must be a list of rows, got int'),
  ({'instances': [ROW, [1, 2]]}, r'row 1 .*shape \[3\], got shape \[2\]'),
  ({'instances': [[*ROW, 1.0]]}, r'\[3\], got shape \[4\]'),
  ({'instances': [ROW, ['a', 1, 2], [None, 1, 2]]}, 'row 1, 2 .*no rectangular array'),
  ({'instances': [ROW, [True, 1, 2]]}, 'row 1 .*no rectangular array'),
  ({'instances': [ROW, [10**400, 1, 2]]}, 'row 1 .*no rectangular array'),
  (b'{"instances": [[1, 2, 3], [NaN, 1, 2], [1, 2, -Infinity]]}', 'row 1, 2 .*NaN, infinity'),
  ({'instances': [ROW, [1e39, 1, 2]]}, 'row 1 .*beyond float32'),
  ({'instances': [{'x': ROW}, ROW]}, r"row 1 .*object of \['x'\]"),
  ({'instances': [{'y': ROW}]}, r"row 0 .*object of \['x'\]"),
  ({'inputs': {'y': [ROW]}}, r"object of \['x'\], got \['y'\]"),
  ({'inputs': {'x': ROW}}, r'row 0, 1, 2 .*shape \[3\], got shape \[\]'),
  ({'inputs': {'x': [ROW], 'y': 1}}, r"got \['x', 'y'\]"),
  ({**SAMPLE, 'instances': [{'seed': [1, 2], 'n': 3}]}, 'takes no rows: give `inputs`'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2]}}, r"object of \['n', 'seed'\], got \['seed'\]"),
  ({**SAMPLE, 'inputs': [1, 2]}, 'got list'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2], 'n': -1}}, r'in \[0, 10000\], got -1'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2], 'n': 10**6}}, 'ask again with another seed'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2], 'n': 1.5}}, '`n`.*must be int32'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2**40], 'n': 1}}, '`seed`.*beyond int32'),
  ({**SAMPLE, 'inputs': {'seed': [1, 2, 3], 'n': 1}}, r'`seed`.*\[2\], got shape \[3\]'),
]


@pytest.mark.parametrize('body, message', BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_refused_and_told_why(client, body, message):
  status, answer = exchange(client, body)
  assert (status, set(answer)) == (400, {'error'})
  assert re.search(message, answer['error']), answer


@pytest.mark.parametrize(
  'method, where, status, message',
  [
    ('GET', '/', 404, 'Nothing is at /'),
    ('GET', '/v1/models', 404, 'GET /v1/models/small'),
    ('GET', '/v1/models/cats', 404, "'cats'.*this is 'small'"),
    ('POST', '/v1/models/cats:predict', 404, "'cats'"),
    ('POST', '/v1/models/small/versions/2:predict', 404, 'version 2.*version 1'),
    ('POST', '/v1/models/small:classify', 404, 'with :predict'),
    ('GET', '/v1/models/small:predict', 405, 'takes POST, got GET'),
    ('POST', '/v1/models/small', 405, 'takes GET, got POST'),
    ('POST', '/v1/models/small/metadata', 405, 'takes GET, got POST'),
    ('PUT', '/v1/models/small:predict', 405, 'takes POST, got PUT'),
    ('DELETE', '/v1/models/small', 405, 'takes GET, got DELETE'),
    ('BREW', '/v1/models/small', 405, 'takes GET, got BREW'),
  ],
)
def test_a_wrong_address_or_method_is_refused_and_told_why(client, method, where, status, message):
  body = {'instances': [ROW]} if method in ('POST', 'PUT') else None
  found, answer = exchange(client, body, where, method)
  assert found == status
  assert re.search(message, answer['error']), answer


def test_a_body_beyond_the_limit_is_refused_and_the_server_lives(client):
  status, answer = exchange(client, {'instances': [ROW] * 5000})
  assert status == 413 and f'the limit is {MAX_BYTES}' in answer['error']
  assert exchange(client, {'instances': [ROW]})[0] == 200


@pytest.mark.slow
def test_what_is_no_number_is_spelled_out(tmp_path):
  """Pixels beyond [0, 256) have a density of 0, and JSON no infinity."""
  latents = tfp.distributions.MultivariateNormalDiag(tf.zeros(3))
  export.save(data.Pixels()(latents), tmp_path, latents)
  with TestClient(serving.application(tmp_path, 'small')) as client:
    answer = predict(client, instances=[[300, 1, 1], [9, 1, 1]])['predictions']
    assert answer[0] == '-Infinity' and np.isneginf(float(answer[0]))
    assert np.isfinite(answer[1])
    answer = predict(client, signature_name='log_prob_unconstrained', instances=[ROW])
    np.testing.assert_allclose(answer['predictions'], latents.log_prob([ROW]), 1e-5)


@pytest.mark.parametrize('content', [None, b'', b'no protocol buffer'])
def test_a_folder_without_a_model_is_refused_in_one_line(tmp_path, content):
  if content is not None:
    (tmp_path / 'saved_model.pb').write_bytes(content)
  with pytest.raises(ValueError, match=r'`path` .*SavedModel.*ma_keras\.export\.save') as refused:
    serving.application(tmp_path, 'small')
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize('name', ['', 'a/b', 'a:b', 'a b'])
def test_a_name_that_fits_no_address_is_refused(path, name):
  with pytest.raises(ValueError, match='`name` must consist of'):
    serving.application(path, name)
