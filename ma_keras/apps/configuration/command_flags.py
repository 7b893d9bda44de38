"""From the options of a configuration to absl's flags, and from parsed flags to a configuration."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from absl import flags

from ma_keras.apps.configuration.option import REQUIRED, ConfigT, Configuration, Option, options


def define(config_class: type[Configuration], flag_values: flags.FlagValues) -> list[flags.Flag]:
  """Registers a flag for every option; returns them in the order of the options."""
  own = []
  for name, default in _defaults(config_class).items():
    flag = _flag(name, default, options(config_class)[name])
    required = default is REQUIRED
    flags.DEFINE_flag(flag, flag_values, config_class.__module__, required=required)
    own.append(flag)
  return own


@contextlib.contextmanager
def defined(
  config_class: type[Configuration], flag_values: flags.FlagValues
) -> Iterator[list[flags.Flag]]:
  """Flags that are gone afterwards: other apps have others of the same names."""
  own = define(config_class, flag_values)
  try:
    yield own
  finally:
    flag_values.remove_flag_values([flag.name for flag in own])


def from_flags(config_class: type[ConfigT], flag_values: flags.FlagValues) -> ConfigT:
  """The configuration that parsed flags describe.

  Raises:
    ValueError: Values do not go together, or one is not finite.
  """
  own = {name: flag_values[name] for name in options(config_class)}
  overrides = frozenset(name for name, flag in own.items() if flag.present)
  return config_class(overrides=overrides, **{name: flag.value for name, flag in own.items()})


def lines(config: Configuration) -> dict[str, str]:
  """Name to line of a flagfile, of every option that has a value."""
  texts = {}
  for name, default in _defaults(type(config)).items():
    flag = _flag(name, default, options(type(config))[name])
    value = getattr(config, name)
    flag.value = list(value) if isinstance(value, tuple) else value
    if value is not None:
      texts[name] = flag.serialize()
  return texts


def _defaults(config_class: type[Configuration]) -> dict[str, Any]:
  own = options(config_class)
  return {
    field.name: field.default for field in dataclasses.fields(config_class) if field.name in own
  }


def _flag(name: str, default: Any, option: Option) -> flags.Flag:
  """A flag as absl's own DEFINE_... make it."""
  default = None if default is REQUIRED else default
  parser, serializer = option.parser, flags.ArgumentSerializer[Any]()
  if isinstance(parser, flags.BooleanParser):
    return flags.BooleanFlag(name, default, option.help)
  if isinstance(parser, flags.EnumParser):
    return flags.EnumFlag(name, default, option.help, parser.enum_values)
  if isinstance(parser, flags.ListParser):
    default = default if default is None else list(default)
    return flags.Flag(parser, flags.CsvListSerializer(','), name, default, option.help)
  return flags.Flag(parser, serializer, name, default, option.help)
