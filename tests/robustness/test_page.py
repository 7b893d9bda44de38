"""docs/robustness.md is what the rows give."""

import re

import pytest

from tests.robustness import document
from tests.robustness.row import Row, matches


def test_the_page_is_that_of_the_rows():
  assert document.PAGE.read_text() == document.page(), 'Write it: python -m tests.robustness'


@pytest.mark.parametrize('section', document.SECTIONS)
def test_rows_are_told_apart_and_say_something(section):
  rows = document.SECTIONS[section]
  assert len({str(row) for row in rows}) == len(rows)
  for row in rows:
    assert len(re.sub(r'\.\.\.|\W', '', row.message)) > 7, row


def test_dots_stand_for_anything_and_nothing_else_does():
  assert matches('`a` must be 3. Try 4.', '`a` must be .... Try ...')
  assert not matches('`a` must be 3. Try 4.', '`a` must be ... Try 5.')
  assert not matches('it is 3', 'is ...')


def raising(number):
  if number > 1:
    raise ValueError(f'got {number}')


@pytest.mark.parametrize(
  'row',
  [
    Row('another message', raising, ValueError, 'got more', (3,)),
    Row('one of the inputs passes', raising, ValueError, 'got {}', (3, 1)),
    Row('another exception', raising, TypeError, 'got {}', (3,)),
    Row('an error where none should be', raising, None, 'nothing', (3,)),
  ],
  ids=str,
)
def test_a_row_that_does_not_hold_fails(row):
  with pytest.raises(AssertionError):
    row.check()
