"""Optimal transport: gradients of convex functions as bijectors, Eq. (1) of the paper itself."""

from ma_keras.transport.brenier import BrenierMap, Inverse
from ma_keras.transport.convex import ConvexLayer
from ma_keras.transport.convex_quadratic import ConvexQuadratic
from ma_keras.transport.convexity import Convexity
from ma_keras.transport.dual import DualBound, dual_bound
from ma_keras.transport.hopf_lax import HopfLax
from ma_keras.transport.input_convex import InputConvex
from ma_keras.transport.pressureless import PressurelessFlow
from ma_keras.transport.scaled import Scaled

__all__ = [
  'BrenierMap',
  'ConvexLayer',
  'ConvexQuadratic',
  'Convexity',
  'DualBound',
  'HopfLax',
  'InputConvex',
  'Inverse',
  'PressurelessFlow',
  'Scaled',
  'dual_bound',
]
