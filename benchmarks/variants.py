"""What each variant of a flow is worth at equal time: one thing changed, with seeds.

  python benchmarks/variants.py --only=moons,digits,components --output=variants.json
  python benchmarks/variants.py --only=mnist --seconds=100 --batch_size=128 --learning_rate=0.01 \
    --variants='plain,flow matching first,flow matching alone' --output=variants_mnist.json

Every training has the same processor seconds, counted from the end of its first ten steps (what is
compiled before is free), and a rate that falls to zero as a half cosine of them. The plain flow is
a hidden layer whose amplitudes are polynomials of time, with patches and pixels beside it on MNIST.
`segments` are three flows in a row, of a third of the time and the steps each; `batch
normalisation` is the same with normalisations between. Trainings that are in --output already are
not run again: the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import report
import sklearn.datasets
import sklearn.decomposition
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import data, distributions, potentials, training

FLAGS = flags.FLAGS
flags.DEFINE_list('only', None, 'Which data sets; all by default.')
flags.DEFINE_list('variants', None, 'Which variants; all by default.')
flags.DEFINE_integer('seeds', 3, 'Trainings of each variant.', lower_bound=1)
flags.DEFINE_float('seconds', 30.0, 'Processor seconds of a training.', lower_bound=1.0)
flags.DEFINE_float('learning_rate', 0.02, 'Peak rate of Adam.')
flags.DEFINE_integer('batch_size', 256, 'B.', lower_bound=8)
flags.DEFINE_string('data_dir', None, 'Where tfds keeps MNIST.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

STEPS_AT_ONCE = 10  # Between two looks at the clock.
WARM_UP = 0.05  # Of the seconds.
SEGMENTS = 3
FINER = 4  # Test densities are of so many times the steps of training.
COMPONENTS = 16
Layers = Callable[[Any, int], potentials.Potential]


class Problem(NamedTuple):
  """Data, and the sizes of all flows of them.

  Attributes:
    train: Rows y of the flow's space, [n, N], with fresh noise at every call of a generator.
    test: Rows of it, [m, N].
    layers: Potential of (functions of time, seed).
    size: Functions of time.
    horizon: T.
    num_steps: Of all segments together.
    stiffness: Weight of the solver's error.
  """

  train: Callable[[np.random.Generator], np.ndarray]
  test: np.ndarray
  layers: Layers
  size: int
  horizon: float
  num_steps: int
  stiffness: float


def dense(event_size: int) -> Layers:
  """The paper's potential."""
  return lambda basis, seed: potentials.OneHiddenLayer(event_size, 128, seed=seed, time_basis=basis)


def of_images(basis: Any, seed: int) -> potentials.Potential:
  """The potential of mnist_quick.flags."""
  return potentials.Sum(
    [
      potentials.OneHiddenLayer(784, 64, seed=seed, time_basis=basis),
      potentials.Separable(784, 5, spread=6.0, steepness=3.0, seed=seed, time_basis=basis),
      potentials.LocallyConnected((28, 28, 1), 8, 4, 32, seed=seed, time_basis=basis),
    ]
  )


def moons() -> Problem:
  """Two moons with noise 0.1, standardised; as many rows as a density needs to be learnt."""

  def points(n: int, seed: int) -> np.ndarray:
    return sklearn.datasets.make_moons(n, noise=0.1, random_state=seed)[0]

  rows = points(20_000, 0)
  mean, deviation = rows.mean(axis=0), rows.std(axis=0)
  rows, test = ((x - mean) / deviation for x in (rows, points(10_000, 1)))
  return Problem(lambda rng: rows, test, dense(2), 6, 2.0, 18, 0.3)


def digits() -> Problem:
  """The 8 x 8 pixels of scikit-learn's digits, in logit space."""
  train, test = logits(data.load('digits'), margin=0.05)
  return Problem(train, test, dense(64), 3, 2.0, 12, 0.3)


def mnist() -> Problem:
  """MNIST in logit space, 2,000 of its test images."""
  train, test = logits(data.load('mnist', data_dir=FLAGS.data_dir), margin=1e-6)
  return Problem(train, test[:2000], of_images, 3, 10.0, 6, 0.5)


