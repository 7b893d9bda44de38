"""The Monge-Ampere flow as a TensorFlow Probability bijector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util

from ma_keras import bases, flow, integrators, pickling, seeds
from ma_keras.flow import adaptive, calls, certificate, gradients
from ma_keras.flow.calls import Calls
from ma_keras.flow.events import Events, of_dtype
from ma_keras.flow.horizon import check_steps
from ma_keras.flow.tallies import Tally, all_of
from ma_keras.layers import keras_layers
from ma_keras.potentials import contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import check_horizon


@keras_layers.takes_inputs(
  'forward', 'inverse', 'forward_log_det_jacobian', 'inverse_log_det_jacobian'
)
class MongeAmpereBijector(tfp.bijectors.Bijector):
  """y = x(T) for dx/dt = grad phi(t, x), x(0) = x; ln|det dy/dx| = integral of laplacian phi.

  Equations (2)-(3) of Zhang, E & Wang (2018), integrated by an explicit Runge-Kutta method in
  a compiled loop. Value and log determinant come out of one solve, and TFP's cache keeps them
  together: `log_prob`, `experimental_sample_and_log_prob`, `Invert` and `Chain` solve once.

  ```python
  potential = ma_keras.potentials.OneHiddenLayer(event_size=784, hidden_units=1024)
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps=100, step_size=0.1)
  flow = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0., 1.), 784), bijector)
  ```

  Events are vectors [N] with any leading dimensions. For images compose:
  `tfb.Chain([tfb.Reshape([28, 28, 1], event_shape_in=[784]), bijector])`.

  `copy(num_steps=, step_size=)` is the same flow at another depth, sharing the potential.

  With a conditional potential (`context_size=C`) x = x(T | c): `forward(x, context=c)`, or
  `flow.log_prob(x, bijector_kwargs={'context': c})` and `flow.sample(n, bijector_kwargs=...)`, with
  a row c for every point or one for all; within a `Chain` TFP takes
  `bijector_kwargs={bijector.name: {'context': c}}`.
  """

  # Copies in other steps hold no variables of their own.
  _TF_MODULE_IGNORED_PROPERTIES = tfp.bijectors.Bijector._TF_MODULE_IGNORED_PROPERTIES | {'_copies'}
  # One solve yields the value and both log determinants: the cache keeps all three.
  _cache = cache_util.BijectorCacheWithGreedyAttrs(
    forward_name='_augmented_forward', inverse_name='_augmented_inverse'
  )

  def __init__(
    self,
    potential: Potential,
    num_steps: int,
    step_size: float,
    integrator: str | integrators.Tableau = 'rk4',
    gradient: str | gradients.GradientMode = 'store',
    jitter: float = 0.0,
    seed: int | tf.Tensor = 0,
    dtype: tf.DType | None = None,
    batch_size: int | None = None,
    validate_args: bool = False,
    name: str = 'monge_ampere',
  ) -> None:
    """Checks the arguments; nothing is computed yet.

    Args:
      potential: Scalar potential phi; its variables are the bijector's.
      num_steps: d, the number of integration steps. The paper uses 50 for Ising, 100 for MNIST.
      step_size: epsilon; T = num_steps * step_size. The paper uses 0.1.
      integrator: Name in `integrators.TABLEAUS`, or a `Tableau` of your own.
      gradient: How the flow is differentiated: 'store' (every stage kept, derivatives of any
        order), 'recompute' (one state kept per step, or per segment of steps:
        `gradients.Recompute(segment)`), 'reversible' (none kept; time-symmetric integrators
        only) or 'adjoint' (none kept; the continuous adjoint, biased by the integrator's error).
      jitter: In [0, 1): steps of random size, boundaries moved by up to half of this part of a
        step (`Horizon`). One more way to keep an optimiser from cheating the integrator.
      seed: Which steps: non-negative int or int32 [2]. `with_seed` draws others.
      dtype: Floating dtype of events; that of the potential's variables by default, or float32.
      batch_size: How many points are solved at a time, one batch after the other, so that memory
        does not grow with their number; derivatives are by the points and by trainable variables,
        and cost one more forward pass. None takes all at once. One call can have its own:
        `bijector.forward(x, batch_size=8192)`,
        `flow.log_prob(x, bijector_kwargs={'batch_size': 8192})`.
      validate_args: Check at run time that every input and output is finite.
      name: Name of the ops.

    Raises:
      TypeError: `potential` is not a Potential, or holds Keras 3 layers whose variables are hidden.
      ValueError: An argument is out of range; the dtype is not the potential's; or functions of
        time of the potential end before T.
    """
    parameters = dict(locals())
    events = Events.of_potential(potential, dtype)
    with tf.name_scope(name) as name:
      self._potential = potential
      self._events = events
      seeds.stateless(seed, salt='grid')  # Refuses what is no seed.
      self._horizon = flow.Horizon(num_steps, step_size, jitter, seed)
      check_horizon(potential, self._horizon.time)
      self._tableau = integrators.get(integrator)
      self._mode = gradients.get(gradient)
      self._gradient = gradients.by(self._mode, batch_size)
      self._gradient.check(self._tableau)
      self._calls = Calls(potential, self._tableau, self._horizon)
      self._copies = self._no_dependency({})
      super().__init__(
        forward_min_event_ndims=1,
        dtype=events.dtype,
        validate_args=validate_args,
        parameters=parameters,
        name=name,
      )

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments: compiled functions and cached values stay with the original."""
    return pickling.reduced(self)

  @classmethod
  def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
    return {}  # No parameter has a batch shape: the flow is one transformation.

  @property
  def potential(self) -> Potential:
    """The scalar potential phi."""
    return self._potential

  @property
  def horizon(self) -> flow.Horizon:
    """The time interval [0, T] and its steps."""
    return self._horizon

  @property
  def integrator(self) -> integrators.Tableau:
    """The Runge-Kutta method."""
    return self._tableau

  def copy(self, **changes: Any) -> MongeAmpereBijector:
    """Returns the flow with other arguments of the constructor.

    Copies in other steps share what was traced for any number of them.
    """
    copy = super().copy(**changes)
    if changes.keys() <= {'num_steps', 'step_size', 'jitter'}:
      copy._calls = self._calls.at(copy.horizon)
    return copy

  def refined(self, factor: int = 2) -> MongeAmpereBijector:
    """Returns the flow in `factor` times as many, smaller steps: T is unchanged."""
    finer = self._horizon.refined(factor)
    return self.copy(num_steps=finer.num_steps, step_size=finer.step_size)

  def in_steps(self, num_steps: int) -> MongeAmpereBijector:
    """Returns the flow in so many equal steps: T is unchanged, and there is no jitter.

    Raises:
      ValueError: `num_steps` is not a positive integer.
    """
    check_steps(num_steps)
    return self.copy(num_steps=num_steps, step_size=self._horizon.time / num_steps, jitter=0.0)

  def in_equal_steps(self, factor: int = 1) -> MongeAmpereBijector:
    """Returns the flow without jitter, in `factor` times as many steps.

    The copy is kept, with what was compiled for it: certificates ask for it again and again.
    """
    if factor == 1 and not self._horizon.jitter:
      return self
    if factor not in self._copies:
      self._copies[factor] = self.refined(factor).copy(jitter=0.0)
    return self._copies[factor]

  def with_seed(self, seed: seeds.Seed) -> MongeAmpereBijector:
    """Returns the flow with other draws: in its potential (`Potential.with_seed`), and its steps.

    Steps are the batch's: of a `seeds.PerSample` seed they see that of the whole batch.
    """
    potential = self._potential.with_seed(seed)
    if not self._horizon.jitter:
      return self.copy(potential=potential)
    return self.copy(potential=potential, seed=seeds.of_batch(seed))

  def check_tallies(self, tallies: Sequence[str | Tally]) -> tuple[Tally, ...]:
    """Returns the tallies, by names or themselves.

    Raises:
      ValueError: One is none, two have one name, or the integrator or the gradient mode does not
        go with one.
    """
    instances = all_of(tallies)
    flow.check_tallies(instances, self._tableau, self._gradient)
    return instances

  def solve(
    self,
    x: tf.Tensor,
    reverse: bool = False,
    tallies: Sequence[str | Tally] = (),
    score: tf.Tensor | None = None,
    batch_size: int | None = None,
    context: tf.Tensor | None = None,
  ) -> flow.Solution:
    """One solve for the points, their log density, and further sums along their paths.

    ```python
    solution = bijector.solve(z, tallies=[ma_keras.tallies.KineticEnergy()])
    solution.x, solution.log_density_change, solution.tallies['kinetic']
    ```

    Args:
      x: Points at time 0 (at T if `reverse`), shape [..., N].
      reverse: Flow from T back to 0, the direction of `log_prob`.
      tallies: What is summed: see `ma_keras.tallies`; names stand for those of the package.
      score: grad ln p at x, shape [..., N], to be carried to the other end; -x of a standard normal
        at time 0.
      batch_size: As in the constructor, for this call.
      context: Of a conditional potential, c of every point, shape [..., C], or of all, [C]: see
        `Potential.given`.

    Returns:
      The points at the other end, the change of their log density on the way (minus the log
      determinant of this direction), the tallies by name, and the score if it was given.

    Raises:
      ValueError: See `check_tallies`; or points, scores or contexts have another shape, or the
        potential takes no context or lacks one.
    """
    instances = self.check_tallies(tallies)
    x = self._events.checked(x)
    score = None if score is None else self._events.checked(score)
    tensors = [x] if score is None else [x, score]
    rows = [tf.reshape(part, [-1, self._potential.event_size]) for part in tensors]
    context_rows = self._context_rows(context, x)
    mode = self._gradient if batch_size is None else gradients.by(self._mode, batch_size)
    y, *sums = self._calls(calls.solve, rows, reverse, mode, instances, context=context_rows)
    after = None if score is None else self._shaped(sums.pop(), x, x.shape)
    change, *totals = (self._shaped(total, x, x.shape[:-1]) for total in sums)
    by_name = {tally.name: total for tally, total in zip(instances, totals, strict=True)}
    return flow.Solution(self._shaped(y, x, x.shape), change, by_name, after)

  def trajectory(
    self, x: tf.Tensor, times: Sequence[float], reverse: bool = False
  ) -> flow.Trajectory:
    """x(t_s) and its log density along the flow, for plots: see `flow.trajectory`.

    Args:
      x: Points at time 0 (at T if `reverse`), shape [..., N].
      times: Times within [0, T], rising (falling if `reverse`).
      reverse: Flow from T back to 0.

    Returns:
      Times [S], states [S, ..., N], log-density changes [S, ...].
    """
    times = tuple(float(t) for t in times)
    mode = gradients.by('store', self.parameters['batch_size'])
    return self._calls(calls.states_at, [self._events.checked(x)], times, reverse, mode)

  def certificate(
    self, x: tf.Tensor, reverse: bool = False, base: Any = None, batch_size: int | None = None
  ) -> certificate.Certificate:
    """By how much ln p changes on halving the steps, and whether it is to be trusted.

    `reverse` certifies `log_prob` at x; otherwise the log densities of samples drawn of the latents
    x. `certificate.certify` has the equations, and takes any `tfd.TransformedDistribution`.

    Args:
      x: Points at time 0 (at T if `reverse`), shape [..., N].
      reverse: Certify the flow from T to 0, the direction of `log_prob`.
      base: p(x, 0), a `tfd.Distribution` with events [N]; standard normal by default.
      batch_size: Points flowed at once; all of them by default.

    Returns:
      The certificate of every point.
    """
    x = self._events.checked(x)
    if base is None:
      base = bases.StandardNormal(self._potential.event_size, self.dtype)
    flow = tfp.distributions.TransformedDistribution(base, self)
    return certificate.certify(flow, x, reverse, batch_size)

  def adaptive(
    self, x: tf.Tensor, reverse: bool = False, rtol: float = 1e-6, atol: float = 1e-8
  ) -> adaptive.AdaptiveSolution:
    """Solves the flow by adaptive steps, to a tolerance: see `adaptive.solve`.

    Args:
      x: Points at time 0 (at T if `reverse`), shape [..., N].
      reverse: Flow from T to 0, the direction of `log_prob`.
      rtol: Relative tolerance per step.
      atol: Absolute tolerance per step.

    Returns:
      Points [..., N], change of their log density [...], number of evaluations [].
    """
    return self._calls(calls.solve_adaptively, [self._events.checked(x)], reverse, rtol, atol)

  def given(self, context: tf.Tensor) -> MongeAmpereBijector:
    """Returns the flow under one context, as if its potential took none: see `Potential.given`.

    Its certificates, trajectories and adaptive solutions are those of a flow without context.
    """
    return self.copy(potential=self._potential.given(context))

  def _solve(
    self,
    x: tf.Tensor,
    reverse: bool,
    batch_size: int | None = None,
    context: tf.Tensor | None = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Points and the change of ln p, of points of any leading rank."""
    if keras_layers.is_symbolic(x) or keras_layers.is_symbolic(context):
      layer = keras_layers.Solve(self, reverse, batch_size)
      return layer(x) if context is None else layer(x, context=context)
    keras_layers.warn_of_stranger(self)
    solution = self.solve(x, reverse, batch_size=batch_size, context=context)
    return self._with_assertions(solution.x, solution.log_density_change)

  def _shaped(self, rows: tf.Tensor, x: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Rows [B, ...] in the leading shape of x [..., N]; `shape` is what is known of the result."""
    leading = tf.shape(x)[:-1]  # Also of unknown rank.
    return tf.ensure_shape(tf.reshape(rows, tf.concat([leading, tf.shape(rows)[1:]], 0)), shape)

  def _context_rows(self, context: Any, x: tf.Tensor) -> tf.Tensor | None:
    """Contexts of the points x [..., N] as rows, [B, C]; one for all as it is, [C]."""
    if context is None:
      if self._potential.needs_context:
        raise ValueError(
          f'`context` is missing: the potential has context_size={self._potential.context_size}. '
          "Pass bijector.forward(x, context=c); flow.log_prob(x, bijector_kwargs={'context': c}); "
          f'within a Chain bijector_kwargs={{{self.name!r}: {{"context": c}}}}.'
        )
      return None
    return contexts.rows(self._potential.checked_context(context), x)

  def _call_forward(self, x: Any, name: str, **options: Any) -> tf.Tensor:
    # A base distribution of another dtype is a mistake, whose log densities lack digits.
    return super()._call_forward(of_dtype(x, self.dtype, widen=False), name, **options)

  def _call_inverse(self, y: Any, name: str, **options: Any) -> tf.Tensor:
    return super()._call_inverse(of_dtype(y, self.dtype), name, **options)

  def _call_forward_log_det_jacobian(
    self, x: Any, event_ndims: Any, name: str, **options: Any
  ) -> tf.Tensor:
    x = of_dtype(x, self.dtype)
    return super()._call_forward_log_det_jacobian(x, event_ndims, name, **options)

  def _call_inverse_log_det_jacobian(
    self, y: Any, event_ndims: Any, name: str, **options: Any
  ) -> tf.Tensor:
    y = of_dtype(y, self.dtype)
    return super()._call_inverse_log_det_jacobian(y, event_ndims, name, **options)

  def _augmented_forward(
    self, x: tf.Tensor, batch_size: int | None = None, context: tf.Tensor | None = None
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    y, change = self._solve(x, False, batch_size, context)
    return y, {'fldj': -change, 'ildj': change}

  def _augmented_inverse(
    self, y: tf.Tensor, batch_size: int | None = None, context: tf.Tensor | None = None
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    x, change = self._solve(y, True, batch_size, context)
    return x, {'fldj': change, 'ildj': -change}

  @classmethod
  def _is_increasing(cls, **options: Any) -> bool:
    # tfd.TransformedDistribution asks for its distribution functions, which need scalar events.
    raise NotImplementedError(
      'Distribution functions and quantiles of a flow of one number are those of '
      'ma_keras.distributions.flow_from(base, bijector), in place of '
      'tfd.TransformedDistribution(base, bijector); of more numbers, sample and count.'
    )

  def _forward(self, x: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._augmented_forward(x, **options)[0]

  def _inverse(self, y: tf.Tensor, **options: Any) -> tf.Tensor:
    return self._augmented_inverse(y, **options)[0]

  def _forward_log_det_jacobian(self, x: tf.Tensor, **options: Any) -> tf.Tensor:
    self._cache.forward(x, **options)  # Not only the attributes: the value, too, is worth keeping.
    return self._cache.forward_attributes(x, **options)['fldj']

  def _inverse_log_det_jacobian(self, y: tf.Tensor, **options: Any) -> tf.Tensor:
    self._cache.inverse(y, **options)
    return self._cache.inverse_attributes(y, **options)['ildj']

  def _batch_shape(self, x_event_ndims: int) -> tf.TensorShape:
    self._events.check_ndims(x_event_ndims)
    return tf.TensorShape([])

  def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _with_assertions(self, y: tf.Tensor, change: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    if not self.validate_args:
      return y, change
    message = 'The flow produced NaN or infinity: check the input, or take smaller steps.'
    return tf.debugging.check_numerics(y, message), tf.debugging.check_numerics(change, message)
