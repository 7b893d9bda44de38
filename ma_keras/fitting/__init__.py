"""Flows of tables by settings that suit their size: what an estimator and the apps share."""

from ma_keras.fitting.baselines import Baselines
from ma_keras.fitting.settings import Settings
from ma_keras.fitting.start import Start

__all__ = ['Baselines', 'Settings', 'Start']
