"""Markov chains for the critical Ising model: how long each remembers, per step and per second.

  python benchmarks/chains.py --model=runs/ising_l16_best/model.npz --output=chains.json

Autocorrelation times of m and |m|: HMC on the fields, HMC on the latents of a trained flow,
independence Metropolis with its samples, and Wolff's clusters. Steps of one are not steps of the
other: compare gradients, or seconds, per independent sample.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

import ma_keras
from ma_keras import samplers, targets

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'model.npz of a run of apps/ising_main.py.', required=True)
flags.DEFINE_integer('chains', 32, 'Chains side by side.', lower_bound=2)
flags.DEFINE_integer('steps', 400, 'Steps of the chains that use the flow.', lower_bound=10)
flags.DEFINE_integer('physical_steps', 5000, 'Steps of HMC on the fields.', lower_bound=10)
flags.DEFINE_integer('wolff_steps', 4000, 'Cluster flips of one chain.', lower_bound=10)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
  """The result of the second call and its seconds: the first one compiles."""
  work()
  start = time.perf_counter()
  found = work()
  return found, time.perf_counter() - start


def along(kernel: Any, start: tf.Tensor, steps: int) -> tuple[np.ndarray, float, float]:
  """m of every step, [steps, chains], the acceptance rate and the seconds."""

  @tf.function(autograph=False, jit_compile=True)
  def run() -> tuple[tf.Tensor, tf.Tensor]:
    trace = lambda x, results: (tf.reduce_mean(tf.tanh(x), -1), accepted(results))  # noqa: E731
    return tfp.mcmc.sample_chain(steps, start, kernel=kernel, trace_fn=trace, seed=[1, 2]).trace

  (m, acceptance), seconds = timed(lambda: [part.numpy() for part in run()])
  return m, float(acceptance.mean()), seconds


def accepted(results: Any) -> tf.Tensor:
  """Whether each chain moved, whatever kernel wraps the one that decides."""
  inner = results.inner_results if hasattr(results, 'inner_results') else results
  return tf.cast(inner.is_accepted, tf.float32)


def summary(m: np.ndarray, seconds: float, acceptance: float, gradients: int) -> dict[str, float]:
  """Of m along chains, [steps, chains].

  Args:
    m: Magnetisations, E[s|x] averaged over sites.
    seconds: For all of them.
    acceptance: Rate.
    gradients: Evaluations of grad E (with the flow before it, if there is one) per step.
  """
  found = {'acceptance': acceptance, 'seconds_per_step': seconds / m.size, 'gradients': gradients}
  for name, values in (('m', m), ('|m|', np.abs(m))):
    tau = samplers.integrated_autocorrelation_time(values.astype(np.float64))
    found[f'tau of {name}'] = tau
    found[f'gradients per sample of {name}'] = tau * gradients
    found[f'seconds per sample of {name}'] = tau * seconds / m.size
  return found


def wolff(target: targets.Ising) -> dict[str, float]:
  """One chain of cluster flips, in NumPy."""
  couplings = targets.lattice.coupling_matrix(target.side, target.side, target.coupling)
  chain = samplers.wolff.chain(couplings, seed=1)
  for _ in range(FLAGS.wolff_steps // 10):
    next(chain)
  start = time.perf_counter()
  m = np.array([next(chain).mean() for _ in range(FLAGS.wolff_steps)])[:, np.newaxis]
  return summary(m, time.perf_counter() - start, 1.0, 0)


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  bijector = ma_keras.load(FLAGS.model).bijector
  flow = ma_keras.standard_normal_flow(bijector)
  target = targets.Ising(math.isqrt(bijector.potential.event_size))
  # Independent draws of the flow, nearly at equilibrium; a tenth of every chain goes on burning in.
  start = flow.sample(FLAGS.chains, seed=[3, 4])
  quarter = math.pi / 2
  physical = tfp.mcmc.HamiltonianMonteCarlo(lambda x: -target.energy(x), 0.3, 10)
  latent = samplers.latent_hmc(bijector, target.energy, quarter / 4, 4)
  independent = samplers.independence_metropolis(flow, target.energy)
  kernels = {
    'HMC on fields, 10 leapfrogs of 0.3': (physical, FLAGS.physical_steps, 10),
    'HMC on latents, 4 leapfrogs': (latent, FLAGS.steps, 4),
    'independence Metropolis': (independent, FLAGS.steps, 1),
  }
  results = {}
  for name, (kernel, steps, gradients) in kernels.items():
    m, acceptance, seconds = along(kernel, start, steps)
    results[name] = summary(m, seconds, acceptance, gradients)
    print(name, results[name], flush=True)
  results["Wolff's clusters (NumPy)"] = wolff(target)
  print('Wolff', results["Wolff's clusters (NumPy)"])
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
