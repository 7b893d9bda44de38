"""A SavedModel behind the REST interface of TensorFlow Serving, by TensorFlow alone.

This folder imports TensorFlow and the standard library only, and its own files by relative names:
copied to a machine without ma_keras, it still serves.
"""

from .servable import Refusal, Servable
from .server import Server, serve

__all__ = ['Refusal', 'Servable', 'Server', 'serve']
