# %% [markdown]
# # Handwritten digits from pretrained weights
#
# A flow of MNIST comes with the package, 1.6 MB. It draws images, scores them, and takes them to latents and back.
# Nothing is trained here, and nothing downloaded.

# %%
# %matplotlib inline
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from ma_keras import plotting, pretrained

# %% [markdown]
# ## The model and its card
#
# Every model has a card; its notes hold the figures of merit as numbers. The density is that of images [28, 28, 1] with
# values in [0, 256): pixels with uniform noise added, so that whole numbers have a density.

# %%
model = pretrained.load('mnist')
print(pretrained.card('mnist').split('- **Training')[0])
notes = model.notes
print(
  f'test images: {notes["nll"]:.2f} +- {notes["point_error"]:.2f} nats, '
  f'{notes["bits_per_dimension"]:.4f} bits per dimension'
)

# %% [markdown]
# The file keeps as many steps as single log densities need. Samples and averages are as good in a quarter of them, so
# this page takes 24. The certificate says what that costs: how log densities change when the steps are halved.

# %%
bijector = model.bijector
coarse = bijector.copy(num_steps=24, step_size=bijector.horizon.time / 24)
flow = dataclasses.replace(model, bijector=coarse).flow()

latents = tf.random.stateless_normal([36, 784], [0, 1])
certificate = coarse.certificate(latents[:16])
print(
  f'{bijector.horizon.num_steps} steps in the file; in 24 ln p changes by {certificate.mean:+.2f} '
  f'+- {certificate.standard_error:.2f} nats on average of some {notes["nll"]:.0f}'
)

# %% [markdown]
# ## Samples
#
# `sample` draws latents and lets them flow. Some samples are strokes that make no digit: the card says so.

# %%
images = flow.sample(36, seed=tf.constant([1, 2]))
plotting.gallery(images.numpy())

# %% [markdown]
# ## From noise to digits
#
# `trajectory` stops the fluid at chosen times. Rows are moments, columns are samples; each row is scaled by itself, for
# it is in logit space that the flow moves.

# %%
times = np.linspace(0, coarse.horizon.time, 7)
path = coarse.trajectory(latents[:10], times.tolist())
plotting.flowing(path.states.numpy().reshape(len(times), 10, 28, 28, 1), path.times.numpy())

# %% [markdown]
# ## Scores
#
# ln p falls when an image is changed into what is no digit. Mirrored, it is still made of strokes; shuffled, it has the
# same pixels and no shape. These are densities of pixels; the figure of merit above is in logit space, where papers compare,
# and differs by the log-determinant of the logit.

# %%
pictures = images.numpy()
shuffled = np.random.default_rng(0).permuted(pictures.reshape(36, 784), axis=1)
changed = {
  'as drawn': pictures,
  'mirrored': pictures[:, :, ::-1],
  'shifted by four pixels': np.roll(pictures, 4, axis=2),
  'shuffled': shuffled.reshape(pictures.shape),
}
scores = {name: flow.log_prob(x).numpy() for name, x in changed.items()}
for name, values in scores.items():
  error = values.std(ddof=1) / np.sqrt(len(values))
  print(f'{name:24s} ln p = {values.mean():8.0f} +- {error:.0f} nats')

# %% [markdown]
# ## Between two images
#
# The flow is a bijection, so every image has latents, and what lies between two latents is an image, too. For latents
# of a normal distribution the way goes along a circle, which keeps their length.

# %%
space = flow.bijector
ends = space.inverse(tf.identity(images[:8]))
first, last = ends[:4], ends[4:]
angles = np.linspace(0, np.pi / 2, 8)
between = [space.forward(np.cos(angle) * first + np.sin(angle) * last).numpy() for angle in angles]

figure, axes = plt.subplots(4, len(angles), figsize=(8, 4.2), layout='constrained')
for column, pictures in enumerate(between):
  for row, picture in enumerate(pictures):
    axes[row, column].imshow(picture[..., 0], cmap='gray', vmin=0, vmax=255)
    axes[row, column].set(xticks=[], yticks=[])
plt.show()

# %%
restored = np.abs(between[0] - images[:4].numpy()).max()
print(f'the first column is the images again, to {restored:.2g} of 256 grey levels')

# %% [markdown]
# **Where to go on.** `apps/mnist_main.py --flagfile=apps/flagfiles/mnist_best.flags` trains this model in an hour on two
# cores; `mnist_quick.flags` is a smaller one. [Density estimation](../density.md) says how pixels become R^N,
# [pictures](../pictures.md) how to train on your own.
