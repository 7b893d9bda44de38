"""The contract of a TFP bijector, call by call: shapes, one solve, copies, gradients, errors."""

import copy
import functools
import inspect
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras.potentials import Quadratic
from tests.support import bijectors
from tests.support.bijectors import central_difference, generic, points

tfb, tfd = tfp.bijectors, tfp.distributions

METHODS = ('forward', 'inverse', 'forward_log_det_jacobian', 'inverse_log_det_jacobian')
# Flows that several tests read: traced once for all of them.
shared = functools.cache(functools.partial(generic, integrator='heun'))
counting = functools.cache(bijectors.counting)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('leading', [[], [0], [4], [2, 0, 3], [2, 1, 3]])
def test_leading_dimensions_are_a_batch(leading, dtype):
  """f(x [..., N]) is f of the rows of x, one at a time."""
  bijector = shared(dtype)
  x = points(*leading, dtype=dtype)
  for method in METHODS:
    y = getattr(bijector, method)(x)
    rows = [getattr(bijector, method)(row).numpy() for row in tf.reshape(x, [-1, 3])]
    event = [3] if method in ('forward', 'inverse') else []
    assert y.shape == leading + event and y.dtype == dtype
    np.testing.assert_allclose(
      y, np.reshape(rows, y.shape), rtol=1e-4 if dtype == tf.float32 else 1e-12
    )


@pytest.mark.slow
def test_inverse_undoes_forward():
  """x = f^-1(f(x)), and ln|det| of f^-1 at the image is minus that of f."""
  bijector = generic(num_steps=60, step_size=0.01)
  x = points(5)
  y = tf.identity(bijector.forward(x))  # A new tensor, so that the inverse is solved for.
  assert np.max(np.abs(y - x)) > 0.5
  np.testing.assert_allclose(bijector.inverse(y), x, atol=1e-8)
  there, back = bijector.forward_log_det_jacobian(x), bijector.inverse_log_det_jacobian(y)
  assert np.ptp(there) > 0.1
  np.testing.assert_allclose(back, -there, atol=1e-8)


@pytest.mark.slow
def test_eager_batches_of_all_sizes_share_one_trace_per_direction():
  potential, bijector = bijectors.counting()
  for leading in ([4], [7], [1], [0], [], [2, 2]):
    bijector.forward(points(*leading))
    bijector.inverse(points(*leading))
    bijector.forward_log_det_jacobian(points(*leading))
  assert len(potential.traces) == 2


def _sample_then_score(flow, x):
  del x
  y = flow.sample(5, seed=[1, 2])
  return flow.log_prob(y)


def _round_trip(flow, x):
  y = flow.bijector.forward(x)
  assert flow.bijector.inverse(y) is x  # The cache: TFP gives back the very tensor.
  return flow.bijector.inverse_log_det_jacobian(y) + flow.bijector.forward_log_det_jacobian(x)


USES = {
  'log_prob': lambda flow, x: flow.log_prob(x),
  'sample': lambda flow, x: flow.sample(5, seed=[1, 2]),
  'sample_and_log_prob': lambda flow, x: flow.experimental_sample_and_log_prob(5, seed=[1, 2]),
  'sample, then log_prob': _sample_then_score,
  'forward_log_det': lambda flow, x: flow.bijector.forward_log_det_jacobian(x),
  'inverse_log_det': lambda flow, x: flow.bijector.inverse_log_det_jacobian(x),
  'round trip': _round_trip,
}
WRAPPERS = {
  'itself': lambda bijector: bijector,
  'Invert': tfb.Invert,
  'Chain': lambda bijector: tfb.Chain(
    [tfb.Shift(tf.ones(3, tf.float64)), bijector, tfb.Scale(tf.constant(2.0, tf.float64))]
  ),
}


@pytest.mark.parametrize(
  'wrapper, compiled', [*((wrapper, False) for wrapper in WRAPPERS), ('Chain', True)]
)
@pytest.mark.parametrize('use', USES)
def test_value_and_log_det_come_from_one_solve(use, wrapper, compiled):
  potential, bijector = counting()
  flow = tfd.TransformedDistribution(bijectors.standard_normal(), WRAPPERS[wrapper](bijector))
  call = tf.function(USES[use], autograph=False) if compiled else USES[use]
  before = potential.solves.numpy()
  result = call(flow, points(5))
  assert potential.solves.numpy() == before + 1
  del result  # The cache lives as long as the outputs.


