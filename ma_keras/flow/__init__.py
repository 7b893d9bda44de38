"""The fluid in time: horizon, dynamics and their solution, tallies, trajectories, certificates."""

from ma_keras.flow.horizon import Grid, Horizon
from ma_keras.flow.solution import Solution, check_tallies, solve
from ma_keras.flow.trajectory import Trajectory, check_times, trajectory

__all__ = [
  'Grid',
  'Horizon',
  'Solution',
  'Trajectory',
  'check_tallies',
  'check_times',
  'solve',
  'trajectory',
]
