"""Bayes' rule of a class-conditional density: accuracy, calibration, and a score of novelty.

  ma-keras train density --flagfile=apps/flagfiles/mnist_quick.flags --context_columns=label
  python benchmarks/classification.py --model=runs/mnist_quick/model.npz --output=classes.json

One temperature, of validation images, is what calibrates. Novelty is told by ln p(x) of any class,
and by its ratio to the unconditional model of --background: the share of pairs, an image of
--novel and a test image, that they put in the right order (0.5 is chance). Bayes' rule is that of
the mean over --draws of noise u of ln p(x + u | class); scores of novelty are those of the first.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags
from sklearn.metrics import roc_auc_score

import ma_keras
from ma_keras import data, posteriors

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'Class-conditional model.', required=True)
flags.DEFINE_string('dataset', 'mnist', 'Its images.')
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('points', 0, 'Test images; 0: all.', lower_bound=0)
flags.DEFINE_integer('draws', 1, 'Draws of dequantisation noise an image.', lower_bound=1)
flags.DEFINE_integer('held_out', 500, 'Validation images for the temperature.', lower_bound=10)
flags.DEFINE_integer('batch_size', 100, 'Images flowed at once.', lower_bound=1)
flags.DEFINE_string('novel', None, 'Images of another kind.')
flags.DEFINE_string('background', None, 'Unconditional model, for likelihood ratios.')
flags.DEFINE_integer('threads', 1, 'Threads.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def images(rows: np.ndarray, shape: tuple[int, ...], seed: int) -> np.ndarray:
  """Dequantised pixels [n, h, w, c]."""
  return data.dequantised(rows, seed).reshape(-1, *shape)


def classified(model: Any, x: np.ndarray) -> posteriors.Classification:
  """Under every class that the model knows."""
  codes = np.arange(model.contexts[0].size, dtype=np.float64)[:, np.newaxis]
  return posteriors.classify(model.flow(), x, codes, batch_size=FLAGS.batch_size)


def by_draws(
  model: Any, rows: np.ndarray, shape: tuple[int, ...], seeds: range
) -> list[posteriors.Classification]:
  """The same images with the noise of every seed."""
  return [classified(model, images(rows, shape, seed)) for seed in seeds]


def summary(classification: posteriors.Classification, labels: np.ndarray) -> dict[str, float]:
  """Figures of merit of a classification."""
  accuracy, error = classification.accuracy(labels)
  return {
    'accuracy': accuracy,
    'accuracy_error': error,
    'cross_entropy': classification.cross_entropy(labels),
    'calibration_error': classification.calibration_error(labels),
    'temperature': classification.temperature,
  }


def order(novel: np.ndarray, known: np.ndarray) -> float:
  """Share of pairs in which the novel one has the larger score (area under the ROC curve)."""
  return float(roc_auc_score(np.repeat([1, 0], [len(novel), len(known)]), np.append(novel, known)))


def background(x: np.ndarray) -> np.ndarray:
  """ln p(x) under --background, [n]."""
  flow = ma_keras.load(FLAGS.background).flow()
  log_prob = tf.function(flow.log_prob, autograph=False, reduce_retracing=True)
  parts = range(0, len(x), FLAGS.batch_size)
  return np.concatenate([log_prob(x[k : k + FLAGS.batch_size]).numpy() for k in parts])


def main(_: list[str]) -> None:
  """Prints and writes what is measured."""
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  model: Any = ma_keras.load(FLAGS.model)
  points = data.load(FLAGS.dataset, FLAGS.data_dir, labelled=True)
  codes, rows = points.parts(points.test[: FLAGS.points or None])
  held_codes, held_rows = points.parts(points.validation[: FLAGS.held_out])
  busy = time.process_time()
  labels, x = codes[:, 0].astype(int), images(rows, points.event_shape, 0)
  noise, held_noise = range(0, 3 * FLAGS.draws, 3), range(1, 3 * FLAGS.draws, 3)
  each = by_draws(model, rows, points.event_shape, noise)
  test = posteriors.over_draws(each)
  held_out = posteriors.over_draws(by_draws(model, held_rows, points.event_shape, held_noise))
  temperature = held_out.calibrated(held_codes[:, 0].astype(int)).temperature
  results: dict[str, Any] = {
    'images': len(x),
    'by Bayes': summary(test, labels),
    'by Bayes, one draw of noise': summary(each[0], labels),
    'at one temperature': summary(dataclasses.replace(test, temperature=temperature), labels),
    'cpu_seconds': time.process_time() - busy,
  }
  if FLAGS.novel:
    other = data.load(FLAGS.novel, FLAGS.data_dir).test[: len(x)]
    z = images(other, points.event_shape, 2)
    novel = classified(model, z)
    results['novel by -ln p'] = order(-novel.log_evidence, -each[0].log_evidence)
    if FLAGS.background:
      scores = (novel.novelty(background(z)), each[0].novelty(background(x)))
      results['novel by ratio'] = order(*scores)
  print(results)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
