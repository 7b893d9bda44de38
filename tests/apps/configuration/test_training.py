"""Options that all training apps share: each bound is where sense ends."""

import contextlib

import pytest
from absl import flags

from ma_keras.apps.configuration import IsingConfig
from ma_keras.apps.configuration.training import STRATEGIES
from tests.support.configurations import parsed

# Option: the least and the largest values that make sense, and values beyond them.
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
  'optimizer': (['adam', 'soap', 'muon'], ['sgd']),
  'strategy': (['one_device', 'tpu'], ['gpu']),
}


@pytest.mark.parametrize('name', BOUNDS)
def test_values_within_the_bounds_are_taken_and_others_refused(name):
  inside, outside = BOUNDS[name]
  for text in inside:
    value = getattr(parsed(IsingConfig, f'--{name}={text}'), name)
    assert value == (float(text) if text[:1].isdigit() else text)
  for text in outside:
    with pytest.raises(flags.IllegalFlagValueError):
      parsed(IsingConfig, f'--{name}={text}')


def test_defaults_are_those_of_the_paper_and_nothing_that_is_experimental():
  """One device, 50 steps to T = 5."""
  config = IsingConfig()
  assert config.num_steps * config.step_size == pytest.approx(5.0)
  assert (config.strategy, config.seed, config.accumulate) == ('one_device', 0, 1)
  for name in ('step_jitter', 'refine_tolerance', 'deterministic', 'jit_compile'):
    assert not getattr(config, name)
  assert config.steps_per_execution == 1 and config.figures and config.saved_model


@pytest.mark.parametrize('strategy', STRATEGIES)
def test_parameter_servers_cannot_be_deterministic(strategy):
  refused = pytest.raises(ValueError, match=r'asynchronous: .*multi_worker')
  with refused if strategy == 'parameter_server' else contextlib.nullcontext():
    IsingConfig(deterministic=True, strategy=strategy)
