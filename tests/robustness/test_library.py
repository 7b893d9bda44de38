"""The library: arguments, shapes and dtypes that are wrong."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import bases, plotting, potentials, samplers, symmetry, targets, training, transport
from ma_keras.training import strategy
from tests.robustness.row import Row
from tests.test_bijector_arguments import LogCosh

tfd = tfp.distributions
PHI = potentials.OneHiddenLayer(4, 3)
NAN, INF = float('nan'), float('inf')
WRONG_SHAPE = (
  'Events must have shape [..., 4], got {}. This bijector needs events of shape [4]: ... Flatten '
  'images with tfb.Reshape.'
)
WRONG_BASE = (
  'The base distribution has {}. This bijector needs events of shape [4]: for a standard normal '
  'base write tfd.Sample(tfd.Normal(0., 1.), 4); ...'
)
WRONG_DTYPE = (
  'No dtype float32 for Tensor with dtype {}, which may lose digits: events of this flow are '
  'float32, so pass tf.cast(x, tf.float32)...'
)


def bijector(num_steps=3, step_size=0.2, **options):
  return ma_keras.MongeAmpereBijector(PHI, num_steps, step_size, **options)


def moving(time):
  basis = potentials.TimeBasis(1.0, 3)
  return ma_keras.MongeAmpereBijector(
    potentials.OneHiddenLayer(4, 3, time_basis=basis), 4, time / 4
  )


@functools.cache
def flow():
  return ma_keras.standard_normal_flow(bijector())


def over(base):
  return tfd.TransformedDistribution(base, bijector())


def over_double():
  potential = potentials.OneHiddenLayer(4, 3, dtype=tf.float64)
  double = ma_keras.MongeAmpereBijector(potential, 3, 0.2)
  return tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 4), double)


def numpy_doubles():
  x = np.random.default_rng(0).normal(size=(3, 4))
  log_prob = flow().log_prob(x)
  assert log_prob.dtype == tf.float32
  np.testing.assert_array_equal(log_prob, flow().log_prob(tf.constant(x, tf.float32)))


def no_points():
  assert flow().log_prob(np.zeros([0, 4])).shape == [0]
  assert flow().bijector.forward(np.zeros([2, 0, 4])).shape == [2, 0, 4]


def nan_among_points():
  log_prob = flow().log_prob([[0.0, 1.0, 2.0, 3.0], [0.0, NAN, 0.0, 0.0]]).numpy()
  assert np.isfinite(log_prob[0]) and np.isnan(log_prob[1])


def concave(time, **options):
  """u(z) = (1 - T/2) |z|^2/2, not convex from T = 2 on."""
  return transport.PressurelessFlow(potentials.Quadratic(-0.5 * np.eye(4)), time, **options)


def no_optimal_map(time):
  x = np.zeros([2, 4], np.float32)  # Where grad u = x is solved, by no minimum.
  log_det = concave(time).forward_log_det_jacobian(x, 1)
  for values in (concave(time).forward(x), concave(time).inverse(x), log_det):
    assert np.all(np.isnan(values))


def no_plan(iterations):
  """A divergence whose iterations end too early is no number."""
  x = np.random.default_rng(0).normal(size=(20, 2))
  found = transport.sinkhorn_divergence(x, x[::-1] + 1.0, 0.01, max_iterations=iterations)
  assert np.isnan(found.value) and found.marginal_error > 1e-6


ROWS = [
  Row(
    'points of another size than N = 4, in `log_prob`',
    lambda shape: flow().log_prob(np.zeros(shape)),
    ValueError,
    WRONG_SHAPE,
    ((2, 5), (), (4, 1), (3,), (0,)),
  ),
  Row(
    'the same in `forward`',
    lambda shape: bijector().forward(np.zeros(shape)),
    ValueError,
    WRONG_SHAPE,
    ((2, 5), (), (4, 1), (3,), (0,)),
  ),
  Row(
    'the same in a potential',
    lambda shape: PHI.gradient(0.0, np.zeros(shape)),
    ValueError,
    '`x` must have shape [..., 4], got {}: its last axis is the event, ...',
    ((2, 5), (4, 1)),
  ),
  Row('no points at all', no_points, None, 'no values come out, of the right shape'),
  Row(
    '`TransformedDistribution` over a scalar base',
    lambda: over(tfd.Normal(0.0, 1.0)).sample(3),
    ValueError,
    WRONG_BASE.format('scalar events'),
  ),
  Row(
    '`TransformedDistribution` over `Normal(zeros(4), 1.)`, a batch of scalars',
    lambda: over(tfd.Normal(tf.zeros(4), 1.0)).log_prob(tf.zeros([2, 4])),
    ValueError,
    WRONG_BASE.format('events of shape ()'),
  ),
  Row(
    '`TransformedDistribution` over a base of size 5',
    lambda: over(tfd.Sample(tfd.Normal(0.0, 1.0), 5)).event_shape,
    ValueError,
    WRONG_BASE.format('events of shape (5,)'),
  ),
  Row(
    'a float64 flow over a float32 base, in `sample`',
    lambda: over_double().sample(3),
    TypeError,
    "Found incompatible dtypes, <dtype: 'float64'> and <dtype: 'float32'>.",
  ),
  Row(
    'a tensor of more digits than the flow, float32, has; complex numbers; truth values',
    lambda name: flow().log_prob(tf.zeros([2, 4], name)),
    ValueError,
    WRONG_DTYPE,
    ('float64', 'int32', 'int64', 'complex64', 'bool'),
  ),
  Row('a float64 NumPy array to a float32 flow', numpy_doubles, None, 'converted'),
  Row(
    'a float64 tensor to a float32 target',
    lambda: targets.Ising(2).energy(tf.zeros([2, 4], tf.float64)),
    TypeError,
    '`x` must have dtype float32, got float64. Cast it, or build the target with dtype=tf.float64.',
  ),
  Row('NaN among points', nan_among_points, None, 'NaN comes out for this point'),
  Row(
    'NaN or infinity among points, with `validate_args=True`',
    lambda bad: bijector(validate_args=True).forward([[0.0, bad, 0.0, 0.0]]),
    tf.errors.InvalidArgumentError,
    '... The flow produced NaN or infinity: check the input, or take smaller steps. ...',
    (NAN, INF, -INF),
  ),
  Row(
    '`num_steps` of -3, 0, 2.5, NaN, infinity, true',
    lambda number: bijector(num_steps=number),
    ValueError,
    '`num_steps` must be a positive integer, got {}. The paper uses ...',
    (-3, 0, 2.5, NAN, INF, True),
  ),
  Row(
    'a million million steps',
    lambda number: bijector(num_steps=number),
    ValueError,
    '`num_steps` must be at most 1,000,000, got {}.',
    (10**12,),
  ),
  Row(
    '`step_size` of NaN, 0, -0.1, infinity',
    lambda number: bijector(step_size=number),
    ValueError,
    '`step_size` must be positive and finite, got {}. ...',
    (NAN, 0.0, -0.1, INF),
  ),
  Row(
    'text for either',
    lambda text: bijector(num_steps=text),
    ValueError,
    '`num_steps` must be a number, got {!r}.',
    ('3', 'few'),
  ),
  Row(
    'a flow that goes on where the functions of time of its potential end',
    moving,
    ValueError,
    '`time_basis` of OneHiddenLayer ends at time 1, and the flow at num_steps * step_size = {:g}: '
    'beyond its end nothing was learned. Make the basis with that time, or take fewer or smaller '
    'steps.',
    (1.2, 4.0),
  ),
  Row(
    'an unknown integrator',
    lambda name: bijector(integrator=name),
    ValueError,
    "`integrator` must be one of ['euler', ...] or a Tableau, got {!r}. ...",
    ('rk5', '', 'RK4', [], {}),
  ),
  Row(
    'an unknown gradient mode',
    lambda name: bijector(gradient=name),
    ValueError,
    "`gradient` must be one of ['adjoint', ...] or a GradientMode, got {!r}.",
    ('forget', '', [], {}),
  ),
  Row(
    "`gradient='reversible'` with RK4",
    lambda: bijector(gradient='reversible'),
    ValueError,
    "`gradient='reversible'` needs a time-symmetric integrator, got 'rk4': ...",
  ),
  Row(
    'a seed that is none, of a flow',
    lambda seed: bijector(seed=seed),
    ValueError,
    '`seed` must be a non-negative int or an int tensor of shape [2], got {!r}. ...',
    (-1, 1.5, 'a', None),
  ),
  Row(
    'a number for a potential in a sum',
    lambda terms: potentials.Sum(terms),
    TypeError,
    '`terms` must be a list of potentials, got {!r}.',
    ([3], None),
  ),
  Row(
    'a number for a distribution to certify',
    lambda: ma_keras.certify(3, np.zeros([2, 4])),
    TypeError,
    '`distribution` must be a TFP distribution, got int: ...',
  ),
  Row(
    'a potential to be trained',
    lambda: training.MaximumLikelihood(PHI),
    TypeError,
    '`bijector` must be a ma_keras.MongeAmpereBijector, got OneHiddenLayer: ...',
  ),
  Row(
    'a number for a preprocessing',
    lambda: training.MaximumLikelihood(bijector(), 3),
    TypeError,
    '`preprocessing` must be a TFP bijector of R^N, got int: ...',
  ),
  Row(
    'an activation without second derivative',
    lambda name: potentials.OneHiddenLayer(4, 3, name),
    ValueError,
    "`activation` must be one of ['log_cosh', 'softplus'], got {!r}. A potential needs a second "
    'derivative, ...',
    ('relu', 'leaky_relu'),
  ),
  Row(
    'an unknown strategy',
    lambda: strategy.make('cluster'),
    ValueError,
    "`strategy` must be one of ['one_device', ...], got 'cluster'.",
  ),
  Row(
    "a `dtype` that is not the potential's",
    lambda: bijector(dtype=tf.float64),
    ValueError,
    '`dtype` float64 is not that of the potential, float32: build the potential with '
    'dtype=tf.float64.',
  ),
  Row(
    'events that are no real numbers',
    lambda name: ma_keras.MongeAmpereBijector(LogCosh(3), 4, 0.1, dtype=name),
    ValueError,
    '`dtype` must be floating, got {}: events live in R^N.',
    ('int32', 'complex64', 'bool'),
  ),
  Row(
    'a function for a potential',
    lambda: ma_keras.MongeAmpereBijector(tf.nn.softplus, 4, 0.1),
    TypeError,
    '`potential` must be a ma_keras.potentials.Potential, got function. Wrap a Keras model as '
    'potentials.KerasModel(model, event_size).',
  ),
  Row(
    'couplings that are not symmetric, or with a diagonal',
    lambda: targets.CoupledSpins([[0.0, 1.0], [0.5, 0.0]]),
    ValueError,
    '`couplings` must be symmetric and without diagonal, got 1 at [0, 1] and 0.5 at [1, 0]. Pass '
    'K + K.T if every pair stands once, ... (K + K.T)/2 if every pair stands twice, ...',
  ),
  Row(
    'couplings that are no square',
    lambda shape: targets.CoupledSpins(np.zeros(shape)),
    ValueError,
    '`couplings` must be a finite matrix of shape [N, N], got shape {}: one row ...',
    ([2, 3], [3], []),
  ),
  Row(
    'couplings of complex numbers or text',
    lambda name: targets.CoupledSpins(np.zeros([2, 2]).astype(name)),
    ValueError,
    '`couplings` must be an array of real numbers, got {}.',
    ('complex128', '<U3', 'object'),
  ),
  Row(
    'couplings of NaN or infinity',
    lambda bad: targets.CoupledSpins(np.full([2, 2], bad)),
    ValueError,
    '`couplings` ... 4 entries that are not finite...',
    (NAN, INF),
  ),
  Row(
    'complex numbers in an array to a bijector',
    lambda x: bijector().inverse(x),
    ValueError,
    'Events must be real, got complex128: pass real and imaginary part apart.',
    (np.full([2, 4], 1j),),
  ),
  Row(
    'the same to a target',
    lambda x: targets.Ising(2).energy(x),
    TypeError,
    '`x` must be real, got complex128: pass real and imaginary part apart.',
    (np.full([2, 4], 1j),),
  ),
  Row(
    'hidden units of 0, 2.5, NaN, infinity, text, None, True',
    lambda units: potentials.OneHiddenLayer(4, units),
    ValueError,
    '`hidden_units` must be a positive integer, got {!r}. The paper uses 1024 for MNIST and 512 '
    'for Ising.',
    (0, 2.5, NAN, INF, '3', None, True),
  ),
  Row(
    'one width for several, none, a width of 0',
    lambda widths: potentials.MLP(4, widths),
    ValueError,
    '`hidden_units` must hold at least one positive width, got {!r}. For example (64, 64).',
    (64, (), (0,), (8, 2.5), None, '64'),
  ),
  Row(
    'an image of no three sides',
    lambda shape: potentials.LocallyConnected(shape, 2, 2, 3),
    ValueError,
    '`image_shape`, `patch` and `stride` must be positive, got {}, 2 and 2. ...',
    ((4, 4), None, (4, 4, 0), 28),
  ),
  Row(
    'a matrix of NaN or text',
    lambda value: potentials.Quadratic([[value, value], [value, value]]),
    ValueError,
    '`matrix` must hold finite real numbers, got ...: mend them.',
    (NAN, INF, 'a', 1j),
  ),
  Row(
    'a lattice of side 1, 2.5, text, None',
    targets.Ising,
    ValueError,
    '`side` must be at least 2, and whole, got {!r}. The paper uses 16.',
    (1, 2.5, '4', None, True),
  ),
  Row(
    'a coupling that is no finite number',
    lambda coupling: targets.Ising(2, coupling),
    ValueError,
    '`coupling` must be finite, got {!r}. Criticality is at 0.44068679.',
    (NAN, INF, '0.4', None),
  ),
  Row(
    'a group of a lattice without sites',
    symmetry.translations,
    ValueError,
    '`side` must be a positive integer, got {!r}: L of an L x L lattice.',
    (0, -2, 2.5, '2', None),
  ),
  Row(
    'no group at all',
    lambda group: symmetry.GroupAverage(PHI, group),
    TypeError,
    '`group` must be a symmetry.Group, got NoneType: symmetry.translations(L), say.',
    (None,),
  ),
  Row(
    'rotations of a space of 1, 4, 2.5 dimensions',
    lambda dimensions: symmetry.RotationQuadrature(3, dimensions, 4),
    ValueError,
    '`dimensions` must be 2 or 3, got {!r}: of other spaces draw one rotation per step, from '
    'ParticleSymmetries.',
    (1, 4, 2.5, '3', None),
  ),
  Row(
    'rotations of no degree, or of thousands',
    lambda degree: symmetry.RotationQuadrature(3, 2, degree),
    ValueError,
    '`degree` must lie in 1..100, got {!r}: of potentials that vary faster draw one rotation per '
    'step, from ParticleSymmetries.',
    (0, -1, 1000, 2.5, NAN, None),
  ),
  Row(
    'a negative seed, text, a fraction',
    lambda seed: potentials.OneHiddenLayer(4, 3, seed=seed),
    ValueError,
    '`seed` must be a non-negative int or an int tensor of shape [2], got {!r}. ...',
    (-1, 'a', 1.5),
  ),
  Row(
    'a potential where a flow is asked for',
    ma_keras.standard_normal_flow,
    TypeError,
    '`bijector` must be a MongeAmpereBijector, got OneHiddenLayer: for a potential write '
    'MongeAmpereBijector(potential, num_steps, step_size).',
    (PHI,),
  ),
  Row(
    'covariances for the triangles of a mixture',
    lambda matrix: bases.Mixture(np.ones(1), np.zeros([1, 2]), np.array([matrix])),
    ValueError,
    '`scale_tril` must be lower triangular: of covariances C pass np.linalg.cholesky(C).',
    ([[1.0, 0.5], [0.5, 1.0]],),
  ),
  Row(
    'a learning rate that is negative, or not finite',
    lambda rate: training.adam(rate, 100),
    ValueError,
    '`learning_rate` must be finite and not negative, got {!r}. Try 1e-3.',
    (-1.0, NAN, INF, None),
  ),
  Row(
    'to measure a likelihood on no points',
    lambda points: training.measure_likelihood(bijector(), None, points),
    ValueError,
    '`points` must hold one at least, and `draws` and `batch_size` be positive, got 0, 1 and 100.',
    (np.zeros([0, 4]),),
  ),
  Row(
    'to measure a free energy on no samples',
    lambda number: training.measure(bijector(), targets.Ising(2), number, 100, seed=0),
    ValueError,
    '`num_samples` and `batch_size` must be positive and whole, got {!r} and 100. 4096 and 100 are '
    'usual.',
    (0, -5, 2.5, None),
  ),
  Row(
    'a permutation of fractions',
    lambda index: symmetry.permutations(index),
    ValueError,
    '`index` and `sign` must hold whole numbers.',
    ([[0, 1.5]], [['0', '1']], [[NAN, 1]]),
  ),
  Row(
    'an interval of no length',
    lambda interval: symmetry.OneElementPerInterval(PHI, symmetry.inversion(4), interval),
    ValueError,
    '`interval` must be positive and finite, got {!r}. Pass the step size.',
    (0, NAN, 'h', None),
  ),
  Row(
    'the autocorrelation time of one step, or of NaN',
    lambda values: samplers.integrated_autocorrelation_time(values),
    ValueError,
    '`values` must hold two steps at least, all finite, got shape ..., of which ... are not '
    'finite.',
    (np.zeros([1, 3]), np.full([9, 3], NAN), np.zeros([0])),
  ),
  Row(
    'a figure that is to be no .png',
    lambda name: plotting.save(None, name),
    ValueError,
    '`path` {} must end in .png.',
    ('x.doc', 'x', 'x.pdf'),
  ),
  Row(
    'an optimal map, or a pressureless flow, whose potential is not convex enough',
    no_optimal_map,
    None,
    'NaN comes out in both directions, for the log determinant as well',
    (2.5, 100.0),
  ),
  Row(
    'the same with `validate_args=True`',
    lambda time: concave(time, validate_args=True).forward(np.zeros([2, 4], np.float32)),
    tf.errors.InvalidArgumentError,
    '`BrenierMap`: m |z|^2/2 + phi is not convex: its Hessian has no Cholesky factor...',
    (2.5, 100.0),
  ),
  Row(
    'samples of another dimension than the optimal map',
    lambda size: transport.dual_bound(concave(0.5), np.zeros([3, 4]), np.zeros([3, size])),
    ValueError,
    '`x` must be two samples or more, shape [n, 4], got [3, {}]: the map has event_size=4.',
    (3, 5),
  ),
  Row(
    'a convex quadratic that is not convex',
    lambda value: transport.ConvexQuadratic(np.diag([1.0, value])),
    ValueError,
    '`matrix` must be positive semidefinite, got an eigenvalue {}: ...',
    (-1, -0.5),
  ),
  Row(
    'ends of a transport of different dimensions',
    lambda size: transport.squared_distance(np.zeros([8, 2]), np.zeros([8, size])),
    ValueError,
    'Ends of a transport must have one dimension, got 2 of x and {} of y.',
    (1, 3),
  ),
  Row(
    'the same, of a flow and its base',
    lambda size: training.MaximumLikelihood(bijector(), base=bases.StandardNormal(size)),
    ValueError,
    '`base` must have events [4] of float32, as the flow has, got ({},) of float32.',
    (3, 5),
  ),
  Row(
    'a Sinkhorn plan that does not converge',
    no_plan,
    None,
    'NaN comes out, with the error of the marginals; training stops',
    (1, 5),
  ),
  Row(
    'a bound of the loss that is none',
    lambda bound: training.Constrained(bound),
    ValueError,
    '`bound` must be finite, got {!r}: nats of the loss.',
    (np.nan, np.inf, 'low', None),
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_the_library(row):
  row.check()
