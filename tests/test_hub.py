"""Models from a folder or an address: what is listed, what is checked, what stands in the cache."""

import functools
import hashlib
import http.server
import io
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

import ma_keras
from ma_keras import pretrained
from ma_keras.apps import command, model_app
from ma_keras.apps.configuration.model import ModelConfig
from ma_keras.pretrained import index, sources, web

NAME = 'ising_l8'
WITHOUT_TENSORFLOW = """
import sys
from ma_keras.apps import command
command.main()
assert 'tensorflow' not in sys.modules
"""


class Handler(http.server.SimpleHTTPRequestHandler):
  """Serves a folder, and remembers what was asked for."""

  def do_GET(self):
    """/to/ADDRESS redirects to it, and /code/503 answers with this code."""
    self.server.asked.append(self.path)
    _, kind, rest = self.path.split('/', 2) if self.path.count('/') > 1 else ('', '', '')
    if kind == 'to':
      self.send_response(302)
      self.send_header('Location', rest)
      self.end_headers()
    elif kind == 'code':
      self.send_response(int(rest.split('/')[0]), 'a \x1b[31mred reason')
      self.end_headers()
    else:
      super().do_GET()

  def log_message(self, *args):
    """Says nothing."""


@pytest.fixture
def folder(tmp_path):
  """A folder with one model and its index, as `write_index` would write it."""
  path = tmp_path / 'models'
  path.mkdir()
  for suffix in ('npz', 'md'):
    shutil.copy(pretrained.FOLDER / f'{NAME}.{suffix}', path)
  whole = json.loads((pretrained.FOLDER / index.INDEX).read_text())
  whole['models'] = {NAME: whole['models'][NAME]}
  (path / index.INDEX).write_text(json.dumps(whole))
  return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv(sources.CACHE_VARIABLE, str(tmp_path / 'cache'))
  monkeypatch.setenv('no_proxy', '127.0.0.1')
  return tmp_path / 'cache'


