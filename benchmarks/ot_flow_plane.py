"""OT-Flow's public code in the plane, by the measures of `transport_flows`.

  python benchmarks/ot_flow_plane.py --ot_flow=FOLDER --ot_flow_python=PYTHON --output=FILE.json

FOLDER is a checkout of github.com/EmoryMLIP/OT-Flow (Onken et al. 2021), PYTHON an interpreter that
has PyTorch. Network, weights, rate, batch and number of iterations are the defaults of its
trainToyOTflow.py without a GPU: width 32, two layers, alpha 1, 100, 5, eight RK4 steps, batches of
2,048 that are drawn anew every 25 iterations, Adam at 0.1, halved every 100 of 1,000 iterations; of
all iterates the one with the least validation loss. With a GPU it takes 1,500 of 4,096.
Samples and exact densities are ours, which are its own.
"""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
from typing import Any

import numpy as np
import report
from absl import app, flags
from plane import PROBLEMS

from ma_keras import transport

FLAGS = flags.FLAGS
flags.DEFINE_string('ot_flow', None, "A checkout of OT-Flow's code.", required=True)
flags.DEFINE_string('ot_flow_python', None, 'A Python with PyTorch.', required=True)
flags.DEFINE_list('only', None, 'Which problems; all by default.')
flags.DEFINE_integer('iterations', 1000, 'Training steps.', lower_bound=1)
flags.DEFINE_integer('batch_size', 2048, 'Points a step.', lower_bound=1)
flags.DEFINE_integer('test_points', 40_000, 'Test points.', lower_bound=100)
flags.DEFINE_integer('seed', 0, 'Names every random number.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

DEPTHS = (1, 2, 3, 4, 6, 8, 12, 64)  # The last is taken for exact.
TOLERANCE = 0.01  # Nats.
RESAMPLED = 25  # Iterations on one batch.
CLOUD, CLOUDS = 1000, 48
# Reads batches and test points; writes log densities by depth, the path energy, and seconds.
OT_FLOW = """
import sys, time, copy, numpy as np, torch
folder, data, results, iterations = *sys.argv[1:4], int(sys.argv[4])
torch.set_num_threads(1)
torch.manual_seed(0)
sys.path.insert(0, folder)
from src.Phi import Phi
from src.OTFlowProblem import OTFlowProblem, integrate
arrays = np.load(data)
batches, held_out, x = (torch.from_numpy(arrays[k]) for k in ('batches', 'held_out', 'x'))
alphas = [1.0, 100.0, 5.0]
net = Phi(nTh=2, m=32, d=2, alph=alphas)
optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
start, best = time.process_time(), (float('inf'), None)
for k in range(iterations):
  optimizer.zero_grad()
  loss, _ = OTFlowProblem(batches[k // 25], net, [0, 1], nt=8, stepper='rk4', alph=alphas)
  loss.backward()
  optimizer.step()
  with torch.no_grad():
    value, _ = OTFlowProblem(held_out, net, [0, 1], nt=8, stepper='rk4', alph=alphas)
  if value.item() < best[0]:
    best = value.item(), copy.deepcopy(net.state_dict())
  if (k + 1) % 100 == 0:
    for group in optimizer.param_groups:
      group['lr'] /= 2.0
    print(k + 1, loss.item(), value.item(), flush=True)
seconds = time.process_time() - start
net.load_state_dict(best[1])
with torch.no_grad():
  outputs = {}
  for depth in map(int, sys.argv[5:]):
    z = integrate(x, net, [0, 1], depth, alph=alphas)
    base = -0.5 * torch.sum(z[:, :2] ** 2, 1) - np.log(2 * np.pi)
    outputs[str(depth)] = (base + z[:, 2]).numpy().astype(np.float64)
  outputs['energy'] = 2 * z[:, 3].numpy().astype(np.float64)
parameters = sum(p.numel() for p in net.parameters())
np.savez(results, seconds=seconds, parameters=parameters, **outputs)
"""


def solved(name: str) -> dict[str, Any]:
  """Likelihood, energy and steps of OT-Flow's net on one problem."""
  problem = PROBLEMS[name]
  number = -(-FLAGS.iterations // RESAMPLED)
  random = np.random.default_rng([FLAGS.seed, 1])
  batches = problem.sample(number * FLAGS.batch_size, random).reshape(number, -1, 2)
  x = problem.sample(FLAGS.test_points, np.random.default_rng([FLAGS.seed, 2]))
  held_out = problem.sample(FLAGS.batch_size, random)
  single = [part.astype(np.float32) for part in (batches, held_out, x)]
  with tempfile.TemporaryDirectory() as folder:
    data, results = pathlib.Path(folder) / 'data.npz', pathlib.Path(folder) / 'results.npz'
    np.savez(data, batches=single[0], held_out=single[1], x=single[2])
    words = [FLAGS.ot_flow, data, results, FLAGS.iterations, *DEPTHS]
    subprocess.run([FLAGS.ot_flow_python, '-c', OT_FLOW, *map(str, words)], check=True)
    with np.load(results) as stored:
      outputs = dict(stored)
  exact = outputs[str(DEPTHS[-1])]
  errors = {depth: float(np.mean(outputs[str(depth)] - exact)) for depth in DEPTHS[:-1]}
  beyond = [depth for depth, error in errors.items() if abs(error) > TOLERANCE]
  return {
    'nll': -float(np.mean(exact)),
    'divergence': _mean(problem.log_prob(x) - exact),
    'steps_needed': min((d for d in errors if d > max(beyond, default=0)), default=None),
    'mean error by steps': errors,
    'energy': _mean(outputs['energy']),
    'energy_over_w2': float(np.mean(outputs['energy'])) / distance(name),
    'processor seconds': float(outputs['seconds']),
    'parameters': int(outputs['parameters']),
  }


def distance(name: str) -> float:
  """Debiased exact W2^2 of the base and the data, as `transport_flows` has it."""
  random = np.random.default_rng([FLAGS.seed, 3])
  z = random.normal(size=(CLOUDS * CLOUD, 2))
  x = PROBLEMS[name].sample(CLOUDS * CLOUD, random)
  return transport.squared_distance(z, x, num_batches=CLOUDS // 2).debiased.value


def _mean(values: np.ndarray) -> tuple[float, float]:
  """The mean and its standard error."""
  return float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))


def main(argv: list[str]) -> None:
  """Prints a line for every problem and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  results: dict[str, Any] = {}
  for name in FLAGS.only or PROBLEMS:
    results[name] = solved(name)
    print(name, results[name], flush=True)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
