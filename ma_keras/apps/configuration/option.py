"""Options of an app: fields of a frozen dataclass, each with its help, its bounds and its marks.

  @dataclasses.dataclass(frozen=True, kw_only=True)
  class TargetConfig(Configuration):
    side: int = integer(8, 'Lattice side L; N = L * L.', lower=2, fixes_run=True)

The name of a field is that of the flag, its default that of the flag. Nothing here imports
TensorFlow: the flags of an app are known before it starts.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from absl import flags

REQUIRED = dataclasses.MISSING  # Default of an option that has none.
ConfigT = TypeVar('ConfigT', bound='Configuration')


@dataclasses.dataclass(frozen=True)
class Option:
  """Properties of an option beside its name and its default.

  Attributes:
    help: One sentence for whoever asks for help.
    parser: Reads a value from its text, and refuses those out of bounds.
    fixes_run: A run cannot change it on the way: it makes the model, or what it is trained for.
    names_file: The value is the path of a file, whose content fixes the run as well.
    older: Value in runs of versions that did not know the option.
  """

  help: str
  parser: flags.ArgumentParser[Any]
  fixes_run: bool = False
  names_file: bool = False
  older: Any = None


class Checked(flags.ArgumentParser[str]):
  """A text that must pass a check."""

  def __init__(self, check: Callable[[str], object]) -> None:
    """Takes the check, which raises ValueError."""
    super().__init__()
    self._check = check

  def parse(self, argument: str) -> str:
    """The text; raises ValueError where the check does."""
    self._check(argument)
    return argument


class Numbers(flags.ListParser):
  """Finite numbers, separated by commas."""

  def __init__(self, number: type[int] | type[float]) -> None:
    """Takes their type."""
    super().__init__()
    self._number = number

  def parse(self, argument: Any) -> list[Any]:
    """The numbers of a text or of a sequence; raises ValueError where there are others."""
    parts = argument if isinstance(argument, tuple | list) else super().parse(argument)
    try:
      parsed = [self._number(str(part)) for part in parts]
    except ValueError:
      parsed = []
    if not parsed or not all(map(math.isfinite, parsed)):
      whole = 'whole' if self._number is int else 'finite'
      raise ValueError(f'{whole} numbers, separated by commas, are expected')
    return parsed


def text(
  default: Any, help: str, *, check: Callable[[str], object] | None = None, **marks: Any
) -> Any:
  """A field for a text, or None; see `Option` for the marks."""
  parser: Any = Checked(check) if check else flags.ArgumentParser()
  return _field(default, help, parser, marks)


def integer(
  default: Any, help: str, *, lower: int | None = None, upper: int | None = None, **marks: Any
) -> Any:
  """A field for a whole number within bounds, or None."""
  return _field(default, help, flags.IntegerParser(lower, upper), marks)


def number(
  default: Any, help: str, *, lower: float | None = None, upper: float | None = None, **marks: Any
) -> Any:
  """A field for a finite number within bounds."""
  return _field(default, help, flags.FloatParser(lower, upper), marks)


def switch(default: bool, help: str, **marks: Any) -> Any:
  """A field that is true or false: --name or --noname."""
  return _field(default, help, flags.BooleanParser(), marks)


def choice(default: str, choices: Sequence[str], help: str, **marks: Any) -> Any:
  """A field for one of several names."""
  return _field(default, help, flags.EnumParser(list(choices)), marks)


def names(default: Any, help: str, **marks: Any) -> Any:
  """A field for a tuple of texts, or None: --name=a,b."""
  return _field(default, help, flags.ListParser(), marks)


def numbers(default: Any, help: str, number: type[int] | type[float], **marks: Any) -> Any:
  """A field for a tuple of numbers, or None: --name=4,5,4."""
  return _field(default, help, Numbers(number), marks)


def another_default(
  config_class: type[Configuration], name: str, default: Any, **marks: Any
) -> Any:
  """A field for an option of a base class, with a default of its own."""
  option = dataclasses.replace(options(config_class)[name], **{'older': default, **marks})
  return dataclasses.field(default=default, metadata={'option': option})


def _field(
  default: Any, help: str, parser: flags.ArgumentParser[Any], marks: dict[str, Any]
) -> Any:
  option = Option(help, parser, **{'older': default, **marks})
  return dataclasses.field(default=default, metadata={'option': option})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
  """Base of all configurations: they are checked when they are made, and say what was chosen.

  Attributes:
    overrides: Names of the options that somebody chose: those on the command line, and all that
      differ from their defaults. An app may have better values by its data for the others.
    environment: Variables that the app's process has before TensorFlow starts, unless somebody has
      set them.
  """

  environment: ClassVar[Mapping[str, str]] = MappingProxyType({})
  overrides: frozenset[str] = dataclasses.field(default=frozenset(), repr=False, compare=False)

  def __post_init__(self) -> None:
    """Checks all values; whole numbers are taken as numbers, lists as tuples, paths as texts.

    Raises:
      ValueError: A value is out of bounds, not finite, or None where that is no default.
    """
    overrides = set(self.overrides)
    for field in dataclasses.fields(self):
      if 'option' in field.metadata:
        value = _checked(field, getattr(self, field.name))
        object.__setattr__(self, field.name, value)
        overrides |= {field.name} if value != field.default else set()
    object.__setattr__(self, 'overrides', frozenset(overrides))

  def with_defaults(self: ConfigT, **values: Any) -> ConfigT:
    """A copy with these values of options that nobody chose."""
    free = {name: value for name, value in values.items() if name not in self.overrides}
    return dataclasses.replace(self, **free)

  def part(self, config_class: type[ConfigT]) -> ConfigT:
    """The options of a base class alone."""
    own = options(config_class)
    values = {name: getattr(self, name) for name in own}
    return config_class(overrides=self.overrides & own.keys(), **values)


def options(config_class: type[Configuration]) -> dict[str, Option]:
  """Options by name, in their order."""
  fields = dataclasses.fields(config_class)
  return {field.name: field.metadata['option'] for field in fields if 'option' in field.metadata}


def fixing(config_class: type[Configuration]) -> tuple[str, ...]:
  """Names of the options that fix a run."""
  return tuple(name for name, option in options(config_class).items() if option.fixes_run)


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
  """The value as the option's parser reads it."""
  name, parser = field.name, field.metadata['option'].parser
  if value is None and field.default is None:
    return None
  is_list = type(parser) is flags.ListParser and isinstance(value, tuple | list)
  try:
    parsed = value if is_list else parser.parse(_text_of(value))
  except (TypeError, ValueError) as error:
    raise ValueError(f'`--{name}` got {value!r}: {str(error).rstrip(".")}.') from error
  if isinstance(parsed, float) and not math.isfinite(parsed):  # NaN is within all bounds.
    raise ValueError(f'`--{name}` must be finite, got {parsed}.')
  return tuple(parsed) if isinstance(parsed, list) else parsed


def _text_of(value: Any) -> Any:
  """The text of a path; whatever else there is as it is."""
  return os.fspath(value) if isinstance(value, os.PathLike) else value
