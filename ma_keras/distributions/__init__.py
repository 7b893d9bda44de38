"""Flows as TFP distributions: a base pushed along a flow."""

from ma_keras.distributions.flow_distribution import FlowDistribution
from ma_keras.distributions.flows import (
  data_space_flow,
  flow_from,
  push_forward,
  solve,
  standard_normal_flow,
)

__all__ = [
  'FlowDistribution',
  'data_space_flow',
  'flow_from',
  'push_forward',
  'solve',
  'standard_normal_flow',
]
