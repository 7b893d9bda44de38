# %% [markdown]
# # From a CSV file to scores
#
# You have a table of numbers and want its density: to tell how usual a row is, to draw more rows, or to map rows
# to independent normal numbers. `MongeAmpereDensity` is a scikit-learn estimator that needs no settings. To see how
# right it is, the table here is made by a recipe whose density is known.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import ma_keras
from ma_keras import data

# %% [markdown]
# ## The file
#
# Two kinds of eruptions of a geyser, long and short ones. The wait for the next one depends on the duration by a curve, and
# the volume of water is log-normal given it. Each line of `log_density` mirrors a line of `draw`.

# %%
LONG, MEANS, SPREADS = 0.65, np.array([2.0, 4.3]), np.array([0.4, 0.6])


def usual_wait(duration):
  """Mean of the wait."""
  return 50 + 5 * duration + 12 * np.sin(2.5 * duration)


def draw(n, rng):
  """Rows of duration, wait, volume."""
  duration = rng.normal(*np.stack([MEANS, SPREADS])[:, (rng.uniform(size=n) < LONG).astype(int)])
  wait = rng.normal(usual_wait(duration), 3)
  volume = np.exp(rng.normal(0.5 * duration, 0.2))
  return np.column_stack([duration, wait, volume])


def normal(x, mean, spread):
  """ln Normal(x; mean, spread)."""
  return -0.5 * ((x - mean) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))


def log_density(rows):
  """ln p of rows, exactly."""
  duration, wait, volume = rows.T
  kinds = normal(duration[:, np.newaxis], MEANS, SPREADS) + np.log([1 - LONG, LONG])
  log_prob = np.logaddexp(*kinds.T)
  log_prob += normal(wait, usual_wait(duration), 3)
  return log_prob + normal(np.log(volume), 0.5 * duration, 0.2) - np.log(volume)


rows = draw(2500, np.random.default_rng(0))
np.savetxt(
  'geyser.csv', rows, delimiter=';', header='duration;wait;volume', comments='', fmt='%.6f'
)
with open('geyser.csv') as file:
  print(*file.readlines()[:4], sep='')

# %% [markdown]
# ## Read and fit
#
# The reader finds out encoding, separator and header by itself, and says what it understood. `load_file` sets a sixth of the
# rows aside for testing, and another for choosing among models; the estimator chooses by itself, and gets both parts. `fit` chooses a map for every column, a Gaussian or a mixture to start from, and
# trains a flow from there, which it keeps if rows that were held out gain by it.

# %%
table = data.load_file('geyser.csv', told=print)
known = np.concatenate([table.train, table.validation])
density = ma_keras.MongeAmpereDensity(max_steps=1000, n_init=1, random_state=0).fit(known)
print(
  f'start: {density.start_}; the flow gained {density.gain_:.3f} +- {density.gain_error_:.3f} nats a row'
)
for name, column in zip(table.columns, density.columns_):
  print(f'{name}: {column.kind}')

# %% [markdown]
# ## Scores
#
# `score_samples` is ln p of every row, in nats of the data as they are in the file. The mean over test rows
# falls short of the true one by the divergence KL(truth, density), which no density can make negative.

# %%
scores = density.score_samples(table.test)
truth = log_density(table.test)
loss = truth - scores
print(f'test rows: {scores.mean():.3f} nats; the true density: {truth.mean():.3f} nats')
print(f'KL(truth, density): {loss.mean():.3f} +- {loss.std(ddof=1) / np.sqrt(len(loss)):.3f} nats')

# %% [markdown]
# Whether a flow is kept is for held-out rows to say: where the gain above is 0, what it started from was good enough. With
# `base='normal'` there is no mixture, latents are independent normal numbers, and the flow has everything to do:

# %%
plain = ma_keras.MongeAmpereDensity(base='normal', max_steps=1000, n_init=1, random_state=0).fit(
  known
)
loss = truth - plain.score_samples(table.test)
print(
  f'start: {plain.start_}; the flow gained {plain.gain_:.3f} +- {plain.gain_error_:.3f} nats a row'
)
print(f'KL(truth, density): {loss.mean():.3f} +- {loss.std(ddof=1) / np.sqrt(len(loss)):.3f} nats')

# %% [markdown]
# The scores of the first density beside the truth, and its samples beside the rows:

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout='constrained')
left.plot(truth, scores, '.', markersize=3)
left.axline((truth.mean(), truth.mean()), slope=1, color='0.5', linewidth=0.8)
left.set(xlabel='true ln p / nats', ylabel='score / nats')
samples = density.sample(2000, random_state=1)
right.plot(*rows[:, :2].T, '.', markersize=3, label='rows of the file')
right.plot(*samples[:, :2].T, '.', markersize=3, label='samples')
right.set(xlabel='duration', ylabel='wait')
right.legend()
plt.show()

# %% [markdown]
# ## What the scores are good for
#
# A row may be unusual although each of its numbers is usual: a wait that does not go with the duration, say. The
# share of samples that are less likely than a row is its p-value.

# %%
strange = np.array([[4.3, 60.0, 8.6], [4.3, 80.0, 8.6], [3.1, 75.0, 4.7]])
reference = density.score_samples(samples)
for row, score in zip(strange, density.score_samples(strange)):
  print(f'{row}: ln p = {score:7.2f}, less likely samples: {np.mean(reference < score):.1%}')

# %% [markdown]
# ## Keep it
#
# The file holds weights, maps and names of columns, and no code. The commands of the package take it, too:
# `ma-keras score --model=geyser.npz --input=new.csv`.

# %%
density.save('geyser.npz')
again = ma_keras.load('geyser.npz').flow()
difference = again.log_prob(tf.constant(table.test, again.dtype)).numpy() - scores
print(f'scores of the loaded model differ by {np.abs(difference).max():.1e} nats at most')

# %% [markdown]
# **Where to go on.** [Tables](../tables.md) lists what files are read, [density estimation](../density.md) how maps and
# steps are chosen, [conditional densities](../conditional.md) how to have some columns given others.
