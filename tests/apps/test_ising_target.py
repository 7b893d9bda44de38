"""The target that flags name, what is exactly known of it, and what does not go together."""

import numpy as np
import pytest
from absl import flags

from ma_keras import targets
from tests.integration import apps


def ising_target(*arguments):
  """The module, its flags parsed; one process imports it once."""
  from ma_keras.apps import ising_target as module

  flags.FLAGS(['ising', *arguments])
  return module


def check_ising():
  module = ising_target('--side=3', '--coupling=0.2', '--boundary=open', '--dtype=float64')
  target = module.build()
  assert isinstance(target, targets.Ising) and target.dtype == 'float64'
  assert (target.side, target.coupling, target.boundary) == (3, 0.2, 'open')
  assert module.exact_per_site(target) == pytest.approx(-target.exact_log_partition() / 9)
  exact = targets.thermodynamics.exact(3, 0.2, 'open')
  expected = {'energy': exact.energy, 'specific heat': exact.specific_heat}
  assert module.exact_observables(target) == expected
  assert module.name() == 'ising_l3'


def check_unsolved():
  """Open lattices that are more than 20 wide, and fields: nobody knows their ln Z."""
  module = ising_target('--side=21', '--boundary=open')
  assert module.exact_per_site(module.build()) is None
  assert module.exact_observables(module.build()) == {}
  flags.FLAGS(['ising', '--target=phi4', '--side=3', '--mass_squared=-1.5', '--quartic=0.5'])
  field = module.build()
  assert isinstance(field, targets.Phi4)
  assert (field.event_size, field.mass_squared, field.quartic) == (9, -1.5, 0.5)
  assert module.exact_per_site(field) is None and module.exact_observables(field) == {}
  assert module.name() == 'phi4_l3'


def check_couplings(folder):
  np.save(folder / 'K.npy', np.array([[0.0, 0.5], [0.5, 0.0]]))
  module = ising_target('--target=couplings', f'--couplings_file={folder / "K.npy"}')
  target = module.build()
  assert module.name() == 'couplings'
  log_partition = np.log(4 * np.cosh(0.5))  # Two spins: 2 e^K + 2 e^-K.
  assert np.log(np.sum(np.exp([0.5, -0.5, -0.5, 0.5]))) == pytest.approx(log_partition)
  assert module.exact_per_site(target) == pytest.approx(-target.exact_log_partition() / 2)
  assert module.exact_observables(target) == {}


@pytest.mark.parametrize('check', [check_ising, check_unsolved])
def test_the_target_and_what_is_known_of_it(check):
  apps.passes(check)


def test_spins_with_couplings_of_a_file(tmp_path):
  apps.passes(check_couplings, tmp_path)


def check_couplings_of_any_table(folder):
  """Field case 11: a .csv was said to hold pickles."""
  module = ising_target('--target=couplings', f'--couplings_file={folder / "K.csv"}')
  for text in (
    '0,0.5\n0.5,0\n',
    'up,down\n0,0.5\n0.5,0\n',
    '0;0,5\n0,5;0\n',
    ',0,1\n0,0,0.5\n1,0.5,0\n',
  ):
    (folder / 'K.csv').write_text(text)
    np.testing.assert_array_equal(module.read_couplings(), [[0, 0.5], [0.5, 0]])
  (folder / 'K.csv').write_bytes(b'\x80\x04\x95 pickled')
  with pytest.raises(ValueError, match='What is read: text tables') as refusal:
    module.build()
  assert 'pickled' not in str(refusal.value)


def test_couplings_of_any_table(tmp_path):
  apps.passes(check_couplings_of_any_table, tmp_path)


def check_errors(folder):
  (folder / 'text.npy').write_text('no matrix')
  module = ising_target('--couplings_file=K.npy')
  with pytest.raises(ValueError, match='needs --target=couplings, got --target=ising'):
    module.build()
  for file in ('missing.npy', 'text.npy'):
    flags.FLAGS(['ising', '--target=couplings', f'--couplings_file={folder / file}'])
    with pytest.raises(ValueError, match=f'{file}'):
      module.build()
  flags.FLAGS.couplings_file = None
  with pytest.raises(ValueError, match='needs --couplings_file'):
    module.build()


def test_flags_that_do_not_go_together_are_named(tmp_path):
  apps.passes(check_errors, tmp_path)


def check_bounds():
  ising_target('--side=2', '--quartic=0')
  for flag in ('side=1', 'quartic=-0.1', 'boundary=closed', 'target=potts', 'dtype=float16'):
    with pytest.raises(flags.IllegalFlagValueError):
      flags.FLAGS(['ising', f'--{flag}'])


def test_flags_out_of_bounds_are_refused():
  apps.passes(check_bounds)


def check_pictures():
  module = ising_target()
  squares = module.pictures(np.arange(1, 11).reshape(2, 5))
  np.testing.assert_array_equal(squares[0], [[1, 2, 3], [4, 5, 0], [0, 0, 0]])
  np.testing.assert_array_equal(squares[1], [[6, 7, 8], [9, 10, 0], [0, 0, 0]])
  assert module.pictures(np.zeros([3, 16])).shape == (3, 4, 4)


def test_pictures_are_squares_with_zeros_where_sites_are_missing():
  apps.passes(check_pictures)
