"""Data: where they come from, their splits, and the way from them to R^N and back."""

from ma_keras.data.batches import batches, untuned
from ma_keras.data.column_maps import ColumnMaps
from ma_keras.data.dataset import Dataset, split
from ma_keras.data.preprocessing import (
  Pixels,
  Standardised,
  bits_per_dimension,
  dequantised,
  for_dataset,
)
from ma_keras.data.shifts import shifted
from ma_keras.data.sources import load, load_file

__all__ = [
  'ColumnMaps',
  'Dataset',
  'Pixels',
  'Standardised',
  'batches',
  'bits_per_dimension',
  'dequantised',
  'for_dataset',
  'load',
  'load_file',
  'shifted',
  'split',
  'untuned',
]
