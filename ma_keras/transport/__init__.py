"""Optimal transport: gradients of convex functions as bijectors, Eq. (1) of the paper itself."""

from ma_keras.transport.brenier import BrenierMap
from ma_keras.transport.convex import ConvexLayer, InputConvex

__all__ = ['BrenierMap', 'ConvexLayer', 'InputConvex']
