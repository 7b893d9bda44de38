# %% [markdown]
# # A potential of your own
#
# A flow needs one scalar function phi(t, x). Write it in TensorFlow, and gradient and exact Laplacian follow by automatic
# differentiation. Where you know them in closed form, say so, and the flow becomes faster. On the way: tests of what you
# wrote, a training, and a symmetry.

# %%
# %matplotlib inline
import time

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import potentials, symmetry, targets, training

# %% [markdown]
# ## Value alone
#
# Radial shells that vary in time: phi(t, x) = sum_k a_k(t) exp(-(|x|² - c_k)²/2w²), a_k(t) a parabola. Subclass `Potential`, call `super().__init__` with the number of
# coordinates, keep variables as attributes, and write `__call__(t, x)` for x of any leading shape, [..., N] -> [...].

# %%


class Shells(potentials.Potential):
  """phi(t, x) = sum_k a_k(t) exp(-(|x|^2 - c_k)^2 / 2 w^2)."""

  def __init__(self, event_size, count=12, reach=9.0):
    super().__init__(event_size)
    self.centres = tf.constant(np.linspace(0.0, reach, count), tf.float32)
    self.width = tf.constant(2.0 * reach / count, tf.float32)
    self.coefficients = tf.Variable(tf.zeros([3, count]))

  def __call__(self, t, x):
    """See `Potential`."""
    square = tf.reduce_sum(x**2, axis=-1, keepdims=True)
    return tf.linalg.matvec(self.bumps(square), self.amplitudes(t))

  def amplitudes(self, t):
    """a(t) = c_0 + c_1 t + c_2 t^2, [K]."""
    return tf.linalg.matvec(self.coefficients, [1.0, t, t**2], transpose_a=True)

  def bumps(self, square):
    """The shells at |x|^2 [..., 1], [..., K]."""
    return tf.exp(-0.5 * ((square - self.centres) / self.width) ** 2)


phi = Shells(2)
phi.coefficients.assign(np.random.default_rng(0).normal(size=[3, 12]))
x = tf.random.stateless_normal([5, 2], [0, 1])
velocity, laplacian = phi.gradient_and_laplacian(tf.constant(0.3), x)
print('velocity', velocity.shape, 'laplacian', laplacian.shape)

# %% [markdown]
# ## Closed forms
#
# With s = |x|² and phi = f(t, s): grad phi = 2 f' x and laplacian phi = 4 s f'' + 2 N f', dashes by s. Override
# `_gradient_and_laplacian`, and `_gradient` with it. What you write is believed, so the test is yours: hold it against the tapes.

# %%


class FastShells(Shells):
  """`Shells` with derivatives in closed form."""

  def _slopes(self, t, square):
    """f' and f'', [..., 1] each."""
    u = (square - self.centres) / self.width
    bumps = self.amplitudes(t) * self.bumps(square)
    first = tf.reduce_sum(-u * bumps, axis=-1, keepdims=True) / self.width
    second = tf.reduce_sum((u**2 - 1) * bumps, axis=-1, keepdims=True) / self.width**2
    return first, second

  def _gradient(self, t, x):
    return 2 * self._slopes(t, tf.reduce_sum(x**2, axis=-1, keepdims=True))[0] * x

  def _gradient_and_laplacian(self, t, x):
    square = tf.reduce_sum(x**2, axis=-1, keepdims=True)
    first, second = self._slopes(t, square)
    laplacian = 4 * square * second + 2 * self.event_size * first
    return 2 * first * x, laplacian[..., 0]


fast = FastShells(2)
fast.coefficients.assign(phi.coefficients)
for name, one, two in zip(
  ('gradient', 'laplacian'),
  phi.gradient_and_laplacian(tf.constant(0.3), x),
  fast.gradient_and_laplacian(tf.constant(0.3), x),
):
  print(f'{name}: closed form and tapes differ by {np.abs(one - two).max():.1e}')

