"""A model file holds the model or is refused: no other end, whatever happens to its bytes."""

import inspect
import json

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import ma_keras
from ma_keras import data, potentials
from ma_keras.potentials.hutchinson import PROBES as PROBES_OF_HUTCHINSON
from ma_keras.saving import descriptions, model_file, solver_options
from tests.properties import recipes, strategies
from tests.support import eager

NOTES = st.dictionaries(
  st.text(max_size=5), st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False)
)
STANDARDISED = data.Standardised(np.arange(4.0), np.arange(1.0, 5.0))
PREPROCESSING = st.sampled_from([None, data.Pixels(17, 1e-3), STANDARDISED])
SHAPE = (2, 2, 1)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  return tmp_path_factory.mktemp('models') / 'model.npz'


@pytest.fixture(scope='module')
def saved(path):
  """A model of several classes, and the bytes of its file."""
  terms = [recipes.OneHiddenLayer(4, 3, seed=0), recipes.Quadratic(np.diag([1.0, 2.0, 3.0, 4.0]))]
  bijector = ma_keras.MongeAmpereBijector(recipes.Sum(terms), 3, 0.2, 'three_eighths')
  model = model_file.Model(bijector, data.Pixels(), SHAPE, {'made by': 'a test'})
  model_file.save(path, model)
  return model, path.read_bytes()


def assert_equal(found, made):
  """To the bit, variables and everything that is no variable."""
  one, two = found.bijector, made.bijector
  assert (one.integrator, one.dtype) == (two.integrator, two.dtype)
  assert (one.horizon.num_steps, one.horizon.step_size) == (
    two.horizon.num_steps,
    two.horizon.step_size,
  )
  assert solver_options.describe(one) == solver_options.describe(two)
  assert (found.event_shape, found.notes) == (made.event_shape, made.notes)
  for a, b in ((one.potential, two.potential), (found.preprocessing, made.preprocessing)):
    arrays: tuple[list, list] = ([], [])
    assert descriptions.describe(a, arrays[0]) == descriptions.describe(b, arrays[1])
    assert [array.tobytes() for array in arrays[0]] == [array.tobytes() for array in arrays[1]]
  assert len(one.potential.variables) == len(two.potential.variables)
  for a, b in zip(one.potential.variables, two.potential.variables):
    assert a.numpy().tobytes() == b.numpy().tobytes()


def assert_refused_or_equal(path, content, made):
  path.write_bytes(content)
  try:
    found = model_file.load(path)
  except ValueError as error:
    assert str(path) in str(error)
  else:
    assert_equal(found, made)


@pytest.mark.slow
@strategies.examples(10)
@hypothesis.given(
  recipe=recipes.sums(2),
  dtype=strategies.DTYPES,
  preprocessing=PREPROCESSING,
  num_steps=st.integers(1, 1000),
  time=st.floats(1e-6, recipes.TIME),
  notes=NOTES,
  seed=strategies.SEEDS,
)
def test_any_composition_comes_back_to_the_bit(
  path, recipe, dtype, preprocessing, num_steps, time, notes, seed
):
  potential = recipes.generic(recipe, dtype, seed)
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, time / num_steps, 'heun')
  made = model_file.Model(bijector, preprocessing, preprocessing and SHAPE, notes)
  model_file.save(path, made)
  found = model_file.load(path)
  assert_equal(found, made)
  x = strategies.points(2, 4, seed=seed, dtype=dtype)
  derivatives = (m.bijector.potential.gradient_and_laplacian(0.1, x) for m in (found, made))
  for one, two in zip(*derivatives):
    np.testing.assert_array_equal(one, two)


PROBES = st.none() | st.builds(
  potentials.Hutchinson,
  seed=strategies.SEEDS | st.just(tf.constant([3, 5])),
  probe=st.sampled_from(PROBES_OF_HUTCHINSON),
  num_probes=st.integers(1, 2),
)
OPTIONS = st.fixed_dictionaries(
  {
    'gradient': st.sampled_from(['store', 'recompute', 'plain']),
    'jitter': st.sampled_from([0.0, 0.7]),
    'seed': strategies.SEEDS | st.just(tf.constant([3, 5])),
    'batch_size': st.none() | st.integers(1, 3),
    'validate_args': st.booleans(),
  }
)


