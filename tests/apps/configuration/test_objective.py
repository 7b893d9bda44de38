"""An energy and the bound of the loss, as a text."""

import pytest

from ma_keras.apps.configuration import objective
from ma_keras.flow import tallies


def test_an_energy_and_a_bound_are_read():
  assert objective.parse('kinetic:-2.5') == ('kinetic', -2.5)
  assert objective.parse('') is None


def test_its_names_are_those_of_tallies():
  assert set(objective.NAMES) <= set(tallies.TALLIES)


@pytest.mark.parametrize(
  'text', ['kinetic', 'kinetic:', 'stiffness:1', 'kinetic:nan', 'heat:1', '2']
)
def test_other_texts_are_refused(text):
  with pytest.raises(ValueError, match='write kinetic:'):
    objective.parse(text)
