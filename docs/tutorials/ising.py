# %% [markdown]
# # The Ising model, with error bars
#
# Eight times eight spins at the critical temperature. The package brings a flow that was trained on the energy
# alone, without data. It gives a bound on the free energy, independent configurations, and, by their weights, exact
# averages with statistical errors. Kaufman's exact solution says how right they are.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from ma_keras import plotting, pretrained, samplers, targets, training

# %% [markdown]
# ## The target and the flow
#
# Spins are discrete, a flow is continuous. The Hubbard-Stratonovich transformation (Eq. 8 of the paper) turns the spins into
# fields x whose energy is smooth; given the fields, the spins are independent, and drawn one by one.

# %%
side = 8
target = targets.Ising(side)
bijector = pretrained.load('ising_l8').bijector
exact = target.exact_free_energy_per_site()
parameters = sum(int(tf.size(v)) for v in bijector.trainable_variables)
print(
  f'K = {target.coupling:.6f}; exact -ln Z/N = {exact:.9f}; the flow has {parameters} parameters'
)

# %% [markdown]
# ## The free energy
#
# `draw` flows latents in d steps and again in 2 d. `summarise` makes of it the variational free energy, a bound from
# above, and the reweighted one, unbiased for Z. Each has two errors: one from the number of samples, one from
# the steps.

# %%
draws = training.draw(bijector, target, num_samples=4000, batch_size=500, seed=1)
result = training.summarise(draws, exact)
print(str(result).replace('; ', '\n'))
off = result.reweighted_per_site - exact
error = np.hypot(result.reweighted_error, result.reweighted_integration_error)
print(f'the reweighted value is off by {off:+.1e}, {abs(off) / error:.1f} of its errors')

# %% [markdown]
# ## Configurations
#
# Noise flows to domains: three of the fields on their way, and the spins that are drawn of them at last.

# %%
times = np.linspace(0, bijector.horizon.time, 4)
latents = tf.random.stateless_normal([6, side**2], [3, 4])
path = bijector.trajectory(latents, times.tolist())
spins = target.sample_spins(path.states[-1], seed=5).numpy()
fields = path.states.numpy().reshape(len(times), 6, side, side)
plotting.domains(fields, path.times.numpy(), spins.reshape(6, side, side))

# %% [markdown]
# ## Averages with error bars
#
# The weight of a sample is exp(-E(x))/p(x). Weighted averages are those of the Ising model itself, whatever the flow
# gets wrong; the effective sample size above says how many samples they are worth. The list has, beside each
# reweighted value, the raw one of the flow.

# %%
observables = training.measure_observables(draws, target)
for observable in observables:
  print(observable)

# %% [markdown]
# Energy and specific heat are known exactly as well: derivatives of Kaufman's ln Z by the coupling.

# %%
known = targets.thermodynamics.exact(side, target.coupling)
estimates = {one.name: one.reweighted for one in observables}
for name, value in (('energy', known.energy), ('specific heat', known.specific_heat)):
  found = estimates[name]
  off = (found.value - value) / found.error
  print(
    f'{name}: exact {value:.6f}; the flow {found.value:.6f} +- {found.error:.0e}, {off:+.1f} errors off'
  )

# %% [markdown]
# ## Beside a Markov chain
#
# Wolff's algorithm flips clusters of spins; it is what one would take at a critical point. Its samples depend on those
# before, and the jackknife over long blocks says what their mean is worth. Those of the flow are independent. The
# two-point function G(r), by both:

# %%
chain = samplers.wolff.chain(targets.lattice.coupling_matrix(side, side, target.coupling), seed=2)
lattice = np.array([spins for spins, _ in zip(chain, range(4000))])[100:].reshape(-1, side, side)
distances = np.arange(1, side // 2 + 1)
products = [np.mean(lattice * np.roll(lattice, r, axis=2), axis=(1, 2)) for r in distances]
by_chain = [samplers.expectation(product) for product in products]
by_flow = [estimates[f'two-point function at {r}'] for r in distances]

figure, ax = plt.subplots(figsize=(6, 4), layout='constrained')
for estimates, shift, label in ((by_flow, -0.05, 'flow'), (by_chain, 0.05, "Wolff's clusters")):
  values, errors = np.transpose([(one.value, 2 * one.error) for one in estimates])
  ax.errorbar(distances + shift, values, errors, fmt='o', markersize=3, capsize=4, label=label)
ax.set(xlabel='r', ylabel='G(r), two standard errors', xticks=distances)
ax.legend()
plt.show()

# %% [markdown]
# **Where to go on.** `apps/ising_main.py --flagfile=apps/flagfiles/ising_l8_lattice.flags` trains this flow in some
# twenty minutes. [Lattice fields](../lattice.md) says how, up to L = 64 and for phi⁴ and spin glasses.