@pytest.mark.slow
@strategies.examples(8)
@hypothesis.given(
  recipe=recipes.composable(2), part=PROBES, whole=PROBES, options=OPTIONS, seed=strategies.SEEDS
)
def test_no_option_of_a_flow_is_dropped(path, recipe, part, whole, options, seed):
  """Neither of the potential's, nor of a part of it, nor of the bijector's."""
  potential = recipes.generic(recipe, tf.float64, seed)
  dense = recipes.OneHiddenLayer(4, 3, dtype=tf.float64, seed=0)
  potential = recipes.Sum([potential.with_laplacian(part), dense]).with_laplacian(whole)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.01, 'euler', **options)
  made = model_file.Model(bijector)
  model_file.save(path, made)
  found = model_file.load(path)
  assert_equal(found, made)
  x = strategies.points(5, 4, seed=seed, dtype=tf.float64)
  with eager.eagerly():
    np.testing.assert_array_equal(found.flow().log_prob(x), made.flow().log_prob(x))


# Variables come from the file; what TFP is told of a map is no part of it.
OF_FIRST_VALUES = {'dtype', 'seed', 'kernel_range', 'spread', 'steepness', 'name', 'growth'}
OF_FIRST_VALUES |= {'parameters', 'validate_args'}


@pytest.mark.parametrize(
  'cls', [cls for cls in descriptions.CLASSES.values() if hasattr(cls, 'config')]
)
def test_configurations_name_all_arguments_but_those_of_first_values(cls):
  """What a constructor takes and config() does not name, a file would drop."""
  source = ''
  for kind in cls.__mro__:
    if 'config' in vars(kind):
      source += inspect.getsource(kind.config)
      if 'super().config()' not in source:
        break
  names = inspect.signature(cls).parameters.keys() - OF_FIRST_VALUES
  whole = 'vars(self)' in source or 'asdict(self)' in source
  assert names and all(f"'{name}'" in source or whole for name in names)


@strategies.examples(60)
@hypothesis.given(data=st.data())
def test_a_file_cut_off_anywhere_is_refused(saved, path, data):
  _, content = saved
  path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
  with pytest.raises(ValueError, match='no model file of ma_keras, or is damaged'):
    model_file.load(path)


@pytest.mark.slow
@strategies.examples(250)
@hypothesis.given(data=st.data(), byte=st.integers(1, 255))
def test_a_byte_changed_anywhere_is_met_or_does_not_matter(saved, path, data, byte):
  made, content = saved
  place = data.draw(st.integers(0, len(content) - 1))
  changed = bytes([content[place] ^ byte])
  assert_refused_or_equal(path, content[:place] + changed + content[place + 1 :], made)


@pytest.mark.slow
@strategies.examples(60)
@hypothesis.given(junk=st.binary(max_size=200), offset=st.integers(0, 4000))
def test_junk_in_the_middle_is_met_or_does_not_matter(saved, path, junk, offset):
  made, content = saved
  offset %= len(content)
  assert_refused_or_equal(path, content[:offset] + junk + content[offset:], made)


@pytest.mark.slow
@strategies.examples(30)
@hypothesis.given(
  described=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
  )
)
def test_any_other_json_is_refused(path, described):
  with path.open('wb') as file:
    np.savez(file, model=json.dumps(described))
  with pytest.raises(ValueError, match=r'model file|format'):
    model_file.load(path)


def places(value, path=()):
  """Paths to all values within a JSON value."""
  yield path
  items = value.items() if isinstance(value, dict) else ()
  for key, part in enumerate(value) if isinstance(value, list) else items:
    yield from places(part, (*path, key))


ODD = st.sampled_from(
  [
    *(None, True, '', '3', -1, 0, 3, 10**9, 10**30, 0.5, -0.5, 1e308, float('nan'), float('inf')),
    *([], {}, [3], [[1.0]], {'class': 'Sum', 'arguments': {'terms': []}}),
  ]
)


@pytest.mark.slow
@strategies.examples(60)
@hypothesis.given(data=st.data(), odd=ODD)
def test_any_value_of_a_description_put_in_place_of_another_is_met(saved, path, data, odd):
  """The file is refused, or has the weights to the bit: no other exception, and no other weight."""
  made, content = saved
  path.write_bytes(content)
  with np.load(path) as file:
    arrays = {key: file[key] for key in file.files}
  described = json.loads(str(arrays.pop('model')))
  *way, last = data.draw(st.sampled_from([place for place in places(described) if place]))
  inner = described
  for key in way:
    inner = inner[key]
  inner[last] = odd
  with path.open('wb') as file:
    np.savez(file, model=json.dumps(described), **arrays)
  try:
    found = model_file.load(path)
  except ValueError as error:
    assert str(path) in str(error)
  else:
    variables = zip(found.bijector.potential.variables, made.bijector.potential.variables)
    assert all(one.numpy().tobytes() == two.numpy().tobytes() for one, two in variables)
