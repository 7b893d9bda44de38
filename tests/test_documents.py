"""What README.md and docs/ show works as written: Python runs, commands parse, files exist."""

import contextlib
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from absl import flags

import ma_keras
from ma_keras import data, potentials, pretrained
from ma_keras.apps import command
from ma_keras.apps.configuration import CONFIGURATIONS, command_flags
from ma_keras.saving import model_file
from tests.integration import apps
from tests.support import eager

ROOT = apps.ROOT
DOCS = ROOT / 'docs'
PAGES = [
  ROOT / 'README.md',
  ROOT / 'CONTRIBUTING.md',
  *sorted(DOCS.glob('*.md')),
  *sorted(DOCS.glob('reference/*.md')),
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.DOTALL | re.MULTILINE)
PLACEHOLDER = re.compile(r'\.\.\.|^[A-Z_]+$|\$')


def blocks(page):
  return [code for language, code in FENCE.findall(TEXTS[page]) if language == 'python']


def check_start(names):
  assert names['x'].shape == (16, 2)
  assert names['path'].states.shape == (3, 16, 2)
  assert names['pictures'].shape == (2, 28, 28, 1)
  assert names['samples'].shape == (100, 3) and len(names['scores']) == 15
  assert names['symmetric'].laplacian(0.0, tf.zeros([1, 256])).shape == (1,)


def check_keras(names):
  scores = [names[name].predict(names['x'][:9], verbose=0) for name in ('whole', 'other')]
  np.testing.assert_array_equal(*scores)


def check_survey(names):
  text = names['columns'].report(names['survey'], names['pairs'], names['groups'])
  assert 'price' in text and 'positive, log: ' in text and 'id: looks like numbers of rows' in text


def check_backup(names):
  assert names['backup'].restore() == 20


def check_serving(names):
  np.testing.assert_allclose(
    names['score'], names['module'].score(names['drawn']['x'])['score'], rtol=1e-3, atol=1e-3
  )
  fixed = tf.saved_model.load('fixed').signatures['log_prob']
  x = tf.zeros([16, 64])
  np.testing.assert_allclose(
    fixed(x=x)['log_prob'], names['exported'].log_prob(x)['log_prob'], rtol=1e-5
  )


def check_likelihoods(names):
  """After the first block of docs/keras.md."""
  np.testing.assert_allclose(names['loss'], -np.mean(names['log_densities']), rtol=1e-5)
  found = names['density'].log_prob(names['x'].astype(np.float32))
  np.testing.assert_allclose(found, names['log_densities'], rtol=1e-4)


def small_mnist(monkeypatch):
  """A model of MNIST's pictures that compiles in seconds, under the name of the real one."""
  flow = one_step(784, gradient='plain')
  under_the_name(monkeypatch, 'mnist', model_file.Model(flow, data.Pixels(), (28, 28, 1)))


def small_ising(monkeypatch):
  """A flow as wide as the lattice, with derivatives that a loaded model cannot be saved with."""
  under_the_name(monkeypatch, 'ising_l8', model_file.Model(one_step(64, gradient='store')))


def one_step(event_size, gradient):
  potential = potentials.OneHiddenLayer(event_size, 2)
  return ma_keras.MongeAmpereBijector(potential, 1, 0.1, 'euler', gradient=gradient)


def under_the_name(monkeypatch, name, model):
  load = pretrained.load
  monkeypatch.setattr(pretrained, 'load', lambda other: model if other == name else load(other))


def small_table(monkeypatch):
  """points.csv: three columns, too few rows for a flow."""
  del monkeypatch
  points = np.random.default_rng(0).normal(size=(90, 3))
  np.savetxt('points.csv', points, delimiter=',', header='a,b,c', comments='')


def one_epoch(monkeypatch):
  """Trainings end after an epoch: what they come to in more is no subject of a page's test."""
  fit = tf_keras.Model.fit

  def first_epoch(model, *args, epochs=1, **options):
    return fit(model, *args, epochs=min(epochs, 1), **options)

  monkeypatch.setattr(tf_keras.Model, 'fit', first_epoch)


def without_xla(monkeypatch):
  """Chains are traced and not compiled, which takes longer than to run so few."""
  function = tf.function
  options = {'jit_compile': None}
  monkeypatch.setattr(tf, 'function', lambda *args, **given: function(*args, **(given | options)))


