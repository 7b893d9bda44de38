"""The toy densities integrate to their Z, and their samples have their moments."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.targets import Banana, GaussianMixture, Ring, SampledTarget, Target, TwoMoons
from ma_keras.targets.target import SolvedTarget

SOLVED = [
  GaussianMixture,
  Ring,
  Banana,
  lambda **kw: GaussianMixture(modes=1, radius=1.0, scale=0.8, **kw),
  lambda **kw: Ring(radius=0.5, width=1.5, **kw),
  lambda **kw: Banana(scale=1.0, bend=0.2, **kw),
]
ALL = [*SOLVED, TwoMoons]


def grid(half_width=(14.0, 14.0), top=(0.0, 0.0), points=801):
  """Points [P, 2] of a uniform grid and the area of a cell: spectrally exact for smooth decay."""
  axes = [np.linspace(c - h, c + h, points) for c, h in zip(top, half_width)]
  cell = np.prod([axis[1] - axis[0] for axis in axes])
  return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 2), cell


@pytest.mark.slow
@pytest.mark.parametrize('build', SOLVED)
def test_partition_function_is_the_integral(build):
  target = build(dtype=tf.float64)
  # The banana's arms reach up to b (6 s)^2.
  x, cell = grid((13.0, 48.0), (0.0, 35.0)) if isinstance(target, Banana) else grid()
  integral = cell * np.sum(np.exp(-target.energy(x).numpy()))
  assert math.log(integral) == pytest.approx(target.exact_log_partition(), abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize('build', SOLVED)
def test_samples_have_the_moments_of_the_density(build):
  """Mean of x, x^2 and E agree with the integrals within five standard errors."""
  target = build(dtype=tf.float64)
  x, cell = grid((13.0, 48.0), (0.0, 35.0)) if isinstance(target, Banana) else grid()
  density = cell * np.exp(-target.energy(x).numpy() - target.exact_log_partition())
  samples = target.sample(20000, seed=7).numpy()
  for observable in (lambda y: y, lambda y: y**2, lambda y: target.energy(y).numpy()[:, None]):
    drawn = observable(samples)
    error = 5 * drawn.std(axis=0) / math.sqrt(len(drawn))
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - density @ observable(x)), error)


@pytest.mark.parametrize('build', SOLVED)
def test_samples_are_a_function_of_the_seed(build):
  target = build()
  np.testing.assert_array_equal(target.sample(5, seed=1), target.sample(5, seed=1))
  assert np.all(target.sample(5, seed=1) != target.sample(5, seed=2))
  assert target.sample(0, seed=1).shape == [0, 2]
  assert target.sample(3, seed=1).dtype == tf.float32


@pytest.mark.parametrize('build', ALL)
@pytest.mark.parametrize('leading', [[], [0], [3], [2, 3]])
def test_any_leading_shape_compiled_by_xla(build, leading):
  target = build()
  x = tf.random.stateless_normal([*leading, 2], seed=[1, 2])
  compiled = tf.function(target.energy, jit_compile=True)(x)
  assert compiled.shape == leading
  np.testing.assert_allclose(compiled, target.energy(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('build', ALL)
def test_gradient_is_finite_at_the_origin_and_far_out(build):
  x = tf.constant([[0.0, 0.0], [20.0, -20.0]])
  target = build()
  with tf.GradientTape() as tape:
    tape.watch(x)
    energy = target.energy(x)
  assert np.all(np.isfinite(tape.gradient(energy, x)))


def test_mixture_of_one_mode_is_a_normal():
  target = GaussianMixture(modes=1, radius=3.0, scale=2.0, dtype=tf.float64)
  expected = math.log(2 * math.pi * 4.0) + 0.5 * (1.0 + 4.0) / 4.0
  assert float(target.energy([4.0, 2.0])) == pytest.approx(expected, rel=1e-12)


def test_banana_is_centred_and_bends():
  x, cell = grid((13.0, 48.0), (0.0, 35.0))
  density = cell * np.exp(-Banana(dtype=tf.float64).energy(x).numpy()) / (4 * math.pi)
  np.testing.assert_allclose(density @ x, 0.0, atol=1e-6)
  # Cov(x_0^2, x_1) = b Var(x_0^2) = 2 b s^4.
  assert density @ (x[:, 0] ** 2 * x[:, 1]) == pytest.approx(16.0, rel=1e-5)


def test_two_moons_mirror_each_other():
  x = tf.constant([[1.9, 0.6], [-1.9, 0.6], [1.9, -0.6]], tf.float64)
  energies = TwoMoons(dtype=tf.float64).energy(x).numpy()
  np.testing.assert_allclose(energies, energies[0], rtol=1e-12)
  assert energies[0] < TwoMoons(dtype=tf.float64).energy([0.0, 2.0]).numpy()


def test_each_class_keeps_its_protocol():
  for build in SOLVED:
    assert isinstance(build(), SolvedTarget) and isinstance(build(), SampledTarget)
  assert isinstance(TwoMoons(), Target) and not isinstance(TwoMoons(), SolvedTarget)


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: GaussianMixture(modes=0), '`modes` must be at least 1, and whole, got 0'),
    (lambda: Ring(width=0.0), '`width` must be positive and finite, got 0.0'),
    (lambda: Banana(scale=-1.0), '`scale` must be positive and finite, got -1.0'),
    (lambda: TwoMoons(dtype=tf.int32), '`dtype` must be floating, got int32'),
    (lambda: Ring().energy(tf.zeros([5, 3])), r'`x` must have event size 2 .* got shape \(5, 3\)'),
  ],
)
def test_errors_name_the_argument(build, message):
  with pytest.raises(ValueError, match=message):
    build()
