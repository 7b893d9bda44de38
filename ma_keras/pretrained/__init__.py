"""Trained models that come with the package; the card beside each says what it is."""

from __future__ import annotations

import pathlib

from ma_keras.saving import model_file
from ma_keras.saving.model_file import Model

FOLDER = pathlib.Path(__file__).resolve().parent


def names() -> list[str]:
  """The models there are."""
  return sorted(path.stem for path in FOLDER.glob('*.npz'))


def load(name: str) -> Model:
  """A trained model: `load('mnist').flow()` draws images and scores them.

  Args:
    name: One of `names()`.

  Returns:
    The model; its `notes` hold the figures of merit, its card (`card`) what to know of it.

  Raises:
    ValueError: No model has that name.
  """
  _check(name)
  return model_file.load(FOLDER / f'{name}.npz')


def card(name: str) -> str:
  """The model card, Markdown.

  Raises:
    ValueError: No model has that name.
  """
  _check(name)
  return (FOLDER / f'{name}.md').read_text(encoding='utf-8')


def _check(name: str) -> None:
  if name not in names():
    raise ValueError(f'`name` must be one of {names()}, got {name!r}.')