FIXTURES = {
  'README.md': (one_epoch,),
  'docs/conditional.md': (one_epoch,),
  'docs/keras.md': (one_epoch,),
  'docs/particles.md': (without_xla,),
  'docs/start.md': (small_table, small_mnist, one_epoch),
  'docs/serving.md': (small_mnist, small_ising),
  'docs/transport.md': (one_epoch,),
}
# Blocks whose steps are few and whose graphs are large: pairs and embedded atoms.
EAGER = {('docs/particles.md', number) for number in range(5)}
FIRST = {'docs/keras.md': check_likelihoods}
LAST = {
  'docs/keras.md': check_keras,
  'docs/density.md': check_survey,
  'docs/recovery.md': check_backup,
  'docs/serving.md': check_serving,
  'docs/start.md': check_start,
}


@pytest.mark.slow
@pytest.mark.parametrize('page', [page for page in TEXTS if blocks(page)])
def test_the_python_of_a_page_runs_in_order(page, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for fixture in FIXTURES.get(page, ()):
    fixture(monkeypatch)
  names: dict = {'__name__': '__main__'}
  for number, block in enumerate(blocks(page)):
    with eager.eagerly() if (page, number) in EAGER else contextlib.nullcontext():
      exec(compile(block, f'{page}, block {number}', 'exec'), names)
    if number == 0 and page in FIRST:
      FIRST[page](names)
  if page in LAST:
    LAST[page](names)


@pytest.mark.parametrize('page', TEXTS)
def test_no_code_hides_from_the_tests(page):
  """Every fence is closed and says its language, Python as others are written."""
  fences = re.findall(r'^ *```.*$', TEXTS[page], re.MULTILINE)
  assert len(fences) == 2 * len(FENCE.findall(TEXTS[page]))
  languages = {language for language, _ in FENCE.findall(TEXTS[page])}
  assert languages <= {'python', 'sh', 'text'}
  indented = re.findall(r'^ {4}(?:import |from \w+ import )', FENCE.sub('', TEXTS[page]), re.M)
  assert not indented


def invocations():
  """(page, module of ma_keras.apps, words) of every command with flags, in blocks and in text."""
  for page, text in TEXTS.items():
    joined = text.replace('\\\n', ' ')
    for script, name, words in re.findall(
      r'(?:apps/(\w+_main)\.py|ma-keras ((?:train )?[a-z0-9]+))((?: +--[^\s`]+(?: *= *\S+)?)+)',
      joined,
    ):
      yield page, module(script, name), [word.rstrip(',.;:)') for word in shlex.split(words)]


def module(script, name):
  """The module of a script in apps/, or of a command; KeyError where there is none."""
  if not script:
    return command.COMMANDS[name][0]
  (called,) = re.findall(r"command\.run\('(\w+)'\)", (ROOT / 'apps' / f'{script}.py').read_text())
  return called


APPS = sorted({name for _, name, _ in invocations()})


def test_commands_are_found():
  assert {'density', 'score', 'export', 'ising', 'certify', 'serve'} <= set(APPS)


@pytest.mark.slow
@pytest.mark.parametrize('name', APPS)
def test_the_flags_of_commands_exist(name):
  """Every flag of these command lines is one of the app, every value one that it takes."""
  values = flags.FlagValues()
  command_flags.define(CONFIGURATIONS[name], values)
  for page, words in [(page, words) for page, app, words in invocations() if app == name]:
    for word in words:
      flag, _, value = word.removeprefix('--').partition('=')
      if flag == 'flagfile':
        assert (ROOT / value).is_file(), (page, word)
        continue
      if flag == 'help':  # Of every command: ma_keras.apps.command_line.
        continue
      negated = flag.removeprefix('no') in values and flag not in values
      assert flag in values or negated, (page, name, word)
      if value and not PLACEHOLDER.search(value):
        values[flag].parse(value)


@pytest.mark.parametrize('page', TEXTS)
def test_the_files_and_commands_it_names_exist(page):
  folder = (ROOT / page).parent
  for link in re.findall(r'\]\(([\w./-]+)\)', TEXTS[page]):
    assert (folder / link).exists(), link
  for path in re.findall(r'(?<![\w/])apps/(?:flagfiles/)?\w+\.(?:py|flags)', TEXTS[page]):
    assert (ROOT / path).exists() or (ROOT / 'ma_keras' / path).exists(), path
  for words in re.findall(r'ma-keras ((?:train )?[a-z]\w*)', TEXTS[page]):
    assert words in command.COMMANDS, f'ma-keras {words}'
