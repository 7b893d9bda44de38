"""A distribution whose arguments make one density together, none of them with a batch."""

from __future__ import annotations

from typing import Any

from ma_keras import pickling


class Whole:
  """Answers of a TFP distribution, before its other parents, about arguments without batches."""

  @classmethod
  def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
    del dtype, num_classes
    return {}

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments: TFP's own classes have no way that works."""
    return pickling.reduced(self)
