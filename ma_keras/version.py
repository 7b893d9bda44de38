"""The version, kept here alone; setup.py reads it as text, without importing TensorFlow."""

__version__ = '0.2.0'
