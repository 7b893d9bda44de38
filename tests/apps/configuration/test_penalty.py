"""Penalties of the command line: weights by name."""

import pytest

from ma_keras.apps.configuration import penalty

PENALTIES = {'stiffness': 0.3}


def test_a_text_names_weights():
  weights = {'stiffness': 0.3, 'kinetic': 0.01}
  assert penalty.parse('stiffness:0.3, kinetic:0.01') == weights
  assert penalty.parse('') == {}


def test_what_a_text_does_not_name_keeps_its_default_and_no_text_is_none():
  assert penalty.parse('kinetic:1', PENALTIES) == {'stiffness': 0.3, 'kinetic': 1.0}
  assert penalty.parse('stiffness:0', PENALTIES) == {'stiffness': 0.0}
  assert penalty.parse('', PENALTIES) == {}


@pytest.mark.parametrize(
  'text', ['heat:1', 'kinetic', 'kinetic:', 'kinetic:-1', 'kinetic:inf', 'kinetic:1,kinetic:2']
)
def test_text_of_another_form_is_refused(text):
  with pytest.raises(ValueError, match=r'write stiffness:0\.3,kinetic'):
    penalty.parse(text)
