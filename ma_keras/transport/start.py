"""Start of a map that is to be trained: moments of both ends, and units within the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.transport.brenier import BrenierMap
from ma_keras.transport.bures import Gaussian
from ma_keras.transport.convex import ConvexLayer
from ma_keras.transport.convex_quadratic import ConvexQuadratic

SHARE = 0.05  # Part of the least stretch of the Gaussian map that no training takes away.


def start_from_moments(
  z: Any,
  x: Any,
  hidden_units: int,
  steepness: float = 2.0,
  stretch: float = 0.1,
  dtype: tf.DType = tf.float32,
  seed: int = 0,
) -> BrenierMap:
  """grad u with u(z) = m |z|^2/2 + |F'z|^2/2 + b.z + sum_j a_j softplus(W_j.z + c_j).

  The quadratic part is the optimal map of Gaussians with the moments of P and Q, so that training
  has only to learn what is not linear; the units bend at samples of P, and the mean stays that of
  Q. m is a twentieth of the least stretch of that map: so far may the map that is learned contract.

  Args:
    z: Samples of P, [n, N], n > N.
    x: Samples of Q, [m, N], m > N.
    hidden_units: H.
    steepness: Bends of a unit per standard deviation of its coordinate.
    stretch: What all units add to the stretch at first, a part of that of the Gaussian map.
    dtype: Floating dtype of the map.
    seed: Names the directions and places of the units.

  Raises:
    ValueError: The samples are too few, or not of one dimension.
  """
  z, x = np.asarray(z, np.float64), np.asarray(x, np.float64)
  affine = Gaussian.of_samples(z).optimal_map(Gaussian.of_samples(x))
  eigenvalues = np.linalg.eigvalsh(affine.matrix)
  modulus = SHARE * float(eigenvalues[0])
  matrix = affine.matrix - modulus * np.eye(len(eigenvalues))
  layer = ConvexLayer(len(eigenvalues), hidden_units, dtype=dtype, seed=seed)
  layer.start_at_samples(z, steepness, stretch * float(np.mean(eigenvalues)), seed)
  extra = layer.gradient(0.0, tf.constant(z, dtype)).numpy().astype(np.float64).mean(axis=0)
  quadratic = ConvexQuadratic(matrix, affine.shift - extra, dtype)
  return BrenierMap(quadratic + layer, modulus=modulus)
