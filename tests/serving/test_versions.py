"""Numbered versions: the highest that loads is served, and no request is lost while it changes."""

import gc
import logging
import shutil
import threading
import weakref

import pytest
import tensorflow as tf
from starlette.testclient import TestClient

from ma_keras import serving
from ma_keras.serving.versions import Versions

PREDICT = '/v1/models/flow:predict'


class Constant(tf.Module):
  """Says which version it is."""

  def __init__(self, value):
    super().__init__()
    self.value = tf.Variable(float(value))

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name='x')])
  def log_prob(self, x):
    return {'log_prob': 0.0 * x[:, 0] + self.value}


def write(folder, number):
  module = Constant(number)
  tf.saved_model.save(module, str(folder / str(number)), signatures=module.log_prob)


@pytest.fixture(scope='module')
def originals(tmp_path_factory):
  folder = tmp_path_factory.mktemp('originals')
  for number in (1, 2, 10):
    write(folder, number)
  return folder


@pytest.fixture
def folder(originals, tmp_path):
  return shutil.copytree(originals / '2', tmp_path / 'flow' / '2').parent


def test_the_highest_number_is_served(originals):
  assert Versions(originals).current.version == 10
  assert Versions(originals / '2').current.version == 2


def test_a_higher_version_takes_over_when_its_files_stand_still(originals, folder):
  versions = Versions(folder)
  shutil.copytree(originals / '10', folder / '10')
  shutil.copytree(originals / '1', folder / '1')
  versions.look()
  assert versions.current.version == 2
  versions.look()
  assert versions.current.version == 10


def test_the_version_below_takes_over_from_one_that_is_removed(originals, folder):
  shutil.copytree(originals / '10', folder / '10')
  versions = Versions(folder)
  shutil.rmtree(folder / '10')
  versions.look()
  versions.look()
  assert versions.current.version == 2
  shutil.rmtree(folder)
  versions.look()
  assert versions.current.version == 2


def truncate(path):
  path.write_bytes(path.read_bytes()[:-40])


DAMAGES = {
  'no graph': lambda path: (path / 'saved_model.pb').unlink(),
  'half a graph': lambda path: truncate(path / 'saved_model.pb'),
  'no variables': lambda path: shutil.rmtree(path / 'variables'),
  'no numbers': lambda path: (path / 'variables/variables.data-00000-of-00001').write_bytes(b''),
  'no index': lambda path: truncate(path / 'variables/variables.index'),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_version_is_named_once_and_tried_again_when_it_changes(
  originals, folder, caplog, damage
):
  versions = Versions(folder)
  DAMAGES[damage](shutil.copytree(originals / '10', folder / '10'))
  with caplog.at_level(logging.WARNING, 'ma_keras.serving'):
    for _ in range(4):
      versions.look()
  assert versions.current.version == 2
  (record,) = caplog.records
  assert 'Version 10 is not served' in record.getMessage() and '\n' not in record.getMessage()
  shutil.rmtree(folder / '10')
  shutil.copytree(originals / '10', folder / '10')
  for _ in range(2):
    versions.look()
  assert versions.current.version == 10


def test_a_damaged_version_gives_way_to_the_one_below_from_the_start(originals, folder):
  truncate(shutil.copytree(originals / '10', folder / '10') / 'saved_model.pb')
  assert Versions(folder).current.version == 2
  truncate(folder / '2' / 'saved_model.pb')
  with pytest.raises(ValueError, match=r'versions \[10, 2\], and none of them can be loaded'):
    Versions(folder)


def test_other_folders_are_no_versions(originals, folder):
  for name in ('010', '-3', '3.0', 'tmp', '\u0663'):
    shutil.copytree(originals / '10', folder / name)
  (folder / '11').write_text('a file')
  versions = Versions(folder)
  versions.look()
  versions.look()
  assert versions.current.version == 2


def test_no_request_is_lost_while_versions_change(originals, folder):
  app = serving.application(folder, 'flow', poll_seconds=0.02)
  old = weakref.ref(app.state.service.servable)
  seen, stop = [], threading.Event()
  with TestClient(app) as client:

    def ask():
      while not stop.is_set():
        answer = client.post(PREDICT, json={'instances': [[0.0]]})
        seen.append((answer.status_code, answer.json().get('predictions')))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
      thread.start()
    shutil.copytree(originals / '10', folder / '10')
    for _ in range(600):
      if (200, [10.0]) in seen:
        break
      stop.wait(0.05)
    stop.set()
    for thread in threads:
      thread.join()
    assert set(map(str, seen)) == {'(200, [2.0])', '(200, [10.0])'}
    assert client.get('/v1/models/flow/versions/10').status_code == 200
    assert client.get('/v1/models/flow/versions/2').status_code == 404
    gc.collect()
    assert old() is None, 'The old version is still in memory.'
