"""Training of a table's flow: what is kept, and what is said when it fails."""

import numpy as np

from ma_keras import fitting
from ma_keras.data import columns
from ma_keras.fitting import flow

ROWS = np.random.default_rng(0).normal(size=(150, 2))


def test_a_training_that_diverges_keeps_the_start_and_says_so():
  settings = fitting.Settings(
    hidden_units=16,
    num_steps=2,
    batch_size=60,
    steps=40,
    steps_per_epoch=10,
    learning_rate=1e30,
    gradient_clip=0.0,
    stiffness_weight=0.0,
  )
  start = fitting.Start.fitted(ROWS, columns.survey(ROWS))
  fit = flow.trained(start, ROWS[:120], ROWS[120:], settings)
  assert 'no longer finite' in fit.doubts and 'learning_rate' in fit.doubts
  assert fit.gain == 0.0 and not np.any(fit.bijector.potential.amplitude)
