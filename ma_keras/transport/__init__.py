"""Optimal transport: gradients of convex functions as bijectors, Eq. (1) of the paper itself."""

from ma_keras.transport.brenier import BrenierMap, Inverse
from ma_keras.transport.bures import AffineMap, Gaussian
from ma_keras.transport.convex import ConvexLayer
from ma_keras.transport.convex_quadratic import ConvexQuadratic
from ma_keras.transport.convexity import Convexity
from ma_keras.transport.dual import DualBound, dual_bound
from ma_keras.transport.hopf_lax import HopfLax
from ma_keras.transport.input_convex import InputConvex
from ma_keras.transport.path_cost import TransportCost, transport_cost
from ma_keras.transport.pressureless import PressurelessFlow
from ma_keras.transport.scaled import Scaled
from ma_keras.transport.sinkhorn import Divergence, sinkhorn_divergence
from ma_keras.transport.start import start_from_moments
from ma_keras.transport.unexplained import unexplained_variance
from ma_keras.transport.wasserstein import (
  Estimate,
  SquaredDistance,
  discrete_squared_distance,
  quadratic_bound,
  squared_distance,
)

__all__ = [
  'AffineMap',
  'BrenierMap',
  'ConvexLayer',
  'ConvexQuadratic',
  'Convexity',
  'Divergence',
  'DualBound',
  'Estimate',
  'Gaussian',
  'HopfLax',
  'InputConvex',
  'Inverse',
  'PressurelessFlow',
  'Scaled',
  'SquaredDistance',
  'TransportCost',
  'discrete_squared_distance',
  'dual_bound',
  'quadratic_bound',
  'sinkhorn_divergence',
  'squared_distance',
  'start_from_moments',
  'transport_cost',
  'unexplained_variance',
]
