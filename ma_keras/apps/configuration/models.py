"""Trained models that come with the package, or lie in a folder or at an address, as a table.

  ma-keras models
  ma-keras models --card=mnist
  ma-keras models --source=https://example.org/flows

Other commands take a name of the package as --model, or the address of a model, the source and the
name: --model=https://example.org/flows/mnist. Its hash is checked, and it is kept in a cache,
MA_KERAS_CACHE. ma_keras.pretrained.write_index(folder) makes a source of a folder of models.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, text


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelsConfig(Configuration):
  """A call of `ma-keras models`."""

  source: str | None = text(
    None, 'A folder with an index.json, or its address; default: the models of the package.'
  )
  card: str | None = text(None, 'Print the card of this model, and not the table.')
