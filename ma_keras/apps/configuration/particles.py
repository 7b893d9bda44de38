"""Variational free energy of particles, in a trap or in a box, with every symmetry built in.

  python apps/particles_main.py --flagfile=apps/flagfiles/dw4.flags

Trains a Monge-Ampere flow on Eq. (7), resumes where a killed run stopped, and ends with one line:
the free energy, and how the flow agrees with Markov chains of the target, which the run makes once.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

from ma_keras.apps.configuration.option import (
  another_default,
  choice,
  integer,
  number,
  switch,
  text,
)
from ma_keras.apps.configuration.particles_target import ParticlesTargetConfig
from ma_keras.apps.configuration.training import TrainingConfig

ACTIVATIONS = ('gelu', 'log_cosh', 'silu', 'softplus', 'tanh')


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParticlesConfig(TrainingConfig, ParticlesTargetConfig):
  """A run of `ma-keras train particles`."""

  # XLA's fusions evaluate the shells of pairs again for everyone who reads them: without them a
  # step takes less than half the time (TF 2.21, processors).
  environment = MappingProxyType({'XLA_FLAGS': '--xla_disable_hlo_passes=fusion'})

  epochs: int = integer(
    20,
    'Epochs; a checkpoint is written after each. 0: none, and what --begin or --start_from made is '
    'measured.',
    lower=0,
  )
  num_steps: int = another_default(TrainingConfig, 'num_steps', 12)
  step_size: float = another_default(TrainingConfig, 'step_size', 1 / 12)
  penalty: str = another_default(TrainingConfig, 'penalty', 'stiffness:0.1')
  jit_compile: bool = another_default(TrainingConfig, 'jit_compile', True)
  eval_batch_size: int = another_default(TrainingConfig, 'eval_batch_size', 500)

  hidden_units: int = integer(
    32, 'Functions of its neighbours for every particle; 0: pairs alone.', lower=0, fixes_run=True
  )
  cluster_units: int = integer(
    0,
    'Functions of the whole cluster on top of those of its particles; 0: none.',
    lower=0,
    fixes_run=True,
  )
  dipole_units: int = integer(
    0,
    'Functions of the angles between the neighbours of every particle, beside those of their '
    'distances; 0: none.',
    lower=0,
    fixes_run=True,
  )
  background: bool = switch(
    False, 'Whether all pairs of the cluster act on every particle.', fixes_run=True
  )
  shells: int = integer(24, 'Gaussian shells of distance.', lower=2, fixes_run=True)
  reach: float | None = number(
    None,
    'Distance up to which particles act on one another, half the shortest side of a box at most; '
    'default: 8 for dw4, 4 else, or as far as a box allows.',
    lower=1e-6,
    fixes_run=True,
  )
  far_reach: float | None = number(
    None,
    'Add a second, smoother function of distance that reaches so far: it holds particles that '
    'stray, whose energies are all that a mean sees; without it none.',
    lower=1e-6,
    fixes_run=True,
  )
  softening: float = number(
    0.1, 'Radius below which distances are smoothed.', lower=1e-6, fixes_run=True
  )
  activation: str = choice('tanh', ACTIVATIONS, 'Of the functions of neighbours.', fixes_run=True)
  base_scale: float = number(
    1.0,
    'Standard deviation that positions start with; that of the target saves stretching. In a box '
    'they start anywhere, and it has no meaning.',
    lower=1e-6,
    fixes_run=True,
  )
  basis_size: int = integer(4, 'Functions of time.', lower=1, fixes_run=True)
  layer_basis_size: int = integer(
    1, 'Functions of time of the weights within the layers; 1: constant.', lower=1, fixes_run=True
  )

  path_gradient: bool = switch(
    False,
    'The gradient along paths alone: one more solve, noise that vanishes at the optimum.',
    fixes_run=True,
  )
  path_share: float = number(
    1.0,
    'With --path_gradient, the share of the gradient by samples of chains that goes along paths; '
    'the rest is that of the likelihood, which alone sees how much mass lies in every mode.',
    lower=0.0,
    upper=1.0,
    fixes_run=True,
  )
  anneal_steps: int = integer(
    0, 'Scale the energy from 1/2 to 1 over the first steps; 0: never.', lower=0, fixes_run=True
  )
  energy_ceiling: float | None = number(
    None,
    'Train on energies that above this grow by their fourth root; without it on energies alone.',
    fixes_run=True,
  )
  likelihood_share: float = number(
    0.0,
    'Share a of the likelihood of chains in the loss, (1 - a) KL(flow, target) + a KL(target, '
    'flow): one half of the chains is learned from, the flow is measured against the other. 0: '
    'reverse KL alone, 1: no draws of the flow.',
    lower=0.0,
    upper=1.0,
    fixes_run=True,
  )
  start_from: str | None = text(
    None,
    'The model.npz of a run with the same potential, whose weights to begin with: of another '
    'temperature, say, or of fewer particles.',
    fixes_run=True,
    names_file=True,
  )
  begin: str = choice(
    'none',
    ('none', 'matching'),
    'Begin by flow matching, on one half of the chains; the flow is then measured against the '
    'other half.',
    fixes_run=True,
  )
  begin_epochs: int = integer(10, 'Epochs of the beginning.', lower=1, fixes_run=True)
  begin_rate: float = number(0.01, 'Peak rate of Adam in the beginning.', lower=0.0, fixes_run=True)
  begin_batch_size: int = integer(512, 'Batch of the beginning.', lower=8, fixes_run=True)
  steps_per_epoch: int = integer(100, 'Training steps per epoch.', lower=1)
  eval_samples: int = integer(10000, 'Samples of the final measurement.', lower=2)
  monitor_samples: int = integer(
    1000, 'Samples of the effective sample size after every epoch; 0: none.', lower=0
  )
  chains: int = integer(
    64, 'Markov chains of the target that the flow is measured against; 0: none.', lower=0
  )
  chain_samples: int = integer(200, 'Samples of every chain.', lower=4)
  burn_in: int = integer(500, 'Trajectories of every chain before its first sample.', lower=1)
  thinning: int = integer(5, 'Trajectories from one sample of a chain to the next.', lower=1)
  temperatures: int = integer(500, 'Steps of the annealing that ln Z comes from.', lower=1)

  def __post_init__(self) -> None:
    """Checks values together.

    Raises:
      ValueError: There are too few chains, or aids for draws that are not made.
    """
    super().__post_init__()
    if self.epochs == 0 and self.begin == 'none' and not self.start_from:
      raise ValueError(
        '`--epochs=0` measures what --begin or --start_from made, and there is neither: pass one, '
        'or some epochs.'
      )
    if self.chains == 1:
      raise ValueError('`--chains` must be at least 2, whose spread is their error, or 0: got 1.')
    if self.learns_from_chains and self.chains < 4:
      raise ValueError(
        '--begin and --likelihood_share train on one half of `--chains`, and measure on the other: '
        f'take at least 4, got {self.chains}.'
      )
    if self.path_share != 1.0 and not (self.path_gradient and self.likelihood_share):
      raise ValueError(
        f'`--path_share` {self.path_share:g} is of a gradient by samples along paths: it goes with '
        '--path_gradient and --likelihood_share.'
      )
    if self.path_share == 0.0:
      raise ValueError('`--path_share` must be above 0, got 0: leave out --path_gradient instead.')
    if self.cluster_units and not self.hidden_units:
      raise ValueError(
        f'`--cluster_units` {self.cluster_units} are functions of the units of single particles: '
        'take some --hidden_units, or leave it out.'
      )
    if self.layer_basis_size > 1 and not (self.hidden_units or self.dipole_units):
      raise ValueError(
        f'`--layer_basis_size` {self.layer_basis_size} is of the weights of hidden units: take '
        'some --hidden_units or --dipole_units, or leave it out.'
      )
    if self.likelihood_share == 1.0 and (self.energy_ceiling is not None or self.anneal_steps > 0):
      raise ValueError(
        '`--energy_ceiling` and `--anneal_steps` are for draws of the flow, of which there are '
        'none at --likelihood_share=1: leave them out, or take a smaller share.'
      )
    if self.box is not None:
      self._check_in_box()

  def _check_in_box(self) -> None:
    """Raises ValueError on options that the box has no place for."""
    box = self.text_of('box')
    for name in ('reach', 'far_reach'):
      distance = getattr(self, name)
      if distance is not None and distance > self.cutoff:
        raise ValueError(
          f'`--{name}` {distance:g} with --box={box}, where a particle meets one image of another '
          f'up to half the shortest side, {self.cutoff:g}: take no more, or a larger box.'
        )
    if self.base_scale != 1.0:
      raise ValueError(
        f'`--base_scale` {self.base_scale:g} with --box={box}, where positions start anywhere, and '
        'not normally distributed: leave it out.'
      )

  @property
  def learns_from_chains(self) -> bool:
    """True where one half of the chains is for training."""
    return self.begin != 'none' or self.likelihood_share > 0.0

  @property
  def distance(self) -> float:
    """--reach, or what suits the target."""
    return self.reach or min(8.0 if self.target == 'dw4' else 4.0, self.cutoff)

  @property
  def run_name(self) -> str:
    """The target's."""
    if self.target == 'dw4':
      return 'dw4'
    parts = {'mixture': self.species, 'box': self.box}
    return '_'.join([f'lj{self.particles}', *(name for name, value in parts.items() if value)])
