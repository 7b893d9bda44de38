"""Changes to docstrings before mkdocstrings reads them."""

from __future__ import annotations

from typing import Any

import griffe

from website.docstrings import as_markdown


class Plain(griffe.Extension):
  """Rewrites the docstring of every object of the package."""

  def on_instance(self, *, obj: griffe.Object, **options: Any) -> None:
    """Called by griffe for every object that it has read."""
    if obj.docstring is not None and not obj.is_alias:
      obj.docstring.value = as_markdown(obj.docstring.value)
