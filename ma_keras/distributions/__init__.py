"""Flows as TFP distributions: a base pushed along a flow."""

from ma_keras.distributions.batch_normalisation import BatchNormalisation
from ma_keras.distributions.conditional import ConditionalFlow, conditional_flow
from ma_keras.distributions.flow_chain import FlowChain
from ma_keras.distributions.flow_distribution import FlowDistribution
from ma_keras.distributions.flows import (
  data_space_flow,
  flow_from,
  push_forward,
  solve,
  standard_normal_flow,
)

__all__ = [
  'BatchNormalisation',
  'ConditionalFlow',
  'FlowChain',
  'FlowDistribution',
  'conditional_flow',
  'data_space_flow',
  'flow_from',
  'push_forward',
  'solve',
  'standard_normal_flow',
]
