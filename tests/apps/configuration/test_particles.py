"""Flags of particles that go together, and others, which are refused by name."""

import json

import pytest
from absl import flags

from ma_keras.apps.configuration import ParticlesConfig, command_flags
from ma_keras.apps.configuration.option import options
from ma_keras.apps.configuration.particles_target import ParticlesTargetConfig

MIXTURE = {'target': 'lennard_jones', 'particles': 4, 'species': (0, 0, 0, 1)}
BOX = {'target': 'lennard_jones', 'particles': 4, 'box': (4, 5, 4)}


def test_kinds_tables_and_box_are_read_from_flags():
  values = flags.FlagValues()
  command_flags.define(ParticlesConfig, values)
  line = '--target=lennard_jones --particles=4 --species=0,0,0,1 --depths=0-1:1.5,1-1:0.5'
  values(['app', *line.split(), '--radii=1-1:0.88', '--box=4,5.5,4'])
  config = command_flags.from_flags(ParticlesConfig, values)
  assert config.species == (0, 0, 0, 1) and config.box == (4.0, 5.5, 4.0)
  assert config.table('depths') == ((1.0, 1.5), (1.5, 0.5))
  assert config.table('radii') == ((1.0, 1.0), (1.0, 0.88))
  assert config.run_name == 'lj4_mixture_box' and config.cutoff == config.distance == 2.0
  lines = command_flags.lines(config)
  assert (lines['species'], lines['box']) == ('--species=0,0,0,1', '--box=4.0,5.5,4.0')


def test_notes_of_a_model_make_its_target_again():
  config = ParticlesConfig(**MIXTURE, depths='0-1:2', box=(4, 5, 4))
  notes = {name: getattr(config, name) for name in options(ParticlesTargetConfig)}
  again = ParticlesTargetConfig(**json.loads(json.dumps(notes)))
  assert again == config.part(ParticlesTargetConfig) and again.table('radii') is None


def test_a_flow_reaches_as_far_as_the_box_allows():
  free = ParticlesConfig(target='lennard_jones')
  assert free.distance == 4.0 and free.run_name == 'lj13' and free.cutoff == float('inf')
  assert ParticlesConfig(**BOX).distance == 2.0
  assert ParticlesConfig(**{**BOX, 'box': (9, 10, 9)}).distance == 4.0
  assert ParticlesConfig(**BOX, reach=1.5, far_reach=2.0).distance == 1.5


@pytest.mark.parametrize(
  'given, message',
  [
    ({'box': (4, 5, 4)}, '`--box` 4,5,4 with --target=dw4, .* or take --target=lennard_jones'),
    ({'species': (0, 0, 0, 1)}, '`--species` 0,0,0,1 with --target=dw4'),
    ({'depths': '0-1:2'}, '`--depths` 0-1:2 with --target=dw4'),
    ({'radii': '0-1:2'}, '`--radii` 0-1:2 with --target=dw4'),
    ({**MIXTURE, 'particles': 13}, r'names 4 particles, and --particles is 13: say --particles=4'),
    ({**MIXTURE, 'species': (0, 0, 0, 2)}, 'numbers from 0 on, none left out, got 0,0,0,2'),
    ({**MIXTURE, 'species': '0,0,0,b'}, '`--species` got .*: whole numbers, separated by commas'),
    ({**MIXTURE, 'species': (0, 0, 0, 0.5)}, '`--species` got .*: whole numbers, separated by'),
    ({**MIXTURE, 'species': ()}, '`--species` got .*: whole numbers, separated by commas'),
    ({**MIXTURE, 'depths': '0-2:2'}, "`--depths` got '0-2:2': there is no kind 2 among --species"),
    ({**MIXTURE, 'radii': '0-1'}, "`--radii` got '0-1': '0-1' is no pair of kinds"),
    ({**BOX, 'radii': '0-1:2'}, '`--radii` 0-1:2 is of pairs of kinds: give --species'),
    ({**BOX, 'box': (4, 5)}, '`--box` must hold three positive sides, got 4,5: --box=4,5,4, say'),
    ({**BOX, 'box': (4, 5, 0)}, '`--box` must hold three positive sides, got 4,5,0'),
    ({**BOX, 'box': (4, 5, float('inf'))}, '`--box` got .*: finite numbers, separated by commas'),
    (
      {**BOX, 'reach': 2.5},
      '`--reach` 2.5 with --box=4,5,4, .* half the shortest side, 2: take no',
    ),
    ({**BOX, 'far_reach': 3.0}, '`--far_reach` 3 with --box=4,5,4'),
    ({**BOX, 'base_scale': 2.0}, '`--base_scale` 2 with --box=4,5,4, where positions start anywhe'),
  ],
)
def test_flags_that_make_no_sense_together_are_named(given, message):
  with pytest.raises(ValueError, match=message):
    ParticlesConfig(**given)
