"""Density estimation of images or vectors (paper, section 4.1, Table 1 and Figure 3).

  python apps/mnist_main.py --flagfile=apps/flagfiles/mnist_quick.flags

Trains a Monge-Ampere flow on Eq. (6), resumes where a killed run stopped, and ends with one
line: the test likelihood of the weights that were best on validation data, with its errors.
"""

from __future__ import annotations

import dataclasses
import pathlib

from ma_keras.apps.configuration.data import DataConfig
from ma_keras.apps.configuration.density_potential import DensityPotentialConfig
from ma_keras.apps.configuration.option import another_default, choice, integer, number, text
from ma_keras.apps.configuration.training import TrainingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityConfig(TrainingConfig, DataConfig, DensityPotentialConfig):
  """A run of `ma-keras train density`.

  Layers of a thousand units are thrown off by the rate that free energies are trained at, and by
  longer gradients. Runs of versions without --penalty had none of its penalties.
  """

  penalty: str = another_default(TrainingConfig, 'penalty', 'stiffness:0.3', older='')
  learning_rate: float = another_default(TrainingConfig, 'learning_rate', 1e-3)
  gradient_clip: float = another_default(TrainingConfig, 'gradient_clip', 1.0)

  column_kind: str = text(
    '',
    'Maps of columns, instead of the automatic choice: age:integer,share:unit,price:positive; '
    'context columns may be a :category.',
    fixes_run=True,
  )
  base: str = choice(
    'auto',
    ('auto', 'normal'),
    'Where the flow of a table starts: a Gaussian mixture if held-out rows prefer one, or always '
    'Normal(0, I), to which the data then flow.',
    fixes_run=True,
  )
  start_from: str | None = text(
    None,
    'The model.npz of a run of images with the same potential, whose weights to begin with.',
    fixes_run=True,
    names_file=True,
  )
  discrimination: float = number(
    0.0,
    "Weight of -ln P(class | x) by Bayes' rule, beside the likelihood, where one context column "
    'of categories is the class; 10 or more makes a classifier.',
    lower=0.0,
    fixes_run=True,
  )
  rivals: int = integer(
    0,
    'Other classes that --discrimination solves for at every point, the most probable ones; 0: '
    'all.',
    lower=0,
    fixes_run=True,
  )
  shift_pixels: int = integer(
    0,
    'Training images are moved by up to so many pixels at random, up or down and left or right; 0: '
    'none. It keeps a flow from learning single images by heart, and takes more epochs.',
    lower=0,
    fixes_run=True,
  )
  patience: int = integer(
    0,
    'Epochs without a better validation likelihood, with --discrimination a better objective, '
    'after which training ends; 0: never; 8 by default for tables, or as many steps if '
    '--steps_per_epoch is given.',
    lower=0,
  )
  tries: int = integer(
    1,
    'First weights of the flow that are tried, before the best of them on validation points are '
    'trained; up to 4 by default for small tables, if none of --hidden_units, --epochs and '
    '--steps_per_epoch is given.',
    lower=1,
    fixes_run=True,
  )
  steps_per_epoch: int = integer(
    0,
    'Training steps per epoch; 0: as many as take in every training point once, or suit a table.',
    lower=0,
  )
  eval_points: int = integer(0, 'Test points of the measurement; 0: all.', lower=0)
  eval_draws: int = integer(2, 'Draws of dequantisation noise each.', lower=1)
  eval_steps: int = integer(0, 'Measure the test likelihood with at least so many steps.', lower=0)
  validation_points: int = integer(0, 'Validation points looked at every epoch; 0: all.', lower=0)

  def __post_init__(self) -> None:
    """Checks values together.

    Raises:
      ValueError: They do not go together.
    """
    super().__post_init__()
    if self.tries > 1 and not self.begins_anew:
      raise ValueError(
        '`--tries` above 1 needs --strategy=one_device, --optimizer=adam, --segments=1 and no '
        f'--latent_units, got --tries={self.tries}, --strategy={self.strategy}, '
        f'--optimizer={self.optimizer}, --segments={self.segments} and '
        f'--latent_units={self.latent_units}.'
      )
    if self.latent_units and not self.context_columns:
      raise ValueError(
        f'`--latent_units` {self.latent_units} are given the contexts, and there are no '
        '--context_columns.'
      )
    if self.latent_components and not self.latent_units:
      raise ValueError(
        f'`--latent_components` {self.latent_components} are what --latent_units see, and there '
        'are none: pass --latent_units=128, say.'
      )
    if self.discrimination and (not self.context_columns or self.objective):
      raise ValueError(
        '`--discrimination` needs --context_columns, the class, and goes with no --objective, got '
        f'--context_columns={",".join(self.context_columns)} and --objective={self.objective}.'
      )
    if self.rivals and not self.discrimination:
      raise ValueError(f'`--rivals` {self.rivals} needs a positive --discrimination.')

  @property
  def has_further_objective(self) -> bool:
    """Tells whether more than the likelihood makes an epoch the best."""
    return bool(self.objective or self.discrimination)

  @property
  def begins_anew(self) -> bool:
    """Tells whether a training can be begun several times, as `fitting.flow.begin` does."""
    is_chain = self.segments > 1 or self.latent_units > 0
    return (self.strategy, self.optimizer, is_chain) == ('one_device', 'adam', False)

  @property
  def run_name(self) -> str:
    """The data set's, or that of the file without its endings."""
    if self.dataset_file is None:
      return self.dataset
    return pathlib.Path(self.dataset_file).name.partition('.')[0] or 'table'
