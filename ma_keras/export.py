"""SavedModel export: a trained flow that bare TensorFlow can run."""

from __future__ import annotations

import pathlib
from typing import Any

import tensorflow as tf

from ma_keras import distributions


class ExportedFlow(tf.Module):
  """sample(seed, n) and log_prob(x) of a flow, as functions that hold its variables only.

  Loading needs neither ma_keras nor TFP: `tf.saved_model.load(path).sample(...)`.
  """

  def __init__(self, flow: Any) -> None:
    """Keeps the variables; the distribution itself stays outside, for it would not load bare.

    Args:
      flow: `tfd.TransformedDistribution` around a `MongeAmpereBijector`, alone or in a chain.
    """
    super().__init__(name='exported_flow')
    self.flow_variables = flow.variables
    base, dtype = flow.distribution, flow.dtype

    @tf.function(
      input_signature=[
        tf.TensorSpec([2], tf.int32, name='seed'),
        tf.TensorSpec([], tf.int32, name='n'),
      ],
      autograph=False,
    )
    def sample(seed: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
      latents = tf.ensure_shape(base.sample(n, seed=seed), [None, *base.event_shape])
      x, log_prob = distributions.push_forward(flow, latents)
      return {'x': x, 'log_prob': log_prob}

    @tf.function(
      input_signature=[tf.TensorSpec([None, *flow.event_shape], dtype, name='x')], autograph=False
    )
    def log_prob(x: tf.Tensor) -> dict[str, tf.Tensor]:
      return {'log_prob': flow.log_prob(x)}

    self.sample = sample
    self.log_prob = log_prob


def save(flow: Any, path: str | pathlib.Path) -> None:
  """Writes the flow as a SavedModel with signatures `sample` and `log_prob`.

  Args:
    flow: `tfd.TransformedDistribution` around a `MongeAmpereBijector`, alone or in a chain.
    path: Directory of the SavedModel.
  """
  module = ExportedFlow(flow)
  signatures = {'sample': module.sample, 'log_prob': module.log_prob}
  tf.saved_model.save(module, str(path), signatures=signatures)
