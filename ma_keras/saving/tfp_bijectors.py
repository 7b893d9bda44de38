"""TFP bijectors by name and numbers: those that a model file may hold, and how they are made again.

Each function makes one bijector out of arrays and other bijectors; nothing else of TFP is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


def chain(bijectors: list[Any]) -> Any:
  """x = b_1(b_2(... y))."""
  return tfb.Chain(bijectors)


def invert(bijector: Any) -> Any:
  """x = b^-1(y)."""
  return tfb.Invert(bijector)


def scale(scale: np.ndarray, dtype: tf.DType) -> Any:
  """x = s y."""
  return tfb.Scale(tf.constant(scale, dtype))


def shift(shift: np.ndarray, dtype: tf.DType) -> Any:
  """x = y + s."""
  return tfb.Shift(tf.constant(shift, dtype))


def power(power: np.ndarray, dtype: tf.DType) -> Any:
  """x = y^p."""
  return tfb.Power(tf.constant(power, dtype))


def sigmoid(low: np.ndarray, high: np.ndarray, dtype: tf.DType) -> Any:
  """x between two ends."""
  return tfb.Sigmoid(tf.constant(low, dtype), tf.constant(high, dtype))


def sinh_arcsinh(skewness: np.ndarray, tailweight: np.ndarray, dtype: tf.DType) -> Any:
  """Skew and heavy tails."""
  return tfb.SinhArcsinh(tf.constant(skewness, dtype), tf.constant(tailweight, dtype))


def scale_matvec_tril(scale_tril: np.ndarray, dtype: tf.DType) -> Any:
  """x = L y, L lower triangular."""
  return tfb.ScaleMatvecTriL(tf.constant(scale_tril, dtype))


def scale_matvec_diag(scale_diag: np.ndarray, dtype: tf.DType) -> Any:
  """x = diag(d) y."""
  return tfb.ScaleMatvecDiag(tf.constant(scale_diag, dtype))


# TFP's class -> what makes it; of classes alone, without numbers.
MAKERS: dict[str, Callable[..., Any]] = {
  **{'Chain': chain, 'Invert': invert, 'Scale': scale, 'Shift': shift, 'Power': power},
  **{'Sigmoid': sigmoid, 'SinhArcsinh': sinh_arcsinh},
  **{'ScaleMatvecTriL': scale_matvec_tril, 'ScaleMatvecDiag': scale_matvec_diag},
}
WITHOUT_EFFECT = ('log_scale', 'name', 'validate_args')  # Or seen to.
PLAIN = ('Exp', 'Expm1', 'Identity', 'NormalCDF', 'Softplus', 'Softsign', 'Tanh')


def _plain(name: str) -> Callable[[], Any]:
  def make() -> Any:
    return getattr(tfb, name)()

  return make


MAKERS |= {name: _plain(name) for name in PLAIN}


def config(bijector: Any) -> tuple[str, dict[str, Any]] | None:
  """The name and the arguments of a bijector for `MAKERS`; None of anything else.

  Raises:
    NotImplementedError: It is a TFP bijector that no model file holds, or is trained.
  """
  kind = type(bijector)
  name = kind.__name__.lstrip('_')
  if not isinstance(bijector, tfb.Bijector) or hasattr(bijector, 'config'):
    return None
  if not kind.__module__.startswith('tensorflow_probability.') or name not in MAKERS:
    raise NotImplementedError(_refusal(f'{name} is none of them'))
  if name in ('Chain', 'Invert'):
    inner = 'bijectors' if name == 'Chain' else 'bijector'
    parts = getattr(bijector, inner)
    return name, {inner: list(parts) if name == 'Chain' else parts}
  if bijector.trainable_variables:
    raise NotImplementedError(_refusal(f'{name} has a variable: pass its value, a constant'))
  return name, _numbers(bijector, name)


def _numbers(bijector: Any, name: str) -> dict[str, np.ndarray]:
  """The constructor's arguments, float64."""
  given = {k: v for k, v in bijector.parameters.items() if v is not None}
  if name == 'Scale' and 'log_scale' in given:
    given['scale'] = np.exp(np.asarray(given['log_scale'], np.float64))
  if name == 'Sigmoid':
    given = {'low': 0.0, 'high': 1.0} | given
  if name == 'SinhArcsinh':
    given = {'skewness': 0.0, 'tailweight': 1.0} | given
  if name in PLAIN:
    unusual = [k for k in ('hinge_softness', 'low') if k in given]
    if unusual:
      raise NotImplementedError(_refusal(f'{name} has {unusual[0]!r}, which none of them has'))
    return {}
  wanted = [k for k in MAKERS[name].__annotations__ if k not in ('dtype', 'return')]
  for argument in given.keys() - {*wanted, *WITHOUT_EFFECT}:
    if given[argument]:
      raise NotImplementedError(_refusal(f'{name} has {argument!r}, which none of them has'))
  return {k: np.asarray(given[k], np.float64) for k in wanted}


def _refusal(reason: str) -> str:
  return (
    'A model file holds data.Pixels, data.Standardised, data.ColumnMaps and these TFP bijectors of '
    f'constants, alone, in tfb.Chain or in tfb.Invert: {", ".join(sorted(MAKERS))}; {reason}.'
  )
