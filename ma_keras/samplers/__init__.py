"""From the model's samples to the target's expectations."""

from ma_keras.samplers.importance import ImportanceEstimate, estimate

__all__ = ['ImportanceEstimate', 'estimate']
