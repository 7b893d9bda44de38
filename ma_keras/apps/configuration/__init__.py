"""Configurations: the options of every command, as frozen dataclasses.

A configuration is made once, from flags in `command` or by whoever calls an app from Python, and
passed down; `dataclasses.replace` changes it. Nothing here imports TensorFlow.
"""

from ma_keras.apps.configuration.certify import CertifyConfig
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.apps.configuration.evaluate import EvaluateConfig
from ma_keras.apps.configuration.export import ExportConfig
from ma_keras.apps.configuration.figure1 import Figure1Config
from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.apps.configuration.models import ModelsConfig
from ma_keras.apps.configuration.option import Configuration
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.apps.configuration.plot import PlotConfig
from ma_keras.apps.configuration.sample import SampleConfig
from ma_keras.apps.configuration.scan import ScanConfig
from ma_keras.apps.configuration.score import ScoreConfig
from ma_keras.apps.configuration.serve import ServeConfig

# Module of ma_keras.apps -> its configuration.
CONFIGURATIONS: dict[str, type[Configuration]] = {
  'ising': IsingConfig,
  'particles': ParticlesConfig,
  'density': DensityConfig,
  'scan': ScanConfig,
  'evaluate': EvaluateConfig,
  'sample': SampleConfig,
  'score': ScoreConfig,
  'plot': PlotConfig,
  'certify': CertifyConfig,
  'export': ExportConfig,
  'models': ModelsConfig,
  'serve': ServeConfig,
  'figure1': Figure1Config,
}
