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
  'stiffness_weight': (['0'], ['-0.1']),
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

  flags.FLAGS(['train'])
  for name, (inside, outside) in BOUNDS.items():
    for value in inside:
      flags.FLAGS(['train', f'--{name}={value}'])
      assert str(flags.FLAGS[name].value) == value or flags.FLAGS[name].value == float(value)
    for value in outside:
      with pytest.raises(flags.IllegalFlagValueError, match=name):
        flags.FLAGS(['train', f'--{name}={value}'])


def check_defaults():
  """A run without flags: one device, 50 steps to T = 5 as in the paper, nothing experimental."""
  import ma_keras.training.flags  # noqa: F401

  flags.FLAGS(['train'])
  values = flags.FLAGS
  assert values.num_steps * values.step_size == pytest.approx(5.0)
  assert (values.strategy, values.seed, values.accumulate) == ('one_device', 0, 1)
  assert (values.step_jitter, values.refine_tolerance, values.steps_per_execution) == (0, 0, 1)
  assert values.figures and values.saved_model
  assert not values.deterministic and not values.jit_compile


@pytest.mark.parametrize('check', [check_bounds, check_defaults])
def test_flags_of_training(check):
  apps.passes(check)
