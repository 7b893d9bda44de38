"""A SavedModel over HTTP: TensorFlow Serving's REST interface and the Open Inference Protocol.

`application(path, name)` is an ASGI application, `serve(path, name)` runs it under uvicorn. Both
need the extra `serve`. This folder imports no other part of ma_keras: copied to a machine without
it, the folder still serves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from .asgi import application
  from .limits import Limits
  from .process import Server, serve
  from .refusal import Refusal
  from .servable import Servable

__all__ = ['Limits', 'Refusal', 'Servable', 'Server', 'application', 'serve']

_MODULES = {
  'Limits': 'limits',
  'Refusal': 'refusal',
  'Servable': 'servable',
  'Server': 'process',
  'application': 'asgi',
  'serve': 'process',
}


def __getattr__(name: str) -> Any:
  """Imports what is asked for, and with it the packages that it needs."""
  if name not in _MODULES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  try:
    module = importlib.import_module(f'.{_MODULES[name]}', __name__)
  except ModuleNotFoundError as error:
    package = str(error.name).partition('.')[0]
    raise ModuleNotFoundError(
      f"ma_keras.serving needs {package}: pip install -e '.[serve]', or pip install "
      "'ma_keras[serve]'."
    ) from error
  value = globals()[name] = getattr(module, name)
  return value
