"""Theorems about ma_keras, with their ground truths."""

import os

# Two processes on two cores, and matrices of three rows: threads of BLAS and OpenMP would wait for
# one another far longer than they work.
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
  os.environ.setdefault(name, '1')
