"""Variational free energy of the 2-D Ising model (paper, section 4.2 and Figure 4).

  python apps/ising_main.py --flagfile=apps/flagfiles/ising_l8.flags

Trains a Monge-Ampere flow on Eq. (7), resumes where a killed run stopped, and ends with one
line: the free energy per site with its errors beside the exact one.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.ising_potential import IsingPotentialConfig
from ma_keras.apps.configuration.option import integer, number, switch, text
from ma_keras.apps.configuration.target import TargetConfig
from ma_keras.apps.configuration.training import TrainingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class IsingConfig(TrainingConfig, TargetConfig, IsingPotentialConfig):
  """A run of `ma-keras train ising`."""

  force_weight: float = number(
    0.0, 'Weight of the force-matching term of section 4.2.', lower=0.0, fixes_run=True
  )
  path_gradient: bool = switch(
    False,
    'The gradient along paths alone: one more solve, noise that vanishes at the optimum.',
    fixes_run=True,
  )
  antithetic: bool = switch(False, 'Draw latents in pairs of mirrored radii.', fixes_run=True)
  anneal_steps: int = integer(
    0,
    'Scale the energy from 1/2 to 1 over the first steps; 0: never.',
    lower=0,
    fixes_run=True,
  )
  steps_per_epoch: int = integer(100, 'Training steps per epoch.', lower=1)
  eval_samples: int = integer(4096, 'Samples of the final measurement.', lower=2)
  beside: str | None = text(
    None, 'The --run_dir of another run, whose curve Figure 4 shows behind.'
  )

  @property
  def run_name(self) -> str:
    """The target's."""
    return 'couplings' if self.target == 'couplings' else f'{self.target}_l{self.side}'
