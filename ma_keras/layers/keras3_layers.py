"""A flow within a model of Keras 3: a layer of Keras 3, which trains and saves its variables."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import tensorflow as tf

from ma_keras.layers.keras_layers import is_of_keras3


class FlowLayer(keras.layers.Layer):
  """x -> flow.log_prob(x), or another method of a flow or bijector.

  ```python
  inputs = keras.Input((2,))
  model = keras.Model(inputs, FlowLayer(flow)(inputs))  # Or flow.log_prob(inputs).
  model.compile('adam', loss=lambda _, log_prob: -log_prob)
  ```

  Keras 3 trains, counts and saves variables of its own class alone. Each variable of the flow has
  one such name for it, the same in all layers: both are one place in memory. So what freezes one
  layer of a flow, `layer.trainable = False`, freezes the others until it is undone.

  Attributes:
    flow: A bijector or a distribution, variables of its base included.
    method: Name of the method.
  """

  def __init__(self, flow: Any, method: str = 'log_prob', trainable: bool = True) -> None:
    """Finds the variables.

    Args:
      flow: A `MongeAmpereBijector`, or a TFP distribution or bijector around one.
      method: A method of one tensor, 'log_prob' or 'forward' say.
      trainable: False freezes the flow.

    Raises:
      ValueError: Keras 3 runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != 'tensorflow':
      raise ValueError(
        f'Keras 3 runs on {keras.backend.backend()}, and a flow on TensorFlow: set '
        "os.environ['KERAS_BACKEND'] = 'tensorflow' before keras is imported."
      )
    super().__init__(dtype=tf.as_dtype(flow.dtype).name, autocast=False)
    self.flow = flow
    self.method = method
    by_id = _variables_of_keras3(flow)
    self._flow_variables = [by_id[id(v)] if id(v) in by_id else _alias(v) for v in flow.variables]
    self.trainable = trainable  # After the variables, to which it is handed on.
    self.built = True

  def call(self, x: tf.Tensor, **options: Any) -> Any:
    """Returns what the method does."""
    return getattr(self.flow, self.method)(x, **options)

  def get_config(self) -> dict[str, Any]:
    """Raises NotImplementedError, which names what saves: a flow is no plain value."""
    raise NotImplementedError(
      "A Keras 3 model around a flow is saved by model.save_weights('w.weights.h5'), and the flow "
      'itself by pickle.dump(flow, file).'
    )


def warn_of_stranger(flow: Any, layer: Any) -> None:
  """Warns if a Keras 3 layer that is being called computes a flow and will not train it.

  Args:
    flow: The flow's bijector.
    layer: The outermost layer that is being called.
  """
  own = {id(getattr(v, '_value', None)) for v in layer.variables}
  strange = [v for v in flow.trainable_variables if id(v) not in own]
  if strange:
    warnings.warn(
      f'Keras 3 does not train the {len(strange)} variables of the flow within its layer '
      f'{layer.name!r}, nor save them: put ma_keras.layers.keras3_layers.FlowLayer(flow) in their '
      'place, or train by tf_keras, ma_keras.training.MaximumLikelihood(bijector).fit(x).',
      stacklevel=2,
    )


def _variables_of_keras3(flow: Any) -> dict[int, Any]:
  """Variables of `potentials.KerasModel`, which Keras 3 knows already, by id of their value."""
  models = [module.model for module in flow.submodules if hasattr(module, 'model')]
  of_keras3 = [model for model in models if is_of_keras3(model, 'Layer')]
  return {id(v.value): v for model in of_keras3 for v in model.variables}


def _alias(variable: tf.Variable) -> Any:
  """Returns the variable as Keras 3's; always the same one, or it would take each step twice."""
  if not hasattr(variable, '_keras3'):
    name = variable.name.split(':')[0].replace('/', '_')
    variable._keras3 = keras.Variable(
      variable, dtype=variable.dtype.name, trainable=variable.trainable, autocast=False, name=name
    )
  return variable._keras3
