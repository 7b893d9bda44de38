"""Integrators: tableaus as data, and one step."""

from ma_keras.integrators.fixed_point import fixed_point, largest
from ma_keras.integrators.runge_kutta import combine, stages, step
from ma_keras.integrators.tableau import (
  EULER,
  GAUSS4,
  HEUN,
  IMPLICIT_MIDPOINT,
  MIDPOINT,
  RK4,
  RK4_GAUSS,
  RK4_GAUSS3,
  TABLEAUS,
  THREE_EIGHTHS,
  Quadrature,
  Tableau,
  get,
  rk4_with_gauss_nodes,
)

__all__ = [
  'EULER',
  'GAUSS4',
  'HEUN',
  'IMPLICIT_MIDPOINT',
  'MIDPOINT',
  'RK4',
  'RK4_GAUSS',
  'RK4_GAUSS3',
  'TABLEAUS',
  'THREE_EIGHTHS',
  'Quadrature',
  'Tableau',
  'combine',
  'fixed_point',
  'get',
  'largest',
  'rk4_with_gauss_nodes',
  'stages',
  'step',
]
