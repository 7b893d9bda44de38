"""Positions of n particles in D dimensions, as vectors [n D], particle by particle."""

from ma_keras.particles.alignment import aligned, matched
from ma_keras.particles.pairs import Pairing

__all__ = ['Pairing', 'aligned', 'matched']
