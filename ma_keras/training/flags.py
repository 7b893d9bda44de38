"""Command-line flags that all training apps share."""

from __future__ import annotations

from absl import flags

from ma_keras import integrators
from ma_keras.flow import gradients
from ma_keras.training import optimizer, penalties, strategy


class _Penalty(flags.ArgumentParser[str]):
  """Text of weights by name, stiffness:0.3,kinetic:0.01, checked as it is read."""

  def parse(self, argument: str) -> str:
    """See `penalties.parse`."""
    penalties.parse(argument)
    return argument


flags.DEFINE_string(
  'run_dir',
  None,
  'Directory of this run: the same command finds its state there and goes on. Default: in runs/.',
)
flags.DEFINE_integer('seed', 0, 'Names every random number of the run.', lower_bound=0)
flags.DEFINE_bool(
  'deterministic',
  False,
  'Equal commands on one machine end in equal bits, at up to half the speed; without, to rounding.',
)
flags.DEFINE_enum(
  'strategy',
  'one_device',
  strategy.STRATEGIES,
  'Devices to train on: one_device, mirrored (all GPUs here), multi_worker or parameter_server '
  '(TF_CONFIG), tpu. See docs/distribution.md.',
)
flags.DEFINE_string('tpu', '', 'TPU address, for --strategy=tpu.')
flags.DEFINE_bool('figures', True, 'Draw figures, and keep the snapshots that they show.')
flags.DEFINE_bool(
  'saved_model', True, 'Export the trained flow at the end; `ma-keras export` can do it later.'
)
flags.DEFINE_bool('jit_compile', False, 'Compile the training step with XLA (TPUs always do).')
flags.DEFINE_integer(
  'steps_per_execution',
  1,
  'Training steps between two looks at callbacks; more where a step is short, as on TPUs.',
  lower_bound=1,
)

flags.DEFINE_integer('num_steps', 50, 'Integration steps d.', lower_bound=1)
flags.DEFINE_float('step_size', 0.1, 'Step size epsilon; T = d * epsilon.', lower_bound=1e-12)
flags.DEFINE_enum('integrator', 'rk4', sorted(integrators.TABLEAUS), 'Runge-Kutta method.')
flags.DEFINE_enum(
  'gradient', 'store', sorted(gradients.MODES), 'What the flow keeps for its derivatives.'
)
flags.DEFINE_float(
  'step_jitter',
  0.0,
  'Train with steps of random size, each boundary moved by up to half of this part of a step.',
  lower_bound=0.0,
  upper_bound=0.999,
)
flags.DEFINE(
  _Penalty(),
  'penalty',
  '',
  "What the loss holds down along the flow's paths, by weight: stiffness:0.3,kinetic:0.01. "
  "stiffness, the solver's own error, keeps training honest and is 0.3 by default for data, which "
  'have no exact bound to tell; kinetic and hamilton_jacobi straighten the paths. What is not '
  'named keeps its default; --penalty= is none.',
  serializer=flags.ArgumentSerializer(),
)
flags.DEFINE_float(
  'refine_tolerance',
  0.0,
  'Double the steps, at the same T, after an epoch whose integration error is above; 0: never.',
  lower_bound=0.0,
)

flags.DEFINE_integer('batch_size', 64, 'Global batch B, over all replicas.', lower_bound=1)
flags.DEFINE_integer(
  'accumulate',
  1,
  'Parts, one after another, in which a replica takes its share of the batch: less memory.',
  lower_bound=1,
)
flags.DEFINE_integer('epochs', 20, 'Epochs; a checkpoint is written after each.', lower_bound=1)
flags.DEFINE_enum(
  'optimizer',
  'adam',
  optimizer.OPTIMIZERS,
  'adam, or soap: Adam in the eigenbasis of the second moment of the gradient, for models of a few '
  'thousand parameters.',
)
flags.DEFINE_float(
  'learning_rate',
  3e-3,
  'Peak rate: linear warm-up, then cosine decay; 0.001 by default for data.',
  lower_bound=0.0,
)
flags.DEFINE_integer(
  'warmup_steps',
  100,
  'Steps of the linear warm-up; a share of all by default for tables.',
  lower_bound=0,
)
flags.DEFINE_float(
  'gradient_clip',
  10.0,
  'Largest global norm of the gradient; 1 by default for data, 0 leaves it alone.',
  lower_bound=0.0,
)
flags.DEFINE_integer('eval_batch_size', 64, 'Samples measured at once.', lower_bound=1)


@flags.multi_flags_validator(
  ['strategy', 'deterministic'],
  message='parameter servers are asynchronous: leave --deterministic, or --strategy=multi_worker.',
)
def _can_be_deterministic(values: dict[str, object]) -> bool:
  return not (values['deterministic'] and values['strategy'] == 'parameter_server')
