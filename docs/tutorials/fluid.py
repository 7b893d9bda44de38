# %% [markdown]
# # A fluid in two dimensions
#
# A Monge-Ampère flow is a compressible fluid. Its parcels move along the gradient of a potential, and the density that
# they carry falls by the Laplacian of the potential along the way:
#
#     dx/dt = grad phi(t, x)        d ln p/dt = -laplacian phi(t, x)        p(x, 0) = Normal(0, I)
#
# Here you watch it move: first in one dimension, where everything is known in closed form, then in the plane, where a
# potential learns to make two moons out of a normal distribution.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Image
from matplotlib import animation
from sklearn.datasets import make_moons

import ma_keras
from ma_keras import plotting, potentials, training

# %% [markdown]
# ## One dimension: Figure 1a of the paper
#
# With phi(x) = lambda x²/2 the velocity is lambda x. Every distance grows by exp(lambda t), and the density stays normal,
# with the standard deviation exp(lambda t). `trajectory` returns the parcels at chosen times and the change of
# ln p along their paths.

# %%
rate, time = 0.5, 1.0
stretch = ma_keras.MongeAmpereBijector(
  potentials.Quadratic([[rate]], dtype=tf.float64), num_steps=20, step_size=time / 20
)
times = np.linspace(0, time, 5)
start = np.linspace(-3.5, 3.5, 201)
path = stretch.trajectory(tf.constant(start[:, np.newaxis], tf.float64), times.tolist())
positions = path.states.numpy()[..., 0]  # [times, parcels]
density = np.exp(-(start**2) / 2) / np.sqrt(2 * np.pi) * np.exp(path.log_density_changes.numpy())

parcels = slice(40, 161, 10)
plotting.fluid(times, positions[:, parcels], list(zip(positions, density)))

# %% [markdown]
# The integrator is a Runge-Kutta method of fourth order with twenty steps. How far is its density from the
# exact normal one, at all five times and all 201 parcels?

# %%
width = np.exp(rate * times)[:, np.newaxis]
exact = np.exp(-((positions / width) ** 2) / 2) / (np.sqrt(2 * np.pi) * width)
print(f'largest deviation of the density: {np.abs(density - exact).max():.1e}')

# %% [markdown]
# ## The plane: a density forms
#
# Now phi is learned. `OneHiddenLayer` is the paper's potential, one layer of softplus units whose gradient and Laplacian
# are known in closed form; a `TimeBasis` lets its amplitudes vary smoothly in time. `MaximumLikelihood` is a tf_keras model: it
# has `compile` and `fit`, and needs no loss, for the likelihood is its own. Of the two penalties one keeps the steps honest,
# and the other holds the kinetic energy down, so that the fluid makes no detours.

# %%
points, _ = make_moons(6000, noise=0.1, random_state=0)
points = ((points - points.mean(axis=0)) / points.std(axis=0)).astype(np.float32)
train, test = points[:5000], points[5000:]

num_steps, step_size = 16, 1 / 8
basis = potentials.TimeBasis(num_steps * step_size, 6)
phi = potentials.OneHiddenLayer(2, 64, time_basis=basis, seed=0)
bijector = ma_keras.MongeAmpereBijector(phi, num_steps, step_size)

model = training.MaximumLikelihood(bijector, penalties={'stiffness': 0.3, 'kinetic': 0.01})
model.compile(training.adam(0.02, total_steps=800, warmup_steps=50))
history = model.fit(train, batch_size=250, epochs=40, verbose=0)

# %% [markdown]
# Test points were not seen in training. A log density is only as good as the steps it was computed in, so the
# second line says what halving the steps changes: if an optimiser had learned to cheat the integrator, it would show here.

# %%
flow = model.density()
log_prob = flow.log_prob(test).numpy()
certificate = bijector.certificate(tf.constant(test), reverse=True)
error = log_prob.std(ddof=1) / np.sqrt(len(test))
print(f'test points: ln p = {log_prob.mean():.3f} +- {error:.3f} nats')
print(
  f'halving the steps changes it by {certificate.mean:+.4f} nats on average, '
  f'{certificate.root_mean_square:.4f} root mean square'
)
normal = -0.5 * np.sum(test**2, axis=1) - np.log(2 * np.pi)
print(f'a standard normal, where the flow began: ln p = {normal.mean():.3f} nats')

# %% [markdown]
# ## Watch it
#
# Stopped after k of its steps the flow is the density at time t = k h. `copy(num_steps=k, ...)` is such a flow: same
# potential, fewer steps of the same size. Each frame below is the exact density of the fluid at its time,
# with the same 400 parcels on top of it.

# %%
axis = np.linspace(-3, 3, 101, dtype=np.float32)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
base = flow.distribution

densities = [np.exp(base.log_prob(grid).numpy())]
for k in range(1, num_steps + 1):
  stopped = ma_keras.standard_normal_flow(bijector.copy(num_steps=k, step_size=step_size))
  densities.append(np.exp(stopped.log_prob(grid).numpy()))
densities = np.reshape(densities, [-1, axis.size, axis.size])

cell = (axis[1] - axis[0]) ** 2
shares = densities.sum(axis=(1, 2)) * cell
print(f'mass within the picture: {shares.min():.4f} to {shares.max():.4f}')

# %%
moments = step_size * np.arange(num_steps + 1)
latents = base.sample(400, seed=tf.constant([1, 2]))
moving = bijector.trajectory(latents, moments.tolist()).states.numpy()

figure, ax = plt.subplots(figsize=(5, 5), dpi=80, layout='constrained')
picture = ax.imshow(densities[0], extent=(-3, 3, -3, 3), origin='lower', cmap='Blues', vmin=0)
(dots,) = ax.plot(*moving[0].T, '.', color='0.2', markersize=2.5)
title = ax.set_title('t = 0.00')
ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[])


def draw(k):
  """Shows the fluid after k steps; the picture rests at its last frame."""
  k = min(k, num_steps)
  picture.set_data(densities[k])
  picture.set_clim(0, densities[k].max())
  dots.set_data(*moving[k].T)
  title.set_text(f't = {moments[k]:.2f}')


movie = animation.FuncAnimation(figure, draw, frames=num_steps + 9)
movie.save('fluid.png', writer=animation.PillowWriter(fps=8))  # An animated PNG.
plt.close(figure)
Image('fluid.png')

# %% [markdown]
# Nothing is lost on the way: the flow is a bijection, so the parcels come back to where they started.

# %%
back = bijector.inverse(tf.identity(bijector.forward(latents)))
print(f'there and back: {np.abs(back - latents).max():.1e}')

# %% [markdown]
# **Where to go on.** [A table](table.py) does all of this without a setting. [Keras](../keras.md) says what `fit` takes,
# [the derivation](../derivation.md) where the two equations come from, and [your own potential](potential.py)
# how to write phi.
