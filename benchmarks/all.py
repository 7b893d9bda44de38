"""Every benchmark in turn: tables on the screen, JSON in a folder.

  python benchmarks/all.py --output_dir=docs/results/benchmarks

About half an hour on two cores. `--only=engine_mnist,ffjord` runs some.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

from absl import app, flags

FLAGS = flags.FLAGS
HERE = pathlib.Path(__file__).resolve().parent
LIGHT = '--paths=store, XLA;recompute by 10, XLA;reversible, XLA;adjoint, XLA'
MNIST = ['engine.py', '--setting=mnist']
SIZES = ['--event_size=2', '--event_size=16', '--event_size=64']
BENCHMARKS = {
  'engine_mnist': MNIST,
  'engine_image': [*MNIST, '--potential=image', '--paths=plain;plain, XLA;store;store, XLA'],
  'engine_ising': ['engine.py', '--setting=ising'],
  'training_step': ['training_step.py'],
  'memory': ['memory.py'],
  'memory_mnist': ['memory.py', '--event_size=784', '--hidden_units=1024', '--num_rows=2000'],
  'sweep_num_steps': [*MNIST, '--sweep=num_steps', LIGHT, '--rounds=1'],
  'sweep_event_size': [*MNIST, '--sweep=event_size', '--paths=store, XLA', '--rounds=1'],
  'sweep_hidden_units': [*MNIST, '--sweep=hidden_units', '--paths=store, XLA', '--rounds=1'],
  'sweep_batch_size': [*MNIST, '--sweep=batch_size', '--paths=store, XLA', '--rounds=1'],
  'deep_laplacian': ['deep_laplacian.py'],
  'convolution': ['convolution.py'],
  'ffjord': ['ffjord.py'],
  'accuracy': ['accuracy.py'],
  'stiff_flows': ['stiff_flows.py'],
  'checks': ['checks.py'],
  'pipeline': ['pipeline.py'],
  'tables': ['tables.py'],
  'serving': ['serving.py'],
  'attacks': ['attacks.py'],
  'soak': ['soak.py'],
  'kills': ['kills.py'],
  'guards': ['guards.py'],
  'densities': ['densities.py'],
  'lattice_transform': ['lattice_transform.py'],
  'penalised_step': ['penalised_step.py'],
  'transport_flows': ['transport_flows.py', '--iterations=800', '--batch_size=256'],
  'convex_flow': ['convex_flow.py', '--num_steps=2', '--iterations=2000', '--learning_rate=0.02'],
  'brenier_gaussians': ['brenier.py', '--task=gaussians', *SIZES],
  'brenier_truth': ['brenier.py', '--task=truth', '--kind=ridges', '--kind=network'],
  'brenier_inverse': ['brenier.py', '--task=inverse', '--event_size=784', '--hidden_units=1024'],
}
flags.DEFINE_list('only', None, f'Which, of {", ".join(BENCHMARKS)}; default all.')
flags.DEFINE_string('output_dir', 'runs/benchmarks', 'Folder for the JSON files.')


def main(argv: list[str]) -> None:
  """Runs them one after another, so that each has the machine for itself."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  names = FLAGS.only or list(BENCHMARKS)
  unknown = sorted(set(names) - set(BENCHMARKS))
  if unknown:
    raise app.UsageError(f'`--only` must be among {list(BENCHMARKS)}, got {unknown}.')
  folder = pathlib.Path(FLAGS.output_dir)
  folder.mkdir(parents=True, exist_ok=True)
  for name in names:
    script, *arguments = BENCHMARKS[name]
    output = folder / f'{name}.json'
    print(f'\n== {name}: {script} {" ".join(arguments)}', flush=True)
    command = [sys.executable, str(HERE / script), *arguments, f'--output={output}']
    if subprocess.run(command, check=False).returncode != 0:
      sys.exit(f'all: {name} failed.')


if __name__ == '__main__':
  app.run(main)
