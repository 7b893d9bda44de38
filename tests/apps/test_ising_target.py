"""The target that flags name, what is exactly known of it, and what does not go together."""

import numpy as np
import pytest
from absl import flags

from ma_keras import targets
from ma_keras.apps import ising_target
from ma_keras.apps.configuration import IsingConfig
from ma_keras.apps.configuration.target import TargetConfig
from tests.support.configurations import parsed


def test_an_ising_model_and_what_is_known_of_it():
  config = IsingConfig(side=3, coupling=0.2, boundary='open', dtype='float64')
  target = ising_target.build(config)
  assert isinstance(target, targets.Ising) and target.dtype == 'float64'
  assert (target.side, target.coupling, target.boundary) == (3, 0.2, 'open')
  assert ising_target.exact_per_site(target) == pytest.approx(-target.exact_log_partition() / 9)
  exact = targets.thermodynamics.exact(3, 0.2, 'open')
  expected = {'energy': exact.energy, 'specific heat': exact.specific_heat}
  assert ising_target.exact_observables(target) == expected
  assert config.run_name == 'ising_l3'


def test_of_wide_open_lattices_and_fields_nobody_knows_ln_z():
  """Open lattices that are more than 20 wide."""
  target = ising_target.build(TargetConfig(side=21, boundary='open'))
  assert ising_target.exact_per_site(target) is None
  assert ising_target.exact_observables(target) == {}
  config = IsingConfig(target='phi4', side=3, mass_squared=-1.5, quartic=0.5)
  field = ising_target.build(config)
  assert isinstance(field, targets.Phi4)
  assert (field.event_size, field.mass_squared, field.quartic) == (9, -1.5, 0.5)
  assert ising_target.exact_per_site(field) is None and ising_target.exact_observables(field) == {}
  assert config.run_name == 'phi4_l3'


def test_spins_with_couplings_of_a_file(tmp_path):
  np.save(tmp_path / 'K.npy', np.array([[0.0, 0.5], [0.5, 0.0]]))
  config = IsingConfig(target='couplings', couplings_file=str(tmp_path / 'K.npy'))
  target = ising_target.build(config)
  assert config.run_name == 'couplings'
  log_partition = np.log(4 * np.cosh(0.5))  # Two spins: 2 e^K + 2 e^-K.
  assert np.log(np.sum(np.exp([0.5, -0.5, -0.5, 0.5]))) == pytest.approx(log_partition)
  assert ising_target.exact_per_site(target) == pytest.approx(-target.exact_log_partition() / 2)
  assert ising_target.exact_observables(target) == {}


def test_couplings_of_any_table(tmp_path):
  """Field case 11: a .csv was said to hold pickles."""
  path = tmp_path / 'K.csv'
  for text in (
    '0,0.5\n0.5,0\n',
    'up,down\n0,0.5\n0.5,0\n',
    '0;0,5\n0,5;0\n',
    ',0,1\n0,0,0.5\n1,0.5,0\n',
  ):
    path.write_text(text)
    np.testing.assert_array_equal(ising_target.read_couplings(str(path)), [[0, 0.5], [0.5, 0]])
  path.write_bytes(b'\x80\x04\x95 pickled')
  with pytest.raises(ValueError, match='What is read: text tables') as refusal:
    ising_target.build(TargetConfig(target='couplings', couplings_file=str(path)))
  assert 'pickled' not in str(refusal.value)


def test_options_that_do_not_go_together_are_named(tmp_path):
  (tmp_path / 'text.npy').write_text('no matrix')
  with pytest.raises(ValueError, match='needs --target=couplings, got --target=ising'):
    ising_target.build(TargetConfig(couplings_file='K.npy'))
  for file in ('missing.npy', 'text.npy'):
    with pytest.raises(ValueError, match=f'{file}'):
      ising_target.build(TargetConfig(target='couplings', couplings_file=str(tmp_path / file)))
  with pytest.raises(ValueError, match='needs --couplings_file'):
    ising_target.build(TargetConfig(target='couplings'))


def test_flags_out_of_bounds_are_refused():
  parsed(TargetConfig, '--side=2', '--quartic=0')
  for flag in ('side=1', 'quartic=-0.1', 'boundary=closed', 'target=potts', 'dtype=float16'):
    with pytest.raises(flags.IllegalFlagValueError):
      parsed(TargetConfig, f'--{flag}')


def test_pictures_are_squares_with_zeros_where_sites_are_missing():
  squares = ising_target.pictures(np.arange(1, 11).reshape(2, 5))
  np.testing.assert_array_equal(squares[0], [[1, 2, 3], [4, 5, 0], [0, 0, 0]])
  np.testing.assert_array_equal(squares[1], [[6, 7, 8], [9, 10, 0], [0, 0, 0]])
  assert ising_target.pictures(np.zeros([3, 16])).shape == (3, 4, 4)