def components() -> Problem:
  """The sixteen leading principal components of MNIST's pixels, standardised: a table."""
  images = data.load('mnist', data_dir=FLAGS.data_dir)
  analysis = sklearn.decomposition.PCA(COMPONENTS, whiten=True, random_state=0)
  train = analysis.fit_transform(images.train[:].astype(np.float64))
  test = analysis.transform(images.test[:].astype(np.float64))
  return Problem(lambda rng: train, test, dense(COMPONENTS), 6, 2.0, 18, 0.3)


def logits(
  images: data.Dataset, margin: float
) -> tuple[Callable[[np.random.Generator], np.ndarray], np.ndarray]:
  """Dequantised images in logit space: training ones with noise of a generator, and test ones."""
  pixels = data.Pixels(images.levels or 256, margin=margin, dtype=tf.float64)

  def latent(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return pixels.inverse(rows + rng.random(rows.shape)).numpy()

  return lambda rng: latent(images.train, rng), latent(images.test, np.random.default_rng(1))


PROBLEMS = {'moons': moons, 'digits': digits, 'components': components, 'mnist': mnist}
Basis = Callable[[float, int, int], Any]


def series(horizon: float, size: int, seed: int) -> potentials.TimeBasis:
  """Polynomials of time."""
  del seed
  return potentials.TimeBasis(horizon, size)


def network(horizon: float, size: int, seed: int) -> potentials.HyperNetwork:
  """A network of time."""
  return potentials.HyperNetwork(horizon, size, seed=seed)


def equation(horizon: float, size: int, seed: int) -> potentials.ParameterODE:
  """The solution of a learnt differential equation."""
  return potentials.ParameterODE(horizon, size, seed=seed)


def flow(problem: Problem, seed: int, basis: Basis = series, parts: int = 1) -> Any:
  """A flow of the N-th part of the time and the steps."""
  horizon, steps = problem.horizon / parts, problem.num_steps // parts
  potential = problem.layers(basis(horizon, problem.size, seed), seed)
  return ma_keras.MongeAmpereBijector(potential, steps, horizon / steps)


def chain(problem: Problem, seed: int, normalised: bool) -> Any:
  """Three flows in a row."""
  flows = [flow(problem, 10 * seed + k, parts=SEGMENTS) for k in range(SEGMENTS)]
  if not normalised:
    return tfp.bijectors.Chain(flows)
  size = problem.test.shape[-1]
  between = [distributions.BatchNormalisation(size) for _ in flows[1:]]
  parts = [part for pair in zip(flows, between) for part in pair]
  return tfp.bijectors.Chain([*parts, flows[-1]])


class Variant(NamedTuple):
  """A flow of (problem, seed), and the share of the time that goes into matching its velocity."""

  make: Callable[[Problem, int], Any]
  matching: float = 0.0


VARIANTS = {
  'plain': Variant(flow),
  'hyper-network': Variant(lambda problem, seed: flow(problem, seed, network)),
  'parameter ODE': Variant(lambda problem, seed: flow(problem, seed, equation)),
  'segments': Variant(lambda problem, seed: chain(problem, seed, normalised=False)),
  'batch normalisation': Variant(lambda problem, seed: chain(problem, seed, normalised=True)),
  'flow matching first': Variant(flow, 0.25),
  'flow matching alone': Variant(flow, 1.0),
}


class Clock(tf_keras.callbacks.Callback):
  """Sets the rate by the processor time, and ends the training when it is over."""

  def __init__(self, seconds: float, first: float, last: float) -> None:
    """Takes the part [first, last] of the cosine that falls into these seconds."""
    super().__init__()
    self.seconds, self.first, self.last = seconds, first, last
    self.steps, self.spent = 0, 0.0
    self._start: float | None = None

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Looks at the clock."""
    del batch, logs
    now = time.process_time()
    self._start = self._start or now  # After the first call, which has compiled the step.
    self.steps += STEPS_AT_ONCE
    self.spent = now - self._start
    part = self.first + (self.last - self.first) * min(self.spent / self.seconds, 1.0)
    rate = FLAGS.learning_rate * min(part / WARM_UP, 0.5 * (1 + np.cos(np.pi * part)))
    self.model.optimizer.learning_rate.assign(rate)
    if self.spent >= self.seconds:
      self.model.stop_training = True


def batches(problem: Problem, seed: int, pairs: bool) -> Iterator[Any]:
  """Batches of rows without end, or of pairs with normal points."""
  rng = np.random.default_rng([seed, 2])
  while True:
    rows = problem.train(rng).astype(np.float32)
    order = rng.permutation(len(rows))
    for k in range(0, len(rows) - FLAGS.batch_size + 1, FLAGS.batch_size):
      x = rows[order[k : k + FLAGS.batch_size]]
      yield (rng.normal(size=x.shape).astype(np.float32), x) if pairs else x


def fit(model: Any, problem: Problem, seed: int, first: float, last: float) -> Clock:
  """Trains by that part of the schedule."""
  pairs = isinstance(model, training.FlowMatching)
  row = tf.TensorSpec([FLAGS.batch_size, problem.test.shape[-1]], tf.float32)
  stream = tf.data.Dataset.from_generator(
    lambda: batches(problem, seed, pairs), output_signature=(row, row) if pairs else row
  )
  model.compile(
    tf_keras.optimizers.Adam(FLAGS.learning_rate * 1e-3, global_clipnorm=1.0),
    jit_compile=True,
    steps_per_execution=STEPS_AT_ONCE,
  )
  clock = Clock(FLAGS.seconds * (last - first), first, last)
  model.fit(stream.prefetch(2), epochs=1, steps_per_epoch=10**6, verbose=0, callbacks=[clock])
  return clock


def trained(problem: Problem, variant: Variant, seed: int) -> dict[str, Any]:
  """Test nats, their errors, and what the training took."""
  tf_keras.utils.set_random_seed(seed)
  bijector, busy = variant.make(problem, seed), time.process_time()
  penalties = {'stiffness': problem.stiffness}
  model = training.MaximumLikelihood(bijector, seed=seed, penalties=penalties)
  steps = {'matching_steps': 0, 'steps': 0}
  if variant.matching:
    matching = training.FlowMatching(bijector, seed=seed)
    steps['matching_steps'] = fit(matching, problem, seed, 0.0, variant.matching).steps
  if variant.matching < 1:
    steps['steps'] = fit(model, problem, seed, variant.matching, 1.0).steps
  density = model.density()
  test = tf.constant(problem.test, tf.float32)
  finer = density.copy(bijector=density.bijector.in_equal_steps(FINER))
  coarse, fine = (-one.log_prob(test).numpy().astype(np.float64) for one in (density, finer))
  return {
    'nats': float(np.mean(fine)),
    'point_error': float(np.std(fine, ddof=1) / np.sqrt(len(fine))),
    'nats_at_trained_steps': float(np.mean(coarse)),
    **steps,
    'parameters': int(sum(np.prod(v.shape) for v in model.trainable_variables)),
    'cpu_seconds_in_all': time.process_time() - busy,
  }


def earlier() -> dict[str, dict[str, dict[str, Any]]]:
  """Trainings of --output, by problem, variant and seed."""
  path = pathlib.Path(FLAGS.output or '')
  return json.loads(path.read_text())['results'] if path.is_file() else {}


def main(_: list[str]) -> None:
  """Prints and writes a row a training, seed by seed."""
  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)
  results = earlier()
  for seed in range(FLAGS.seeds):
    for name in FLAGS.only or PROBLEMS:
      problem = PROBLEMS[name]()
      for variant in FLAGS.variants or VARIANTS:
        rows = results.setdefault(name, {}).setdefault(variant, {})
        if str(seed) in rows:
          continue
        rows[str(seed)] = row = trained(problem, VARIANTS[variant], seed)
        print(name, variant, seed, json.dumps(row), flush=True)
        report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
