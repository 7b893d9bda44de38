"""Options that all training apps share."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration import objective, penalty
from ma_keras.apps.configuration.option import (
  Configuration,
  choice,
  integer,
  number,
  switch,
  text,
)

# Names in the library, which needs TensorFlow: tests hold them against it.
STRATEGIES = ('one_device', 'mirrored', 'multi_worker', 'parameter_server', 'tpu')
INTEGRATORS = (
  *(
    'euler',
    'gauss4',
    'heun',
    'implicit_midpoint',
    'midpoint',
    'rk4',
    'rk4_gauss',
    'rk4_gauss3',
    'three_eighths',
  ),
)
GRADIENTS = ('adjoint', 'plain', 'recompute', 'reversible', 'store')
OPTIMIZERS = ('adam', 'soap', 'muon')


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(Configuration):
  """A run, its devices, the integration of its flow and its optimiser."""

  run_dir: str | None = text(
    None,
    'Directory of this run: the same command finds its state there and goes on. Default: in runs/.',
  )
  seed: int = integer(0, 'Names every random number of the run.', lower=0, fixes_run=True)
  deterministic: bool = switch(
    False,
    'Equal commands on one machine end in equal bits, at up to half the speed; without, to '
    'rounding.',
  )
  strategy: str = choice(
    'one_device',
    STRATEGIES,
    'Devices to train on: one_device, mirrored (all GPUs here), multi_worker or parameter_server '
    '(TF_CONFIG), tpu. See docs/distribution.md.',
  )
  tpu: str = text('', 'TPU address, for --strategy=tpu.')
  figures: bool = switch(True, 'Draw figures, and keep the snapshots that they show.')
  saved_model: bool = switch(
    True, 'Export the trained flow at the end; `ma-keras export` can do it later.'
  )
  jit_compile: bool = switch(False, 'Compile the training step with XLA (TPUs always do).')
  steps_per_execution: int = integer(
    1,
    'Training steps between two looks at callbacks; more where a step is short, as on TPUs.',
    lower=1,
  )

  num_steps: int = integer(50, 'Integration steps d.', lower=1, fixes_run=True)
  step_size: float = number(0.1, 'Step size epsilon; T = d * epsilon.', lower=1e-12, fixes_run=True)
  integrator: str = choice(
    'rk4', INTEGRATORS, 'Runge-Kutta method; a step of rk4_gauss3 is three of rk4.', fixes_run=True
  )
  gradient: str = choice('store', GRADIENTS, 'What the flow keeps for its derivatives.')
  step_jitter: float = number(
    0.0,
    'Train with steps of random size, each boundary moved by up to half of this part of a step.',
    lower=0.0,
    upper=0.999,
    fixes_run=True,
  )
  penalty: str = text(
    '',
    "What the loss holds down along the flow's paths, by weight: stiffness:0.3,kinetic:0.01. "
    "stiffness, the solver's own error, keeps training honest and is 0.3 by default for data, "
    'which have no exact bound to tell; kinetic and hamilton_jacobi straighten the paths. What is '
    'not named keeps its default; --penalty= is none.',
    check=penalty.parse,
    fixes_run=True,
  )
  objective: str = text(
    '',
    'Make this energy of the paths least among flows whose loss is at most so many nats: '
    'kinetic:2.31. The loss is nll in the logs for data, F for spins and fields: train without, '
    'and allow what that reached and a little more.',
    check=objective.parse,
    fixes_run=True,
  )
  refine_tolerance: float = number(
    0.0,
    'Double the steps, at the same T, after an epoch whose integration error is above; 0: never.',
    lower=0.0,
    fixes_run=True,
  )

  batch_size: int = integer(64, 'Global batch B, over all replicas.', lower=1, fixes_run=True)
  accumulate: int = integer(
    1,
    'Parts, one after another, in which a replica takes its share of the batch: less memory.',
    lower=1,
    fixes_run=True,
  )
  epochs: int = integer(20, 'Epochs; a checkpoint is written after each.', lower=1)
  optimizer: str = choice(
    'adam',
    OPTIMIZERS,
    'adam; soap: Adam in the eigenbasis of the second moment of the gradient, for models of a few '
    'thousand parameters; muon: kernels take steps whose singular values are all about one, for '
    'models of large layers.',
    fixes_run=True,
  )
  learning_rate: float = number(
    3e-3,
    'Peak rate: linear warm-up, then cosine decay; 0.001 by default for data.',
    lower=0.0,
  )
  warmup_steps: int = integer(
    100, 'Steps of the linear warm-up; a share of all by default for tables.', lower=0
  )
  gradient_clip: float = number(
    10.0,
    'Largest global norm of the gradient; 1 by default for data, 0 leaves it alone.',
    lower=0.0,
  )
  eval_batch_size: int = integer(64, 'Samples measured at once.', lower=1)

  def __post_init__(self) -> None:
    """Checks values together.

    Raises:
      ValueError: They do not go together.
    """
    super().__post_init__()
    if self.deterministic and self.strategy == 'parameter_server':
      raise ValueError(
        '`--deterministic` with --strategy=parameter_server: parameter servers are asynchronous: '
        'leave --deterministic, or use --strategy=multi_worker.'
      )

  @property
  def run_name(self) -> str:
    """Name of the run's directory in runs/, where --run_dir is not given."""
    raise NotImplementedError

  @property
  def directory(self) -> str:
    """The directory of the run."""
    return self.run_dir or f'runs/{self.run_name}'
