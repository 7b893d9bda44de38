"""Configurations know the names of the library without importing it."""

import dataclasses
import subprocess
import sys

from absl import flags

from ma_keras import integrators, serving, targets, training
from ma_keras.apps import command
from ma_keras.apps.configuration import CONFIGURATIONS, ServeConfig, density, penalty, table
from ma_keras.apps.configuration import training as shared
from ma_keras.apps.configuration.target import CRITICAL_COUPLING
from ma_keras.data import dialect, quantised
from ma_keras.flow import gradients
from ma_keras.flow.tallies import TALLIES
from ma_keras.training import optimizer, strategy

WITHOUT_TENSORFLOW = """
import sys
import ma_keras.apps.configuration
assert 'tensorflow' not in sys.modules
from absl import flags
assert 'side' not in flags.FLAGS and 'model' not in flags.FLAGS
"""


def test_every_command_has_a_configuration():
  assert set(CONFIGURATIONS) == {module for module, _ in command.COMMANDS.values()}


def test_configurations_import_no_tensorflow_and_define_no_flags():
  subprocess.run([sys.executable, '-c', WITHOUT_TENSORFLOW], check=True)


def test_importing_apps_defines_no_flags():
  """Two apps in one process: names of flags clashed."""
  from ma_keras.apps import density, evaluate, ising, scan, score  # noqa: F401

  assert not {'side', 'hidden_units', 'model', 'couplings'} & set(flags.FLAGS)


def test_names_are_those_of_the_library():
  assert sorted(integrators.TABLEAUS) == sorted(shared.INTEGRATORS)
  assert sorted(gradients.MODES) == sorted(shared.GRADIENTS)
  assert (strategy.STRATEGIES, optimizer.OPTIMIZERS) == (shared.STRATEGIES, shared.OPTIMIZERS)
  assert sorted(TALLIES) == sorted(penalty.NAMES)
  assert tuple(dialect.SEPARATORS) == table.SEPARATORS
  assert tuple(dialect.DECIMALS) == table.DECIMALS
  assert quantised.MOST_LEVELS == table.MOST_LEVELS
  assert targets.CRITICAL_COUPLING == CRITICAL_COUPLING


def test_penalties_of_data_are_those_of_the_library():
  assert penalty.parse(density.DensityConfig().penalty) == dict(training.PENALTIES)


def test_limits_of_the_server_are_those_of_the_library():
  config = ServeConfig(saved_model='x')
  for field in dataclasses.fields(serving.Limits):
    assert getattr(config, field.name) == field.default, field.name


def test_a_run_on_a_file_has_a_directory_of_its_own():
  assert density.DensityConfig(dataset_file='data/points.csv.gz').directory == 'runs/points'
  assert density.DensityConfig(dataset_file='points.csv', run_dir='here').directory == 'here'
  assert density.DensityConfig().directory == 'runs/mnist'