# %% [markdown]
# Both are potentials of a flow at once. What does the closed form gain?

# %%
z = tf.random.stateless_normal([4000, 2], [0, 2])
for name, potential in (('tapes', phi), ('closed form', fast)):
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps=10, step_size=0.1)
  bijector.solve(z)  # Traces.
  begin = time.perf_counter()
  bijector.solve(z)
  print(f'{name:12s} {time.perf_counter() - begin:.3f} s for {len(z):,} points')

# %% [markdown]
# ## Train it
#
# The target is a ring, exp(-(|x|² - R²)²/2w²), whose ln Z is known. `VariationalFreeEnergy` minimises the free energy, the
# reverse KL up to ln Z: it needs the energy, and no data.

# %%
ring = targets.Ring()
trained = FastShells(2)
bijector = ma_keras.MongeAmpereBijector(trained, num_steps=10, step_size=0.1)
model = training.VariationalFreeEnergy(bijector, ring, batch_size=256, penalties={'stiffness': 0.1})
model.compile(training.adam(0.05, total_steps=500, warmup_steps=40))
model.fit(steps_per_epoch=500, epochs=1, verbose=0)

result = training.measure(bijector, ring, num_samples=10_000, batch_size=2000, seed=1)
free_energy, exact = 2 * result.free_energy_per_site, -ring.exact_log_partition()
error = 2 * np.hypot(result.statistical_error, result.integration_error)
print(
  f'F = {free_energy:.4f} +- {error:.4f}; exact -ln Z = {exact:.4f}; KL {free_energy - exact:.4f} nats'
)
print(
  f'effective sample size {result.effective_sample_size:.1%}; doubts: {result.doubts() or "none"}'
)

# %% [markdown]
# A radial potential keeps angles: every parcel moves on its ray, and the hole of the ring is emptied outwards.

# %%
axis = np.linspace(-3.2, 3.2, 161, dtype=np.float32)
grid = np.stack(np.meshgrid(axis, axis), axis=-1)
flow = ma_keras.standard_normal_flow(bijector)
path = bijector.trajectory(z[:60], np.linspace(0, 1, 21).tolist()).states.numpy()

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), layout='constrained')
left.imshow(
  np.exp(flow.log_prob(grid)), extent=(-3.2, 3.2, -3.2, 3.2), origin='lower', cmap='Blues'
)
left.plot(path[..., 0], path[..., 1], color='0.5', linewidth=0.6)
left.plot(*path[-1].T, '.', color='0.2', markersize=3)
left.set(title='density, and paths to it', xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
radius = np.linspace(0.0, 3.2, 200, dtype=np.float32)
on_axis = np.stack([radius, 0 * radius], axis=-1)
right.plot(radius, np.exp(flow.log_prob(on_axis)), label='flow')
right.plot(radius, np.exp(-ring.energy(on_axis) + exact), '--', label='exact')
right.set(xlabel='|x|', ylabel='density')
right.legend()
plt.show()

# %% [markdown]
# ## Parts that others wrote
#
# Potentials add up, and `GroupAverage` makes any of them symmetric: phi + hidden units, averaged over the exchange of both
# coordinates. The density has the symmetry, too.

# %%
swap = symmetry.permutations([[0, 1], [1, 0]])
mixed = trained + potentials.OneHiddenLayer(2, 32, seed=1)
even = symmetry.GroupAverage(mixed, swap)
flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(even, 10, 0.1))
change = flow.log_prob(z[:1000]) - flow.log_prob(tf.reverse(z[:1000], axis=[-1]))
print(f'ln p(x, y) and ln p(y, x) differ by {np.abs(change).max():.1e} at most')

# %% [markdown]
# **Where to go on.** [Extending](../extending.md) says what else a potential may override, how it takes a context, and how it is
# kept in model files; [the engine](../engine.md) what makes flows fast.
