# %% [markdown]
# # A posterior from simulations
#
# You can simulate, but you would rather not write down a likelihood. Draw parameters of the prior, simulate under each, and fit
# the density of the parameters given what was simulated: at a real observation it is the posterior, for every observation
# at once. Here the simulator is so simple that its posterior is known all the same. So the result is checked three times:
# by ranks, which need nothing but new simulations, by a classifier, and by its divergence from the truth.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

import ma_keras
from ma_keras import posteriors, potentials, training

# %% [markdown]
# ## A simulator
#
# A point in the plane, normal a priori. Two instruments: one measures how far it is, the other, badly, how far to the
# right. The posterior is a part of a ring.

# %%
NOISE = np.array([0.2, 0.8])


def observables(parameters):
  """Distance from the origin, and the first coordinate, [..., 2]."""
  return np.stack([np.linalg.norm(parameters, axis=-1), parameters[..., 0]], axis=-1)


def pairs(n, rng):
  """Observations and the parameters behind them, [n, 2] each."""
  parameters = rng.normal(size=(n, 2))
  observed = observables(parameters) + NOISE * rng.normal(size=(n, 2))
  return observed.astype(np.float32), parameters.astype(np.float32)


rng = np.random.default_rng(0)
observed, parameters = pairs(10_000, rng)

# %% [markdown]
# The truth, for later: ln p(parameters | observed) by Bayes' rule, whose denominator is a sum over a fine grid.

# %%
axis = np.linspace(-4.5, 4.5, 181)
grid = np.stack(np.meshgrid(axis, axis, indexing='ij'), axis=-1)


def log_joint(parameters, observed):
  """ln p(parameters) + ln p(observed | parameters), but for a constant."""
  misfit = (observed - observables(parameters)) / NOISE
  return -0.5 * np.sum(parameters**2, axis=-1) - 0.5 * np.sum(misfit**2, axis=-1)


def log_posterior(parameters, observed):
  """ln p(parameters | observed) at one observation, exact but for the grid."""
  total = np.log(np.sum(np.exp(log_joint(grid, observed))) * (axis[1] - axis[0]) ** 2)
  return log_joint(parameters, observed) - total


# %% [markdown]
# ## The density of parameters given observations
#
# `context_size=2` makes the potential depend on two observed numbers. Pairs go to `fit` as (context, point). The rate falls to
# zero at the end: a training that stops early, at a large rate, looks well and fails the ranks.

# %%
num_steps = 8
basis = potentials.TimeBasis(time=1.0, size=4)
phi = potentials.OneHiddenLayer(2, 128, context_size=2, time_basis=basis, seed=0)
bijector = ma_keras.MongeAmpereBijector(phi, num_steps, 1 / num_steps)

model = training.ConditionalLikelihood(bijector)
epochs, batch_size = 30, 250
total_steps = epochs * len(observed) // batch_size
model.compile(training.adam(0.02, total_steps, warmup_steps=total_steps // 20))
history = model.fit((observed, parameters), batch_size=batch_size, epochs=epochs, verbose=0)
flow = model.density()

# %% [markdown]
# How far is it from the truth? The mean of ln p - ln q over new pairs is the divergence KL(posterior, flow), averaged over
# observations.

# %%
new_observed, truth = pairs(500, rng)
log_prob = flow.log_prob(truth, context=new_observed).numpy()
exact = np.array([log_posterior(one, seen) for one, seen in zip(truth, new_observed)])
loss = exact - log_prob
print(
  f'ln of the posterior at the true parameters: {exact.mean():.3f} nats; flow {log_prob.mean():.3f}'
)
print(f'KL(posterior, flow): {loss.mean():.3f} +- {loss.std(ddof=1) / np.sqrt(len(loss)):.3f} nats')

# %% [markdown]
# ## At three observations
#
# One flow has all posteriors: `flow.given(observation)` is a distribution. Shades are the truth, dots are draws of the flow.

# %%
observations = np.array([[2.0, 1.0], [2.0, -2.0], [0.5, 0.0]], np.float32)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharex=True, sharey=True, layout='constrained')
for ax, seen in zip(axes, observations):
  draws = flow.given(seen).sample(500, seed=[1, 2]).numpy()
  ax.contourf(*grid.T, np.exp(log_posterior(grid, seen)).T, levels=12, cmap='Blues')
  ax.plot(*draws.T, '.', color='0.2', markersize=2)
  title = f'distance {seen[0]:.1f}, to the right {seen[1]:.1f}'
  ax.set(title=title, aspect='equal', xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
plt.show()

# %% [markdown]
# ## Ranks
#
# If posteriors are right on average, the rank of the true parameter among draws is uniform, for every parameter. This needs no
# reference. Bars should stay within the grey band, which is two standard deviations wide in either direction.

# %%
more_observed, more_truth = pairs(1000, rng)
calibration = posteriors.calibrate(flow, more_truth, more_observed, num_draws=99)
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout='constrained')
bins = 20
expected = len(calibration.ranks) / bins
for ax, counts, name in zip(axes, calibration.histogram(bins).T, ('first', 'second')):
  ax.bar(np.arange(bins), counts, width=1, edgecolor='white')
  ax.axhspan(*(expected + s * np.sqrt(expected) for s in (-2, 2)), color='0.6', alpha=0.4)
  ax.set(title=f'ranks of the {name} parameter', xlabel='bin')
plt.show()

# %%
print('p-values of uniform ranks:', np.round(calibration.p_values(), 3))
print('passes at the level of one in a hundred:', calibration.passes())

# %% [markdown]
# ## A classifier
#
# It is trained to tell draws of the flow from draws of the true posterior, at one observation. Half of its answers are right
# if the two are alike (C2ST = 0.5); with 1 they have nothing in common.

# %%
cells = np.exp(log_posterior(grid, observations[0])).ravel()
chosen = rng.choice(cells.size, 1000, p=cells / cells.sum())
jitter = (axis[1] - axis[0]) * (rng.uniform(size=(1000, 2)) - 0.5)
reference = grid.reshape(-1, 2)[chosen] + jitter
draws = flow.given(observations[0]).sample(1000, seed=[3, 4])
c2st = posteriors.separability(reference, draws)
print(f'C2ST at the first observation: {c2st.accuracy:.3f} +- {c2st.error:.3f}')

# %% [markdown]
# **Where to go on.** [Conditional densities](../conditional.md) has encoders for observations that are not a few numbers,
# priors with bounds, tables with context columns, and Bayes' rule of classes; `posteriors.TwoMoons` and its
# companions are harder simulators whose posteriors are known.
