# %% [markdown]
# # A straight flow, and what it costs
#
# Many flows take one distribution to another. One of them does it on straight paths at constant speed: that of least kinetic
# energy, whose map is the optimal one. Then
#
#     W2² = E|x(T) - x(0)|² = T E ∫ |v|² dt
#
# and for every other flow the terms rise from left to right. This page trains a flow by likelihood alone, one whose kinetic
# energy is held down, and finds the optimal map by Kantorovich's dual, which bounds W2² from below.

# %%
# %matplotlib inline
import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import plotting, potentials, training, transport

# %% [markdown]
# ## Two ends
#
# From a normal distribution to eight Gaussians on a circle.

# %%


def eight_gaussians(n, rng):
  """Points around the corners of an octagon of radius 2, deviation 0.2."""
  angles = rng.integers(8, size=n) * np.pi / 4
  corners = 2.0 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  return (corners + 0.2 * rng.normal(size=(n, 2))).astype(np.float32)


rng = np.random.default_rng(0)
x = eight_gaussians(10_000, rng)
z = rng.normal(size=x.shape).astype(np.float32)

# %% [markdown]
# ## Two flows
#
# Likelihood looks at the end alone, and lets the paths be as crooked as they come. A weight on the tally `kinetic`, the
# integral of |v|²/2 along every path, straightens them.

# %%
num_steps, time = 12, 1.0


def train_flow(kinetic):
  """A flow of the same potential and training, with this weight on the kinetic energy."""
  basis = potentials.TimeBasis(time, 4)
  phi = potentials.OneHiddenLayer(2, 64, time_basis=basis, seed=0)
  bijector = ma_keras.MongeAmpereBijector(phi, num_steps, time / num_steps)
  model = training.MaximumLikelihood(bijector, penalties={'stiffness': 0.1, 'kinetic': kinetic})
  model.compile(training.adam(0.02, total_steps=400, warmup_steps=40))
  model.fit(x, batch_size=200, epochs=8, verbose=0)
  return bijector


free, held = train_flow(0.0), train_flow(0.2)

# %% [markdown]
# ## The optimal map
#
# A `BrenierMap` is the gradient of a convex function. Kantorovich's dual trains it by samples of both ends; no density is needed.

# %%
optimal = transport.start_from_moments(z, x, 128, steepness=3.0, seed=0)
dual = training.KantorovichDual(optimal)
dual.compile(training.adam(0.02, total_steps=400, warmup_steps=40))
history = dual.fit((z, x), batch_size=200, epochs=8, steps_per_epoch=50, verbose=0)

# %% [markdown]
# ## The paths
#
# Blue is where they start, red is where they end.

# %%
times = np.linspace(0.0, time, num_steps + 1).tolist()
shown = tf.constant(z[:120])
plotting.paths(
  {
    'likelihood alone': free.trajectory(shown, times).states.numpy(),
    'kinetic energy held down': held.trajectory(shown, times).states.numpy(),
    'optimal map': np.stack([shown, optimal.forward(shown)]),
  }
)

# %% [markdown]
# ## What they cost
#
# `transport_cost` measures a flow on fresh samples, with the error of the sample and what halving the steps changes. The
# *straightness* is 1 for straight lines at constant speed. The line of W2² comes from exact transport of samples, which is biased
# upwards, and is debiased; no estimate from samples is free of bias, so look at the two bounds.

# %%
for name, bijector in (('likelihood alone', free), ('kinetic energy held down', held)):
  cost = transport.transport_cost(bijector, num_points=1024)
  print(name)
  print('  path energy         ', cost.path_energy)
  print('  squared displacement', cost.squared_displacement)
  print('  straightness        ', cost.straightness)
  print('  of its own ends:    ', cost.distance)

# %% [markdown]
# The dual bounds W2² of the data from below, whatever the convex function is; new samples judge it.

# %%
fresh = eight_gaussians(5000, rng), rng.normal(size=(5000, 2)).astype(np.float32)
print('of the data:', transport.dual_bound(optimal, fresh[1], fresh[0]))

# %% [markdown]
# ## What straight paths are good for
#
# A straight flow needs fewer steps. Here are both flows, with the error of ln p in few steps against many:

# %%
for name, bijector in (('likelihood alone', free), ('kinetic energy held down', held)):
  reference = ma_keras.standard_normal_flow(bijector.refined(4)).log_prob(x[:2000])
  for steps in (2, 4, 8):
    coarse = ma_keras.standard_normal_flow(bijector.copy(num_steps=steps, step_size=time / steps))
    error = np.sqrt(np.mean((coarse.log_prob(x[:2000]) - reference) ** 2))
    print(f'{name:26s} {steps} steps: root mean square error of ln p {error:.4f} nats')

# %% [markdown]
# And it costs likelihood: little, if the weight is small.

# %%
for name, bijector in (('likelihood alone', free), ('kinetic energy held down', held)):
  log_prob = ma_keras.standard_normal_flow(bijector.refined()).log_prob(fresh[0]).numpy()
  print(
    f'{name:26s} ln p = {log_prob.mean():.3f} +- {log_prob.std() / np.sqrt(log_prob.size):.3f} nats'
  )

# %% [markdown]
# **Where to go on.** [Optimal maps](../transport.md) has maps of many dimensions, pressureless flows, and least energy within a
# bound of the loss.
