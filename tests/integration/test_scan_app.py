"""The scan over temperature, on tiny lattices."""

import functools

import pytest

import ma_keras
from ma_keras.apps import scan
from ma_keras.apps.configuration import ScanConfig
from tests.integration import apps
from tests.support.configurations import parsed

run = functools.partial(apps.run, 'scan_main.py')
TINY = [
  *('--side=2', '--channels=2', '--basis_size=2', '--num_steps=4', '--batch_size=16'),
  '--integrator=euler',
  *('--epochs=2', '--next_epochs=1', '--steps_per_epoch=2', '--eval_samples=128'),
  *('--couplings=0.2,0.4', '--learning_rate=0.001', '--nosaved_model'),
]


def test_a_scan_goes_from_hot_to_cold_and_on_where_it_stopped(tmp_path):
  done = run(*TINY, f'--run_dir={tmp_path}')
  assert done.returncode == 0, done.stderr
  cold = (tmp_path / 'K_0.400000' / 'flags.txt').read_text()
  assert f'--start_from={tmp_path}/K_0.200000/model.npz' in cold and '--epochs=1' in cold
  assert ma_keras.load(tmp_path / 'K_0.400000' / 'model.npz')
  assert (tmp_path / 'scan.png').stat().st_size > 0
  again = run(*TINY, f'--run_dir={tmp_path}')
  assert again.returncode == 0 and 'Epoch' not in again.stdout
  assert [line for line in again.stdout.splitlines() if line.startswith('0.4')]


@pytest.mark.parametrize('value', ['0.4,0.3', '-0.1,0.2', '0.1,x'])
def test_couplings_that_make_no_scan_are_one_line(value, tmp_path, capsys):
  with pytest.raises(SystemExit) as ending:
    scan.main(parsed(ScanConfig, *TINY, f'--couplings={value}', f'--run_dir={tmp_path}'))
  assert ending.value.code == 1
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert '--couplings' in line
