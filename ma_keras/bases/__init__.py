"""p(x, 0): densities that flows start from; any `tfd.Distribution` with vector events is one."""

from ma_keras.bases.kernel_density import kernel_density
from ma_keras.bases.latents import latents
from ma_keras.bases.mean_free import MeanFreeNormal
from ma_keras.bases.mixture import Mixture
from ma_keras.bases.periodic import PeriodicUniform
from ma_keras.bases.standard_normal import StandardNormal

__all__ = [
  'MeanFreeNormal',
  'Mixture',
  'PeriodicUniform',
  'StandardNormal',
  'kernel_density',
  'latents',
]