@pytest.fixture
def server(folder, cache):
  handler = functools.partial(Handler, directory=str(folder))
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
    running.asked = []
    running.url = f'http://127.0.0.1:{running.server_port}'
    thread = threading.Thread(target=running.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()


def damage(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def weights(model):
  return [variable.numpy() for variable in model.bijector.variables]


@pytest.mark.parametrize('name', pretrained.names())
def test_the_index_of_the_package_is_that_of_its_files(name):
  (entry,) = [entry for entry in pretrained.table() if entry.name == name]
  assert entry == index.describe(pretrained.FOLDER / f'{name}.npz')
  assert entry.about and entry.figures


def test_an_index_is_written_as_it_is_read(folder):
  before = (folder / index.INDEX).read_bytes()
  (folder / index.INDEX).unlink()
  written = pretrained.write_index(folder)
  assert written == pretrained.table(folder) == index.read(before, 'before')
  with pytest.raises(ValueError, match=r'holds no \.npz'):
    pretrained.write_index(folder.parent)


def test_figures_that_nobody_measured_are_left_out(tmp_path):
  """Nor do letters of another encoding keep an index from being written."""
  potential = ma_keras.potentials.Quadratic(np.diag([0.5, -0.3]))
  notes = {'nll': 2, 'bits_per_dimension': None, 'total_kl': float('nan')}
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  ma_keras.model_file.save(tmp_path / 'two.npz', ma_keras.model_file.Model(bijector, notes=notes))
  (tmp_path / 'two.md').write_bytes('# two: a Monge-Ampere flow of Sch\xe4fchen'.encode('latin-1'))
  (entry,) = pretrained.write_index(tmp_path)
  assert entry.figures == {'nll': 2.0} and entry.about == 'Sch\ufffdfchen'
  assert pretrained.table(tmp_path) == (entry,)


def test_who_reads_an_index_while_another_is_written_reads_it_whole(folder):
  (folder / index.INDEX).write_text('the old one')
  with (folder / index.INDEX).open() as reader:
    pretrained.write_index(folder)
    assert reader.read() == 'the old one'
  assert {path.name for path in folder.iterdir()} == {f'{NAME}.npz', f'{NAME}.md', index.INDEX}


def test_memory_is_taken_by_the_bytes_of_a_file_and_not_of_its_index(folder):
  content = (folder / f'{NAME}.npz').read_bytes()
  assert sources.Folder(folder).read(f'{NAME}.npz', 1 << 60) == content


@pytest.mark.slow
def test_a_folder_and_its_file_address_hold_the_model(folder):
  for source in (folder, folder.as_uri(), folder.as_uri().replace('//', '//localhost')):
    assert pretrained.names(source) == [NAME]
    assert pretrained.card(NAME, source) == pretrained.card(NAME)
    for one, two in zip(weights(pretrained.load(NAME, source)), weights(pretrained.load(NAME))):
      np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_model_of_an_address_is_loaded_once(server, cache):
  source = f'{server.url}/'
  for _ in range(2):
    model = pretrained.load(NAME, source)
  assert server.asked.count(f'/{NAME}.npz') == 1 and server.asked.count('/index.json') == 2
  np.testing.assert_array_equal(weights(model)[0], weights(pretrained.load(NAME))[0])
  (kept,) = cache.iterdir()
  assert kept.stem == hashlib.sha256(kept.read_bytes()).hexdigest()
  damage(kept)
  pretrained.load(NAME, source)  # Anew.
  assert server.asked.count(f'/{NAME}.npz') == 2
  assert kept.stem == hashlib.sha256(kept.read_bytes()).hexdigest()


def test_a_model_whose_hash_is_known_needs_no_network_again(server):
  url, sha256 = server.url, pretrained.table(server.url)[0].sha256
  with pytest.raises(ValueError, match='it is another model by now'):
    pretrained.load(NAME, url, sha256='0' * 64)
  for none in ('', '0' * 63, 'sha256:' + sha256):
    with pytest.raises(ValueError, match='must be 64 hexadecimal digits'):
      pretrained.load(NAME, url, sha256=none)
  pretrained.load(NAME, url, sha256=sha256.upper())
  server.shutdown()
  server.server_close()
  pretrained.load(NAME, url, sha256=sha256)
  with pytest.raises(OSError, match=r'index\.json cannot be reached \(.*refused.*check address'):
    pretrained.load(NAME, url)


def test_other_bytes_than_those_of_the_index_are_never_opened(server, folder, cache):
  damage(folder / f'{NAME}.npz')
  for source in (server.url, folder):
    with pytest.raises(ValueError, match=r'ising_l8\.npz is not the file of the index: SHA-256'):
      pretrained.load(NAME, source)
  with (folder / f'{NAME}.npz').open('ab') as file:
    file.write(b'0')
  for source in (server.url, folder):
    with pytest.raises(ValueError, match=r'is larger than the [\d,]+ bytes'):
      pretrained.load(NAME, source)
  assert not cache.exists()


def test_what_is_missing_is_named(server, folder):
  with pytest.raises(ValueError, match=r"one of \['ising_l8'\], got 'mnist'"):
    pretrained.load('mnist', server.url)
  (folder / f'{NAME}.npz').unlink()
  with pytest.raises(ValueError, match=r'ising_l8\.npz is answered by 404'):
    pretrained.load(NAME, server.url)
  with pytest.raises(ValueError, match=r'There is no .*ising_l8\.npz'):
    pretrained.load(NAME, folder)
  with pytest.raises(ValueError, match=r'elsewhere/index\.json is answered by 404'):
    pretrained.table(f'{server.url}/elsewhere')


@pytest.mark.parametrize(
  'source',
  [
    *('ftp://host/models', 'https:///models', 'https://host/models?version=1', 'http://[::1'),
    *('http://host:port/models', 'file://elsewhere/models', 'https:/', 'https:', 'https:/host'),
    pathlib.Path('https://host/models'),
  ],
)
def test_other_places_than_folders_and_addresses_are_refused(source):
  with pytest.raises(ValueError, match='`source` must be a folder or an address'):
    pretrained.table(source)


@pytest.mark.parametrize(
  'source', ['https://u:secret@host/x', 'https:/u:secret@x', 'http://u:secret@[::1']
)
def test_no_password_is_shown(source):
  with pytest.raises(ValueError, match='`source` must hold no user and no password') as error:
    pretrained.table(source)
  assert 'secret' not in str(error.value)


def test_redirects_lead_to_the_web_alone(server):
  assert pretrained.names(f'{server.url}/to/{server.url}') == [NAME]
  for address in ('ftp://127.0.0.1:1', 'file:///etc'):
    with pytest.raises(ValueError, match=rf'is answered by 302 .*{address}'):
      pretrained.names(f'{server.url}/to/{address}')


def test_redirects_do_not_leave_https():
  def redirected(to):
    request = urllib.request.Request('https://host/index.json')
    return web.Redirects().redirect_request(request, io.BytesIO(), 302, 'Found', {}, to)

  assert redirected('https://other/index.json').full_url == 'https://other/index.json'
  with pytest.raises(urllib.error.HTTPError, match='and only https is followed'):
    redirected('http://host/index.json')


@pytest.mark.parametrize('code, error', [(403, ValueError), (429, OSError), (503, OSError)])
def test_answers_that_may_change_are_those_of_a_network(server, code, error):
  with pytest.raises(error, match=rf'is answered by {code} a \?\[31mred reason'):
    pretrained.names(f'{server.url}/code/{code}')


@pytest.mark.parametrize(
  'change',
  [
    lambda whole: whole.update(format=2),
    lambda whole: whole.pop('models'),
    lambda whole: whole['models'].update({'../up': whole['models'][NAME]}),
    lambda whole: whole['models'][NAME].update(sha256='0a'),
    lambda whole: whole['models'].update({'sp\xe4t': whole['models'][NAME]}),
    *(
      lambda whole, key=key, value=value: whole['models'][NAME].update({key: value})
      for key, value in [
        *(('size', 'many'), ('size', 0), ('size', 10**15), ('size', float('inf')), ('size', True)),
        *(('parameters', -1), ('parameters', 0.5)),
        *(('event_shape', [8, -8]), ('event_shape', [float('inf')]), ('event_shape', '64')),
      ]
    ),
    lambda whole: whole['models'].update({NAME: None}),
  ],
)
def test_an_index_that_is_none_is_refused(change, folder):
  whole = json.loads((folder / index.INDEX).read_text())
  change(whole)
  (folder / index.INDEX).write_text(json.dumps(whole))
  with pytest.raises(ValueError, match='is no index of models'):
    pretrained.table(folder)
  (folder / index.INDEX).write_bytes(b'\xff[')
  with pytest.raises(ValueError, match='is no index of models'):
    pretrained.table(folder)


def test_figures_too_large_to_show_are_left_out(folder):
  whole = json.loads((folder / index.INDEX).read_text())
  whole['models'][NAME]['figures'] = {'nll': 10**400, 'total_kl': 1.5, 'bits_per_dimension': None}
  (folder / index.INDEX).write_text(json.dumps(whole))
  assert pretrained.table(folder)[0].figures == {'total_kl': 1.5}


@pytest.mark.slow
def test_the_command_lists_models_without_tensorflow():
  call = [sys.executable, '-c', WITHOUT_TENSORFLOW, 'models']
  done = subprocess.run(call, capture_output=True, text=True, check=False)
  assert (done.returncode, done.stderr) == (0, '')
  header, *lines = done.stdout.splitlines()
  assert header.split()[0] == 'name' and [line.split()[0] for line in lines] == pretrained.names()
  digits = lines[pretrained.names().index('mnist')]
  assert 'NLL 908.30 nats, 1.1699 bits per dimension' in digits and '28 x 28 x 1' in digits


def run(monkeypatch, *words):
  """The exit code."""
  monkeypatch.setattr(sys, 'argv', ['ma-keras', 'models', *words])
  with pytest.raises(SystemExit) as ending:
    command.main()
  return ending.value.code or 0


def test_the_command_prints_cards_and_says_what_is_wrong(server, monkeypatch, capsys):
  assert run(monkeypatch, f'--source={server.url}', f'--card={NAME}') == 0
  assert capsys.readouterr().out == pretrained.card(NAME)
  url = server.url
  for words, code, message in (
    (['--card=cats'], 1, "got 'cats'"),
    ([f'--source={url}/none'], 1, 'is answered by 404'),
    (['--source=http://127.0.0.1:1'], 4, 'cannot be reached'),
  ):
    assert run(monkeypatch, *words) == code
    stderr = capsys.readouterr().err
    assert message in stderr and stderr.count('\n') == 1


def test_texts_of_strangers_do_not_steer_the_terminal(folder, monkeypatch, capsys):
  whole = json.loads((folder / index.INDEX).read_text())
  whole['models'][NAME]['about'] = 'red\x1b[31m\r\x9b\u202e\ud800\nend'
  (folder / index.INDEX).write_text(json.dumps(whole))
  (folder / f'{NAME}.md').write_text('# ising\r\n\n\u03c6\t\x1b]0;title\x07\n', newline='')
  assert run(monkeypatch, f'--source={folder}') == 0
  assert 'red?[31m ??? end' in capsys.readouterr().out
  assert run(monkeypatch, f'--source={folder}', f'--card={NAME}') == 0
  assert capsys.readouterr().out == '# ising\n\n\u03c6       ?]0;title?\n'


def test_commands_take_the_address_of_a_model(server):
  model = model_app.load(ModelConfig(model=f'{server.url}/{NAME}', num_steps=32))
  assert model.bijector.horizon.num_steps == 32 and model.event_size == 64
  for address in ('https://mnist', 'https:/mnist'):
    with pytest.raises(ValueError, match=r'must be a folder or an address .* followed by /NAME'):
      model_app.load(ModelConfig(model=address))


def test_the_cache_is_where_the_environment_says(monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', 'there')
  monkeypatch.delenv(sources.CACHE_VARIABLE, raising=False)
  assert sources.cache_folder() == pathlib.Path('there/ma_keras/models')
  monkeypatch.setenv(sources.CACHE_VARIABLE, 'here')
  assert sources.cache_folder() == pathlib.Path('here')