@pytest.mark.usefixtures('eagerly')
def test_cached_outputs_outlive_the_variables():
  """TFP's own semantics: while an output lives, its input tensor leads to it, old as it is."""
  bijector = generic()
  x = points(2)
  y = bijector.forward(x)
  bijector.potential.amplitude.assign(2.0 * bijector.potential.amplitude)
  assert bijector.forward(x) is y
  assert np.max(np.abs(bijector.forward(tf.identity(x)) - y)) > 0.1


@pytest.mark.usefixtures('eagerly')
def test_every_parameter_is_accepted_back():
  bijector = generic(integrator='heun', validate_args=True, name='fluid')
  assert set(bijector.parameters) == set(inspect.signature(ma_keras.MongeAmpereBijector).parameters)
  twin = type(bijector)(**bijector.parameters)
  assert twin == bijector and hash(twin) == hash(bijector) and bijector.copy() == bijector
  assert bijector.copy().name == 'fluid' and bijector.copy().integrator.name == 'heun'
  assert bijector.experimental_batch_shape() == []
  assert bijector.experimental_batch_shape_tensor().numpy().tolist() == []
  np.testing.assert_array_equal(twin.forward(points(4)), bijector.forward(points(4)))


@pytest.mark.usefixtures('eagerly')
def test_copy_at_another_depth_converges():
  """T and the variables are shared; RK4's error falls sixteenfold with each halving."""
  bijector = generic(num_steps=4, step_size=0.05)
  copies = [bijector.copy(num_steps=4 * k, step_size=0.05 / k) for k in (1, 2, 4)]
  values = [twin.forward(points(4)).numpy() for twin in copies]
  errors = [np.max(np.abs(coarse - fine)) for coarse, fine in itertools.pairwise(values)]
  assert errors[0] < 1e-4 and 12 < errors[0] / errors[1] < 20
  assert len({*copies}) == 3 and copies[0] == bijector
  assert all(twin.potential is bijector.potential for twin in copies)
  assert bijector.refined(4) == copies[2]


@pytest.mark.slow
@pytest.mark.parametrize('used', [False, True])
def test_deepcopy_owns_its_variables(used):
  bijector = generic(integrator='euler')
  before = bijector.forward(points(4)).numpy() if used else None
  twin = copy.deepcopy(bijector)
  np.testing.assert_array_equal(twin.forward(points(4)), bijector.forward(points(4)))
  assert twin != bijector and twin.parameters['potential'] is twin.potential
  twin.potential.amplitude.assign(2.0 * twin.potential.amplitude)
  after = bijector.forward(points(4)).numpy()
  assert np.max(np.abs(twin.forward(points(4)) - after)) > 0.1
  assert before is None or np.array_equal(before, after)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('method', METHODS)
def test_gradients_are_finite_differences(method):
  """By every variable and by x, in both directions."""
  bijector = generic(integrator='heun')
  variables = [*bijector.trainable_variables, tf.Variable(points(2))]
  weights = points(seed=7)

  def loss():
    value = getattr(bijector, method)(tf.identity(variables[-1]))
    return tf.reduce_sum(tf.sin(value) if 'jacobian' in method else tf.sin(value) * weights)

  with tf.GradientTape() as tape:
    value = loss()
  gradients = tape.gradient(value, variables)
  assert [v.name for v in variables[:-1]] == ['amplitude:0', 'bias:0', 'kernel:0']
  for i, (variable, gradient) in enumerate(zip(variables, gradients)):
    direction = np.random.default_rng(i).normal(size=variable.shape)
    expected = central_difference(loss, variable, direction)
    assert abs(expected) > 1e-3
    assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-6)


def test_quadratic_scales_by_the_exponential():
  """Appendix A: y = e^(A T) x and ln|det| = T tr A."""
  bijector = ma_keras.MongeAmpereBijector(Quadratic(bijectors.MATRIX, tf.float64), 40, 0.02)
  x = points(4)
  np.testing.assert_allclose(
    bijector.forward(x), x @ bijectors.expm(0.8 * bijectors.MATRIX), atol=1e-9
  )
  expected = np.full(4, 0.8 * np.trace(bijectors.MATRIX))
  np.testing.assert_allclose(bijector.forward_log_det_jacobian(x), expected, rtol=1e-12)
