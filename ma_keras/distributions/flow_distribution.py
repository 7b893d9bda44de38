"""The distribution of a flow: TFP's, with what it leaves out of vectors, or how to get that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.distributions import transformed_distribution

from ma_keras.distributions.one_dimension import Monotone
from ma_keras.flow.events import of_dtype
from ma_keras.layers import keras_layers

BY_SAMPLING = {
  'mean': 'x = flow.sample(n); tf.reduce_mean(x, axis=0), with a standard error of the standard '
  'deviation over sqrt(n)',
  'variance': 'x = flow.sample(n); tf.math.reduce_variance(x, axis=0)',
  'stddev': 'x = flow.sample(n); tf.math.reduce_std(x, axis=0)',
  'covariance': 'x = flow.sample(n); tfp.stats.covariance(x)',
  'entropy': 'l = flow.experimental_sample_and_log_prob(n)[1]; -tf.reduce_mean(l), with a standard '
  'error of tf.math.reduce_std(l) / sqrt(n)',
  'mode': 'climb flow.log_prob(x) by its gradient from the best of many samples',
  'kl_divergence': 'x, l = p.experimental_sample_and_log_prob(n); '
  'tf.reduce_mean(l - q.log_prob(x)) is KL(p || q)',
  'cross_entropy': 'x = p.sample(n); -tf.reduce_mean(q.log_prob(x))',
}
COUNTED = (
  'x = flow.sample(n); tf.reduce_mean(tf.cast(tf.reduce_all(x <= value, axis=-1), tf.float32))'
)

DISTRIBUTION_FUNCTIONS = ('cdf', 'log_cdf', 'survival_function', 'log_survival_function')


# The class behind tfd.TransformedDistribution, whose own subclasses must be CompositeTensors.
@keras_layers.takes_inputs('log_prob', 'prob', 'quantile', *DISTRIBUTION_FUNCTIONS)
class FlowDistribution(transformed_distribution._TransformedDistribution):
  """p(x) of x = bijector(z), z of the base: `tfd.TransformedDistribution`.

  Of one number it has `cdf`, `log_cdf`, `survival_function`, `log_survival_function` and
  `quantile`, which TFP refuses of vectors [1]. What has no closed form says how to sample it.
  """

  def __init__(
    self,
    distribution: Any,
    bijector: Any,
    validate_args: bool = False,
    parameters: dict[str, Any] | None = None,
    name: str | None = None,
  ) -> None:
    """Joins a base and a bijector.

    Args:
      distribution: Base p(z).
      bijector: z -> x.
      validate_args: As in TFP.
      parameters: Those of a subclass; its own by default.
      name: Name of the distribution.
    """
    parameters = dict(locals()) if parameters is None else parameters
    super().__init__(
      distribution, bijector, validate_args=validate_args, parameters=parameters, name=name
    )

  @classmethod
  def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
    return super()._parameter_properties(dtype, num_classes)  # TFP wants it said.

  def _call_log_prob(self, value: Any, name: str, **options: Any) -> tf.Tensor:
    # Before TFP, which rounds arrays without a word.
    return super()._call_log_prob(of_dtype(value, self.dtype), name, **options)

  def _call_prob(self, value: Any, name: str, **options: Any) -> tf.Tensor:
    return super()._call_prob(of_dtype(value, self.dtype), name, **options)

  def _log_prob(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return super()._log_prob(of_dtype(value, self.dtype), **options)

  def _prob(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return super()._prob(of_dtype(value, self.dtype), **options)

  def _cdf(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._monotone('cdf', options).probability(value, upper=False, log=False)

  def _log_cdf(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._monotone('log_cdf', options).probability(value, upper=False, log=True)

  def _survival_function(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._monotone('survival_function', options).probability(value, upper=True, log=False)

  def _log_survival_function(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    name = 'log_survival_function'
    return self._monotone(name, options).probability(value, upper=True, log=True)

  def _quantile(self, value: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._monotone('quantile', options).quantile(value)

  def _monotone(self, name: str, options: dict[str, Any]) -> Monotone:
    size = self.event_shape.num_elements()
    if size != 1 or options:
      remedy = 'tfp.stats.percentile(flow.sample(n), q, axis=0)' if name == 'quantile' else COUNTED
      raise NotImplementedError(
        f'`{name}` of a flow of {size} numbers has no closed form, as it has for one number: '
        f'sample instead, {remedy}.'
      )
    return Monotone(self.bijector, self.distribution, self.event_shape.rank)

  def _mean(self, **options: Any) -> tf.Tensor:
    return _or_remedy('mean', super()._mean, **options)

  def _variance(self, **options: Any) -> tf.Tensor:
    return _or_remedy('variance', super()._variance, **options)

  def _stddev(self, **options: Any) -> tf.Tensor:
    return _or_remedy('stddev', super()._stddev, **options)

  def _covariance(self, **options: Any) -> tf.Tensor:
    return _or_remedy('covariance', super()._covariance, **options)

  def _mode(self, **options: Any) -> tf.Tensor:
    return _or_remedy('mode', super()._mode, **options)

  def _entropy(self, **options: Any) -> tf.Tensor:
    return _or_remedy('entropy', super()._entropy, **options)

  def _kl_divergence(self, other: Any) -> tf.Tensor:
    return _or_remedy('kl_divergence', super()._kl_divergence, other)

  def _cross_entropy(self, other: Any) -> tf.Tensor:
    return _or_remedy('cross_entropy', super()._cross_entropy, other)


def _or_remedy(
  name: str, closed_form: Callable[..., tf.Tensor], *arguments: Any, **options: Any
) -> tf.Tensor:
  """TFP's closed form, which an affine bijector has; else how to estimate it."""
  try:
    return closed_form(*arguments, **options)
  except NotImplementedError:
    raise NotImplementedError(
      f'`{name}` of a flow has no closed form: estimate it from samples, {BY_SAMPLING[name]}.'
    ) from None
