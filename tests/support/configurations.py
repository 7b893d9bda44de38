"""Configurations as a command line makes them, with flags of their own."""

from absl import flags

from ma_keras.apps.configuration import command_flags


def parsed(config_class, *words):
  values = flags.FlagValues()
  command_flags.define(config_class, values)
  values(['command', *words])
  return command_flags.from_flags(config_class, values)
