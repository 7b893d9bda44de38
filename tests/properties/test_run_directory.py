"""A run directory is of one model: it takes a run of the same fixed flags, and no other."""

import pathlib
import tempfile

import hypothesis
import pytest
from hypothesis import strategies as st

from ma_keras import training
from tests.properties import strategies

NAMES = ['side', 'epochs', 'seed', 'potential']
VALUES = st.text(st.characters(codec='utf-8', exclude_categories=['C', 'Z']), max_size=6)
RUNS = st.lists(st.fixed_dictionaries({name: VALUES for name in NAMES}), min_size=1, max_size=4)


def lines(values):
  return {name: f'--{name}={value}' for name, value in values.items()}


@pytest.mark.slow
@strategies.examples(60)
@hypothesis.given(runs=RUNS, fixed=st.sets(st.sampled_from(NAMES)).map(tuple))
def test_a_directory_takes_the_runs_of_one_model(runs, fixed):
  """The flagfile is that of the last run whose fixed flags are those of the first."""
  with tempfile.TemporaryDirectory() as folder:
    run = training.RunDirectory(pathlib.Path(folder) / 'a' / 'run')
    last = runs[0]
    for values in runs:
      if any(values[name] != runs[0][name] for name in fixed):
        with pytest.raises(ValueError, match='holds a run of another model; changed: --'):
          run.prepare(lines(values), fixed)
      else:
        run.prepare(lines(values), fixed)
        last = values
      assert run.flagfile.read_text().splitlines() == list(lines(last).values())


@strategies.examples(10)
@hypothesis.given(values=VALUES)
def test_a_fixed_flag_that_appears_is_met(values):
  with tempfile.TemporaryDirectory() as folder:
    run = training.RunDirectory(pathlib.Path(folder))
    run.prepare({}, ('start_from',))
    with pytest.raises(ValueError, match='changed: --start_from='):
      run.prepare(lines({'start_from': values}), ('start_from',))


def test_a_fixed_flag_that_disappears_is_met(tmp_path):
  """--dataset_file=mine.npy, and then the same command without it: another data set."""
  run = training.RunDirectory(tmp_path)
  run.prepare(lines({'dataset_file': 'mine.npy'}), ('dataset_file',))
  with pytest.raises(ValueError, match='changed'):
    run.prepare({}, ('dataset_file',))
