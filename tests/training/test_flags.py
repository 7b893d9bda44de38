"""Flags that all training apps share: each bound is where sense ends."""

import pytest
from absl import flags

from tests.integration import apps

# Flag: the least and the largest values that make sense, and values beyond them.
BOUNDS = {
  'seed': (['0'], ['-1']),
  'steps_per_execution': (['1'], ['0']),
  'num_steps': (['1'], ['0']),
  'step_size': (['1e-12'], ['0', '-0.1']),
  'step_jitter': (['0', '0.999'], ['-0.1', '1']),
  'penalty': (['', 'stiffness:0', 'kinetic:0.1,stiffness:2'], ['heat:1', 'kinetic:-0.1']),
  'refine_tolerance': (['0'], ['-0.1']),
  'batch_size': (['1'], ['0']),
  'accumulate': (['1'], ['0']),
  'epochs': (['1'], ['0']),
  'learning_rate': (['0'], ['-0.1']),
  'warmup_steps': (['0'], ['-1']),
  'gradient_clip': (['0'], ['-0.1']),
  'eval_batch_size': (['1'], ['0']),
  'integrator': (['rk4', 'gauss4'], ['rk5']),
  'gradient': (['store', 'adjoint'], ['none']),
  'optimizer': (['adam', 'soap'], ['sgd']),
  'strategy': (['one_device', 'tpu'], ['gpu']),
}


def check_bounds():
  import ma_keras.training.flags  # noqa: F401

  for name, (inside, outside) in BOUNDS.items():
    parser = flags.FLAGS[name].parser
    for value in inside:
      assert parser.parse(value) in (value, float(value) if value[:1].isdigit() else value), name
    for value in outside:
      with pytest.raises(ValueError):
        parser.parse(value)


def check_defaults():
  """One device, 50 steps to T = 5 as in the paper, and nothing that is experimental."""
  import ma_keras.training.flags  # noqa: F401

  value = {name: flags.FLAGS[name].default for name in flags.FLAGS}
  assert value['num_steps'] * value['step_size'] == pytest.approx(5.0)
  assert (value['strategy'], value['seed'], value['accumulate']) == ('one_device', 0, 1)
  for name in ('step_jitter', 'refine_tolerance', 'deterministic', 'jit_compile'):
    assert not value[name]
  assert value['steps_per_execution'] == 1 and value['figures'] and value['saved_model']


@pytest.mark.parametrize('check', [check_bounds, check_defaults])
def test_flags_of_training(check):
  apps.passes(check)
