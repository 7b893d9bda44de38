"""Training with tf_keras: models, callbacks, strategies, run directories."""

from ma_keras.training import determinism
from ma_keras.training.aids import Aids
from ma_keras.training.backup import Backup, saved_epochs
from ma_keras.training.best_weights import BestWeights
from ma_keras.training.callbacks import (
  BoundGuard,
  DivergenceGuard,
  Guard,
  Patience,
  Snapshots,
  TrainingStopped,
)
from ma_keras.training.class_validation import ClassValidation
from ma_keras.training.conditional_likelihood import ConditionalLikelihood
from ma_keras.training.constrained import Constrained, ConstrainedValidation
from ma_keras.training.discrimination import Discrimination
from ma_keras.training.draws import Draws, configurations, draw
from ma_keras.training.family_free_energy import FamilyFreeEnergy, Scan
from ma_keras.training.flow_matching import FlowMatching
from ma_keras.training.flow_model import FlowModel
from ma_keras.training.free_energy import FreeEnergy, measure, summarise
from ma_keras.training.halving import REMEDY, Halving, halve_on_samples
from ma_keras.training.jeffreys import Jeffreys
from ma_keras.training.kantorovich_dual import KantorovichDual
from ma_keras.training.likelihood import (
  Likelihood,
  cheated,
  log_dets,
  measure_likelihood,
  to_latent_space,
)
from ma_keras.training.maximum_likelihood import PENALTIES, MaximumLikelihood
from ma_keras.training.muon import Muon
from ma_keras.training.observables import Observable, measure_observables
from ma_keras.training.optimizer import adam, muon, soap
from ma_keras.training.ownership import Owned
from ma_keras.training.refinement import Refinement
from ma_keras.training.run_directory import RunDirectory
from ma_keras.training.sinkhorn import SinkhornDivergence
from ma_keras.training.soap import Soap, Turns
from ma_keras.training.validation import Validation
from ma_keras.training.variational import VariationalFreeEnergy

__all__ = [
  'PENALTIES',
  'REMEDY',
  'Aids',
  'Backup',
  'BestWeights',
  'BoundGuard',
  'ClassValidation',
  'ConditionalLikelihood',
  'Constrained',
  'ConstrainedValidation',
  'Discrimination',
  'DivergenceGuard',
  'Draws',
  'FamilyFreeEnergy',
  'FlowMatching',
  'FlowModel',
  'FreeEnergy',
  'Guard',
  'Halving',
  'Jeffreys',
  'KantorovichDual',
  'Likelihood',
  'MaximumLikelihood',
  'Muon',
  'Observable',
  'Owned',
  'Patience',
  'Refinement',
  'RunDirectory',
  'Scan',
  'SinkhornDivergence',
  'Snapshots',
  'Soap',
  'TrainingStopped',
  'Turns',
  'Validation',
  'VariationalFreeEnergy',
  'adam',
  'cheated',
  'configurations',
  'determinism',
  'draw',
  'halve_on_samples',
  'log_dets',
  'measure',
  'measure_likelihood',
  'measure_observables',
  'muon',
  'saved_epochs',
  'soap',
  'summarise',
  'to_latent_space',
]
