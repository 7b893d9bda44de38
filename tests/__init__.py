"""Theorems about ma_keras, with their ground truths."""

import gc
import os

# Three processes on two cores, matrices of three rows: threads of BLAS and OpenMP would wait for
# one another far longer than they work.
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
  os.environ.setdefault(name, '1')

# A trace makes objects by the hundred thousand, most of which live on: looking through them again
# and again took up to an eighth of the time. tests/conftest.py collects after every file.
gc.set_threshold(200_000, 50, 1000)
