"""The multilayer perceptron equals its loops; the time is one more input."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import MLP
from tests.potentials import cases

VALUES = {
  'softplus': lambda z: np.log1p(np.exp(z)),
  'log_cosh': lambda z: np.log(np.cosh(z)),
  'tanh': np.tanh,
}


@pytest.mark.parametrize('activation', VALUES)
@pytest.mark.parametrize('time_dependent', [False, True])
def test_value_equals_the_layers_written_out(activation, time_dependent):
  potential = cases.mlp(time_dependent, activation)
  for row in cases.points(4):
    h = np.append(row, cases.TIME) if time_dependent else row.numpy()
    for kernel, bias in zip(potential.kernels, potential.biases):
      z = [np.dot(kernel[:, j], h) + bias[j] for j in range(kernel.shape[1])]
      h = VALUES[activation](np.array(z))
    expected = np.dot(potential.amplitude, h)
    np.testing.assert_allclose(potential(cases.TIME, row), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize('time_dependent', [False, True])
def test_only_a_time_dependent_network_sees_the_time(time_dependent):
  potential, x = cases.mlp(time_dependent), cases.points(3)
  moved = potential.laplacian(0.2, x) - potential.laplacian(0.9, x)
  assert np.all((np.abs(moved) > 1e-6) == time_dependent)


@pytest.mark.parametrize('times', [0.3, 1.4])
def test_laplacian_is_exact_at_every_time(times):
  cases.assert_derivatives_are_exact(cases.mlp(time_dependent=True), times, cases.points(2))


def test_widths_are_those_asked_for():
  potential = MLP(4, (7, 5, 3), time_dependent=True, dtype=tf.float64)
  assert [k.shape for k in potential.kernels] == [(5, 7), (7, 5), (5, 3)]
  assert [b.shape for b in potential.biases] == [(7,), (5,), (3,)]
  assert potential.amplitude.shape == (3,)
  assert len(potential.trainable_variables) == 7
  assert potential.dtype == tf.float64


def test_initial_values_are_a_function_of_the_seed():
  first, same, other, fresh, fresher = (MLP(4, (6, 5), seed=s) for s in (1, 1, 2, None, None))
  for one, two in zip(first.variables, same.variables):
    np.testing.assert_array_equal(one, two)
  for one, two in ((first, other), (first, fresh), (fresh, fresher)):
    assert all(np.all(a != b) for a, b in zip(one.kernels, two.kernels))
    assert np.all(one.amplitude != two.amplitude)


def test_initial_values_have_the_documented_variances():
  """Var W_k = 1/fan-in and Var a = 0.01/H, within five standard errors of a sample variance."""
  potential = MLP(50, (1000, 400), seed=0)
  drawn = [*zip(potential.kernels, (1 / 50, 1 / 1000)), (potential.amplitude, 0.01 / 400)]
  for variable, variance in drawn:
    ratio = np.mean(np.square(variable, dtype=np.float64)) / variance
    assert abs(ratio - 1.0) < 5 * np.sqrt(2 / variable.shape.num_elements())


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'hidden_units': ()}, r'`hidden_units` must hold at least one .* got \(\)'),
    ({'hidden_units': (4, 0)}, r'`hidden_units` must hold .* got \(4, 0\)'),
    ({'activation': 'relu'}, "`activation` must be one of .* got 'relu'"),
    ({'event_size': -1}, '`event_size` must be a positive integer, got -1'),
    ({'seed': -5}, '`seed` must be a non-negative int .* got -5'),
  ],
)
def test_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    MLP(**{'event_size': 4, **arguments})
