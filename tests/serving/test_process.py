"""The server as a process: sockets, signals, slow clients, descriptors."""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import threading
import time

import pytest

from ma_keras import serving
from tests.integration import apps

ROW = [0.1, 0.2, 0.3]
BODY = json.dumps({'instances': [ROW]})
LIMITS = serving.Limits(head_seconds=0.5, body_seconds=0.5, max_connections=40)


@pytest.fixture(scope='module')
def path(normal):
  """Sockets and signals are the same whatever the model computes."""
  return normal


@pytest.fixture(scope='module')
def server(path):
  with serving.Server(path, 'small', limits=LIMITS) as running:
    yield running


@contextlib.contextmanager
def connection(server):
  with contextlib.closing(
    http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
  ) as found:
    yield found


def ask(connection, body=BODY, path='/v1/models/small:predict'):
  connection.request('POST', path, body)
  answer = connection.getresponse()
  return answer.status, json.loads(answer.read())


def exchanged(server, text, end=False):
  """All that a raw client receives until the server closes."""
  with socket.create_connection(('127.0.0.1', server.port), timeout=60) as client:
    client.sendall(text)
    if end:
      client.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):
      return client.makefile('rb').read()
    return b''


@pytest.mark.slow
def test_one_connection_serves_many_requests_and_survives_errors(server):
  with connection(server) as client:
    bodies = (BODY, '{"instances": [[1.0]]}', BODY)
    assert [ask(client, body)[0] for body in bodies] == [200, 400, 200]


HEAD = b'POST /v1/models/small:predict HTTP/1.1\r\n'


@pytest.mark.parametrize(
  'text, status',
  [
    (HEAD + b'\r\n', 411),
    (HEAD + b'Content-Length: -3\r\n\r\n', 400),
    (HEAD + b'Transfer-Encoding: chunked\r\n\r\n', 411),
    (HEAD + b'Content-Length: 9\r\n\r\n{}', 400),
    (b'BREW / HTTP/1.1\r\n\r\n', 400),
    (b'\x16\x03\x01\x02\x00\x01\x00', 400),
    (b'GET / HTTP/1.1\r\nA: ' + b'1' * 100_000, 431),
    (b'GET / HTTP/1.1\r\nA: ' + b'1' * 100_000 + b'\r\n\r\n', 431),
    (b'GET /healthz HTTP/1.1\r\n\r\n' * 100, 400),
  ],
)
def test_a_broken_request_is_answered_in_json_too(server, text, status):
  answer = exchanged(server, text, end=True)
  assert f' {status} '.encode() in answer and b'{"error":' in answer


def test_a_client_that_has_sent_all_gets_its_answer(server):
  request = HEAD + b'Content-Length: %d\r\n\r\n' % len(BODY) + BODY.encode()
  assert exchanged(server, request, end=True).startswith(b'HTTP/1.1 200 ')


@pytest.mark.parametrize(
  'text, status',
  [
    (b'', b''),
    (b'GET / HT', b' 408 '),
    (b'\r\n\r\n', b''),
    (HEAD + b'Content-Length: 9\r\n\r\n{', b' 408 '),
  ],
)
def test_silence_has_an_end(server, text, status):
  start = time.monotonic()
  answer = exchanged(server, text)
  assert status in answer and time.monotonic() - start < 20


def test_connections_beyond_the_limit_are_refused_and_come_back(server):
  address = ('127.0.0.1', server.port)
  with contextlib.ExitStack() as stack:
    silent = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(60)]
    time.sleep(0.2)
    refused = [client for client in silent if _first_bytes(client).startswith(b'HTTP/1.1 503 ')]
    assert len(refused) >= 20
  with connection(server) as client:
    assert ask(client)[0] == 200


def _first_bytes(client):
  try:
    return client.recv(4096)  # Nothing, half a second later, from those that got in.
  except ConnectionResetError:
    return b'HTTP/1.1 503 '


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused(path, server):
  with pytest.raises(OSError, match=f'`port` {server.port} .*choose another'):
    serving.serve(path, 'small', port=server.port)


@pytest.mark.slow
@pytest.mark.parametrize(
  'host, token, warned', [('127.0.0.1', None, False), ('', 'secret', False), ('', None, True)]
)
def test_serve_says_where_it_is_and_warns_where_anybody_may_ask(
  path, monkeypatch, capsys, host, token, warned
):
  monkeypatch.setattr(serving.Server, 'run', lambda self: self._socket.close())
  serving.serve(path, 'small', host, port=0, token=token)
  out, err = capsys.readouterr()
  assert '/v1/models/small has forward, inverse, log_prob' in out
  assert ('set a token' in err) == warned


def started(path):
  """The process of the command, and its port once it listens."""
  process = apps.Running(
    *apps.command('serve', f'--saved_model={path}', '--name=small', '--port=0')
  )
  process.wait_until(lambda: '/v1/models/small has' in process.output())
  (line,) = [line for line in process.output().splitlines() if '/v1/models/small has' in line]
  return process, int(line.split('/v1/')[0].rpartition(':')[2])


@pytest.mark.slow
@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_a_signal_under_load_loses_no_accepted_request(path, number, code):
  process, port = started(path.parent)
  counts, lost = {}, []

  def load():
    while True:
      with contextlib.closing(http.client.HTTPConnection('127.0.0.1', port, timeout=60)) as client:
        try:
          client.connect()
        except ConnectionRefusedError:
          return
        try:
          for _ in range(1000):
            status, _ = ask(client)
            counts[status] = counts.get(status, 0) + 1
            if status != 200:
              break
        except (OSError, http.client.HTTPException) as error:
          lost.append(error)

  threads = [threading.Thread(target=load) for _ in range(8)]
  for thread in threads:
    thread.start()
  time.sleep(1.0)
  os.kill(process.pid, number)
  for thread in threads:
    thread.join(60)
  process.wait(60)
  lines = process.output() + process.output('stderr')
  assert process.returncode == code, lines
  assert set(counts) == {200, 503} and counts[200] > 10
  # A request that meets the closing door was not accepted.
  assert len(lost) <= len(threads) and 'Traceback' not in lines
  assert lines.count('"POST /v1/models/small') >= counts[200]


def seconds_of_processor(process):
  """User and system time of a process."""
  fields = pathlib.Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
  return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@pytest.mark.slow
def test_descriptors_that_run_out_stop_nobody_for_long(path):
  """Connections wait, the processor rests, and all go on when descriptors are free again."""
  process, port = started(path.parent)
  address = ('127.0.0.1', port)
  try:
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=60)) as client:
      assert ask(client)[0] == 200
      _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
      used = len(os.listdir(f'/proc/{process.pid}/fd'))
      resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
      with contextlib.ExitStack() as stack:
        for _ in range(30):
          stack.enter_context(socket.create_connection(address, timeout=60))
        start = seconds_of_processor(process)
        time.sleep(2.0)
        assert seconds_of_processor(process) - start < 1.0
        assert ask(client)[0] == 200
    time.sleep(1.5)
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=60)) as client:
      assert ask(client)[0] == 200
  finally:
    os.kill(process.pid, signal.SIGTERM)
    process.wait(60)
  assert process.returncode == 143
