"""Settings by the size of a table: bounds, and the sizes between them."""

import math

import pytest

from ma_keras import estimator
from ma_keras.fitting import Settings

SIZES = [(30, 1), (100, 1), (500, 3), (1000, 10), (3000, 10), (10_000, 2), (10**6, 300)]


@pytest.mark.parametrize('num_rows, num_columns', SIZES)
def test_units_have_a_quarter_as_many_numbers_as_the_table(num_rows, num_columns):
  """The nearest power of two, from 16 to 256."""
  settings = Settings.for_table(num_rows, num_columns)
  ratio = settings.hidden_units * (num_columns + 7) / (num_rows * num_columns / 4)
  assert math.log2(settings.hidden_units).is_integer()
  if settings.hidden_units > 16:
    assert ratio <= 2**0.5 + 1e-9
  if settings.hidden_units < 256:
    assert ratio >= 2**-0.5 - 1e-9
  assert 16 <= settings.hidden_units <= 256


def test_units_of_a_small_a_middling_and_a_large_table():
  assert [Settings.for_table(n, 9).hidden_units for n in (20, 460, 10**6)] == [16, 64, 256]


@pytest.mark.parametrize('num_rows, num_columns', SIZES)
def test_few_rows_are_passed_over_two_hundred_times_and_many_a_few(num_rows, num_columns):
  settings = Settings.for_table(num_rows, num_columns)
  passes = settings.steps * settings.batch_size / num_rows
  assert settings.batch_size == min(256, num_rows) and 200 <= settings.steps <= 2000
  if 200 < settings.steps < 2000:
    assert passes == pytest.approx(200, rel=0.01)
  elif settings.steps == 2000:
    assert passes <= 200
  else:
    assert passes >= 199


@pytest.mark.parametrize('steps, steps_per_epoch, epochs', [(2000, 100, 20), (2001, 100, 21)])
def test_epochs_hold_all_steps_of_which_one_in_twenty_warms_up(steps, steps_per_epoch, epochs):
  settings = Settings(hidden_units=16, steps=steps, steps_per_epoch=steps_per_epoch)
  assert settings.epochs == epochs and settings.warmup_steps == 100
  for size in SIZES:
    assert 20 <= Settings.for_table(*size).epochs <= 22


def test_the_defaults_are_those_that_the_help_states():
  settings, text = Settings(hidden_units=16), estimator.MongeAmpereDensity.__doc__
  for name, value in (
    ('num_steps', 'sixteen'),
    ('learning_rate', f'{settings.learning_rate:g}'),
    ('batch_size', f'{settings.batch_size}'),
  ):
    assert f'None: {value}' in text.partition(f'{name}: ')[2].partition('\n    ')[0], name
  assert settings.num_steps == 16 and settings.gradient_clip == 1.0
  assert settings.penalties is None  # Those of training on data.
