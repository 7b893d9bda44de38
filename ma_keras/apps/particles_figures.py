"""The figures of apps/particles_main.py."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from absl import logging

from ma_keras import plotting, targets, training
from ma_keras.apps.particles_reference import Reference

MOST = 2000  # Samples whose distances are drawn.
STRUCTURES = 6


def energies(target: targets.Particles, positions: np.ndarray) -> np.ndarray:
  """E of positions [n, N], float64 [n]."""
  parts = np.array_split(positions, max(1, len(positions) // 1000))
  values = [target.energy(tf.constant(part, target.dtype)).numpy() for part in parts]
  return np.concatenate(values).astype(np.float64)


def distances(target: targets.Particles, positions: np.ndarray) -> np.ndarray:
  """Distances of all pairs in MOST of the positions [n, N] at most, evenly chosen."""
  chosen = positions[np.linspace(0, len(positions) - 1, min(MOST, len(positions))).astype(int)]
  return target.distances(tf.constant(chosen, target.dtype)).numpy().ravel()


def save(
  run: training.RunDirectory,
  target: targets.Particles,
  draws: training.Draws,
  reference: Reference | None,
) -> None:
  """Writes histograms beside the chains', the course of the training if any, and structures."""
  samples, pairing = draws.fine.values, target.pairing
  sources = {'flow': samples}
  if reference:
    sources['chains'] = reference.positions.reshape(-1, samples.shape[-1])
  try:
    metrics = run.read_metrics()
    figures = {
      'histograms': plotting.cluster_histograms(
        {name: distances(target, x) for name, x in sources.items()},
        {name: energies(target, x) for name, x in sources.items()},
      ),
      'structures': plotting.structures(
        pairing.wrapped(samples[:STRUCTURES]).reshape(-1, pairing.particles, pairing.dimensions)
      ),
    }
    if metrics:
      figures['training'] = plotting.cluster_training(
        metrics['epoch'], metrics['loss'], metrics.get('effective_sample_size')
      )
  except ImportError:
    logging.warning("No figure: matplotlib is missing. pip install -e '.[plot]'")
    return
  for name, figure in figures.items():
    plotting.save(figure, run.figure(name))
    print(f'Figure: {run.figure(name)}')
