"""Operations that XLA can differentiate of a potential whose derivatives come from tapes."""

from __future__ import annotations

import tensorflow as tf

from ma_keras.flow.gradients import on_demand
from ma_keras.potentials import autodiff, parts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.twins import prepared

LOOPS = ('While', 'StatelessWhile')


def is_step_by_step(potential: Potential, x: tf.Tensor) -> bool:
  """Tells if a flow traced for XLA has its derivative step by step, by tapes within the loop.

  Within the derivative of a loop XLA wants constants where TensorFlow keeps tensors: transposes
  that `tf.tensordot` and `tf.gather` make. Within the loop they are constants. Tensors from outside
  the potential are only reached by the derivative of the loop.

  Args:
    potential: phi.
    x: Points, [..., N].

  Raises:
    ValueError: phi itself has a loop, of which XLA has no such derivatives.
  """
  if not autodiff.is_compiled() or not on_demand.recording():
    return False
  graph, captured = _traced(potential, x)
  _check_loops(potential, graph)
  identities = {id(tensor) for tensor in parts.tensors(potential)}
  return not any(_is_from_outside(tensor) for tensor in captured if id(tensor) not in identities)


def _traced(potential: Potential, x: tf.Tensor) -> tuple[tf.Graph, list[tf.Tensor]]:
  """The graph of phi, and what its derivatives take besides t, x: variables, other tensors."""
  specs = tf.TensorSpec([], x.dtype), tf.TensorSpec(x.shape, x.dtype)
  value = tf.function(lambda t, x: prepared(potential, None)(t, x), autograph=False)
  rates = tf.function(
    lambda t, x: prepared(potential, None).gradient_and_laplacian(t, x), autograph=False
  )
  graph = value.get_concrete_function(*specs).graph
  return graph, list(rates.get_concrete_function(*specs).captured_inputs)


def _check_loops(potential: Potential, graph: tf.Graph) -> None:
  nodes = list(graph.as_graph_def().node)
  nodes += [
    node for function in graph.as_graph_def().library.function for node in function.node_def
  ]
  if any(node.op in LOOPS for node in nodes):
    raise ValueError(
      f'{type(potential).__name__} has a loop (tf.map_fn, tf.scan, tf.while_loop), whose '
      'derivatives XLA has in no gradient mode: leave out jit_compile=True, or write it for all '
      'points at once (tf.vectorized_map does).'
    )


def _is_from_outside(tensor: tf.Tensor) -> bool:
  """Tells if it may have a derivative of its own: no variable's handle, and no constant."""
  constant = not isinstance(tensor, tf.__internal__.EagerTensor) and tensor.op.type == 'Const'
  return tensor.dtype.is_floating and not constant
