# %% [markdown]
# # Export and serving
#
# A trained flow leaves Python as a SavedModel. It runs where TensorFlow is, without ma_keras, Keras or
# TensorFlow Probability, and it can be asked over HTTP. This page trains a small flow, exports it, serves it on this machine,
# and checks that all three give the same numbers.

# %%
# %matplotlib inline
import json
import pathlib
import tempfile
import urllib.error
import urllib.request

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import make_moons

import ma_keras
from ma_keras import data, export, potentials, serving, training

tf.get_logger().setLevel('ERROR')  # Of files that are written TensorFlow says nothing.

# %% [markdown]
# ## A flow to serve
#
# Two moons, in units of their own: the preprocessing `Standardised` is part of the density, so that clients send points as
# they are.

# %%
points, _ = make_moons(4000, noise=0.1, random_state=0)
points = (100 * points + [200, 50]).astype(np.float32)  # Millimetres, say.
scaled = data.Standardised(points.mean(axis=0).tolist(), points.std(axis=0).tolist())

basis = potentials.TimeBasis(2.0, 6)
phi = potentials.OneHiddenLayer(2, 128, time_basis=basis, seed=0)
bijector = ma_keras.MongeAmpereBijector(phi, num_steps=16, step_size=1 / 8)
model = training.MaximumLikelihood(bijector, preprocessing=scaled)
model.compile(training.adam(0.02, total_steps=480, warmup_steps=40))
model.fit(points, batch_size=250, epochs=30, verbose=0)
flow = model.density()
print(f'ln p = {flow.log_prob(points).numpy().mean():.3f} nats, in units of the data')

# %% [markdown]
# ## Export
#
# The folder has a number, as servers want it: the version. `sample`, `log_prob`, `score` (the gradient of ln p), `forward` and
# `inverse` go with it.

# %%
folder = pathlib.Path(tempfile.mkdtemp()) / 'moons'
export.save(flow, folder / '1')
size = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
print(f'{size / 1000:.0f} kB')

# %% [markdown]
# On a machine with TensorFlow alone:

# %%
module = tf.saved_model.load(str(folder / '1'))
drawn = module.sample(seed=tf.constant([1, 2]), n=tf.constant(2000))
x = drawn['x']
difference = np.abs(module.log_prob(x)['log_prob'] - flow.log_prob(tf.identity(x))).max()
print(f'SavedModel and flow differ by {difference:.1e} nats at most')

# %% [markdown]
# ## Serve
#
# `ma-keras serve --saved_model=moons --name=moons` is the command; here the same server runs in a thread, on a free port.
# It speaks TensorFlow Serving's REST interface, and the Open Inference Protocol.

# %%


def ask(address, request):
  """The answer of the server to a request, both JSON."""
  with urllib.request.urlopen(address, json.dumps(request).encode()) as response:
    return json.load(response)


with serving.Server(folder, 'moons', port=0) as server:
  with urllib.request.urlopen(server.url) as response:
    print(json.load(response))

  address = f'{server.url}:predict'
  served = ask(address, {'instances': x[:500].numpy().tolist()})['predictions']
  request = {'signature_name': 'sample', 'inputs': {'seed': [3, 4], 'n': 1000}}
  samples = np.array(ask(address, request)['outputs']['x'])

  axis = np.linspace(-1, 1, 81)
  grid = np.stack(np.meshgrid(250 + 200 * axis, 75 + 120 * axis), axis=-1)
  request = {'signature_name': 'score', 'instances': grid[::5, ::5].reshape(-1, 2).tolist()}
  arrows = np.array(ask(address, request)['predictions'])
  log_prob = np.array(ask(address, {'instances': grid.reshape(-1, 2).tolist()})['predictions'])

difference = np.abs(served - module.log_prob(x[:500])['log_prob']).max()
print(f'server and SavedModel differ by {difference:.1e} nats at most')

# %% [markdown]
# All that the picture shows has come over HTTP: the density, samples, and the score as arrows, which point uphill.

# %%
figure, ax = plt.subplots(figsize=(7.5, 4.6), layout='constrained')
ax.contourf(grid[..., 0], grid[..., 1], np.exp(log_prob).reshape(81, 81), levels=12, cmap='Blues')
ax.plot(*samples.T, '.', color='0.2', markersize=1.5)
lengths = np.linalg.norm(arrows, axis=-1, keepdims=True)
ax.quiver(*grid[::5, ::5].reshape(-1, 2).T, *(arrows / lengths).T, color='tab:red', scale=45)
ax.set(xlabel='mm', ylabel='mm', xlim=(50, 450), ylim=(-45, 195))
plt.show()

# %% [markdown]
# ## Wrong requests
#
# A server meets them daily. Each gets a status and one sentence, a bad row fails its own request alone, and nothing is
# answered by nothing.

# %%
with serving.Server(folder, 'moons', port=0) as server:
  for instances in ([[1.0, 2.0, 3.0]], [['a', 'b']], []):
    try:
      print(ask(f'{server.url}:predict', {'instances': instances}))
    except urllib.error.HTTPError as error:
      print(error.code, json.load(error)['error'])

# %% [markdown]
# **Where to go on.** [Serving](../serving.md) has versions, limits, metrics, raw bytes, and how fast it is. `ma-keras export` makes
# the folder of any model file.
