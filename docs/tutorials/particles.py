# %% [markdown]
# # Four particles in the plane
#
# DW4: four particles, and a double well between every two of them. It is the smallest benchmark of samplers of
# molecules: many shapes, permutations, rotations. The package brings a flow of it with all symmetries built in. Here it
# is sampled, reweighted, and held against Hamiltonian Monte Carlo.

# %%
# %matplotlib inline
import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import plotting, pretrained, samplers, targets, training

tf.get_logger().setLevel('ERROR')  # TFP casts a number, and TensorFlow says so.

# %% [markdown]
# ## The target
#
# The energy is 0.9 (d - 4)⁴ - 4 (d - 4)², summed over the six pairs, in units of kT. It does not know where the centre of
# mass is, so ln Z and all densities are those of the subspace where it is at the origin.

# %%
target = targets.DoubleWells()
model = pretrained.load('dw4')
print(f'{model.base.particles} particles, {target.degrees_of_freedom} degrees of freedom')
print(pretrained.card('dw4').split('- **Training')[0])

# %% [markdown]
# ## Samples and their weights
#
# Every sample has its log density, hence its weight exp(-E)/p. The mean weight is Z. Some draws stray to high energies and weigh
# nothing there; never take the mean energy of draws as they are.

# %%
draws = training.draw(
  model.bijector, target, num_samples=4000, batch_size=1000, seed=1, base=model.base
)
log_weights = -draws.fine.free_energies
estimate = samplers.estimate(log_weights)
positions = draws.fine.values
print(f'effective sample size: {estimate.effective_sample_size:.1%} of {estimate.num_samples}')
print(f'ln Z = {-estimate.negative_log_partition:.3f} +- {estimate.standard_error:.3f}')
print('doubts:', estimate.doubts() or 'none')

# %%
energies = target.energy(positions).numpy().astype(np.float64)
mean = samplers.expectation(energies, log_weights)
print(
  f'mean energy: {mean.value:.3f} +- {mean.error:.3f} kT, reweighted; {energies.mean():.1f} kT as drawn'
)

# %% [markdown]
# What they look like:

# %%
plotting.structures(positions[:6].reshape(-1, 4, 2))

# %% [markdown]
# ## Chains to hold them against
#
# Hamiltonian Monte Carlo, many chains side by side, in coordinates of the mean-free subspace. Chains begin at samples of an
# annealing from a wide normal distribution, which has an ln Z of its own. `doubts` would name chains that
# have not met.

# %%
within = targets.MeanFreeCoordinates(target)
start = ma_keras.bases.StandardNormal(within.event_size)
wide = samplers.Path(within.energy, start)
annealed = samplers.annealed_importance(wide, num_samples=1000, num_temperatures=300, seed=1)
schedule = samplers.Schedule(num_samples=200, burn_in=200, thinning=5)
chains = samplers.hamiltonian_chains(within.energy, annealed.resampled(64), schedule, seed=1)
chain_positions = within.positions(chains.samples).numpy()
chain_mean = chains.mean()
other = annealed.estimate
print(f'ln Z by annealing: {-other.negative_log_partition:.3f} +- {other.standard_error:.3f}')
print(f'mean energy of the chains: {chain_mean.value:.3f} +- {chain_mean.error:.3f} kT')
print(f'split R-hat {chains.split_r_hat:.3f}; doubts: {chains.doubts() or "none"}')

# %% [markdown]
# The difference of both means, in errors of the difference, tells whether flow and chains agree:

# %%
off = mean.value - chain_mean.value
error = np.hypot(mean.error, chain_mean.error)
print(f'energies differ by {off:+.3f} +- {error:.3f} kT')
gap = other.negative_log_partition - estimate.negative_log_partition
error = np.hypot(estimate.standard_error, other.standard_error)
print(f'ln Z differs by {gap:+.3f} +- {error:.3f}')

# %% [markdown]
# ## Distances and energies
#
# Weights make of the draws a sample of the target: each is taken as often as it weighs.

# %%
weights = np.exp(log_weights - log_weights.max())
chosen = np.random.default_rng(0).choice(len(weights), len(weights), p=weights / weights.sum())
plotting.cluster_histograms(
  {
    'chains': target.distances(chain_positions),
    'flow, reweighted': target.distances(positions[chosen]),
    'flow as it is': target.distances(positions),
  },
  {'chains': chains.energies, 'flow, reweighted': energies[chosen], 'flow as it is': energies},
)

# %% [markdown]
# ## Nothing depends on the frame
#
# The potential is a function of distances. So the density of a cluster that was turned, mirrored and relabelled is
# that of the cluster, to rounding.

# %%
flow = model.latent_flow()
x = positions[:100]
angle = 0.7
turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
moved = x.reshape(-1, 4, 2)[:, [2, 0, 3, 1]] @ turn * [1, -1]
moved = moved.reshape(-1, 8).astype(np.float32)
change = flow.log_prob(moved) - flow.log_prob(tf.constant(x))
print(f'ln p changes by {np.abs(change).max():.1e} at most')

# %% [markdown]
# **Where to go on.** [Particles](../particles.md) has several species, periodic boxes and training;
# `ma-keras train particles --flagfile=apps/flagfiles/dw4.flags` makes this flow.
