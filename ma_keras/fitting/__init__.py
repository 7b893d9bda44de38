"""Flows of tables by settings that suit their size, and baselines of tables and images."""

from ma_keras.fitting.baselines import Baselines
from ma_keras.fitting.pixels import independent_pixel_bits
from ma_keras.fitting.settings import Settings
from ma_keras.fitting.start import Start

__all__ = ['Baselines', 'Settings', 'Start', 'independent_pixel_bits']
