"""Where a run keeps its flags, metrics, checkpoints, figures and results."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np

from ma_keras.replacing import replacing


@dataclasses.dataclass(frozen=True)
class RunDirectory:
  """One run, one directory; the same command finds its state here and goes on.

  Attributes:
    root: The directory; made on `prepare`.
  """

  root: pathlib.Path

  @property
  def flagfile(self) -> pathlib.Path:
    """The run's flags, to be replayed with `--flagfile`."""
    return self.root / 'flags.txt'

  @property
  def metrics(self) -> pathlib.Path:
    """One CSV row per epoch."""
    return self.root / 'metrics.csv'

  @property
  def backup(self) -> pathlib.Path:
    """Model, optimiser and epoch, from which the run resumes."""
    return self.root / 'backup'

  @property
  def tensorboard(self) -> pathlib.Path:
    """Event files."""
    return self.root / 'tensorboard'

  @property
  def snapshots(self) -> pathlib.Path:
    """Samples at chosen epochs."""
    return self.root / 'snapshots'

  @property
  def weights(self) -> pathlib.Path:
    """The final weights, a tf.train.Checkpoint prefix."""
    return self.root / 'weights' / 'final'

  @property
  def best(self) -> pathlib.Path:
    """The weights of the best epoch on validation data."""
    return self.root / 'best'

  @property
  def model(self) -> pathlib.Path:
    """The trained model in one file: `ma_keras.load`."""
    return self.root / 'model.npz'

  @property
  def saved_model(self) -> pathlib.Path:
    """The exported flow."""
    return self.root / 'saved_model'

  @property
  def summary(self) -> pathlib.Path:
    """The result in JSON."""
    return self.root / 'summary.json'

  def figure(self, name: str) -> pathlib.Path:
    """Path of the PNG of that name."""
    return self.root / f'{name}.png'

  def prepare(
    self, flags: dict[str, str], fixed: tuple[str, ...], defaults: Collection[str] = ()
  ) -> None:
    """Makes the directory and writes the flagfile; meets a run of another model.

    Args:
      flags: Name to flagfile line of every flag that makes this run.
      fixed: The flags that define the model: a run cannot change them on the way.
      defaults: Names of those that have their default values: a run begun by a version that did
        not know them has these, too.

    Raises:
      ValueError: The directory cannot be made, or holds a run with another value of a fixed flag.
    """
    try:
      self.root.mkdir(parents=True, exist_ok=True)
      self._check_model(flags, fixed, defaults)
      self._drop_cut_row()
      write_atomically(self.flagfile, '\n'.join(flags.values()) + '\n')
    except OSError as error:
      raise ValueError(
        f'`--run_dir` {self.root} cannot be written to ({error.strerror}): choose another.'
      ) from error

  def _check_model(
    self, flags: dict[str, str], fixed: tuple[str, ...], defaults: Collection[str]
  ) -> None:
    if self.flagfile.exists():
      before = self.flagfile.read_text().splitlines()
      new = {name for name in defaults if not any(_sets(line, name) for line in before)}
      lines = [flags[name] for name in fixed if name in flags and name not in new]
      changed = [line for line in lines if line not in before]
      absent = [name for name in fixed if name not in flags]
      gone = [line for line in before if any(_sets(line, name) for name in absent)]
      changed += [f'{line} (not given now)' for line in gone]
      if changed:
        raise ValueError(
          f'`--run_dir` {self.root} holds a run of another model; changed: '
          f'{" ".join(changed)}. Choose another --run_dir, or use the flags of {self.flagfile}.'
        )

  def _drop_cut_row(self) -> None:
    """A full disk may leave half a row, to which the next would be appended."""
    text = self.metrics.read_text() if self.metrics.exists() else ''
    whole = text[: text.rfind('\n') + 1]
    if whole != text:
      write_atomically(self.metrics, whole)

  def write_summary(self, summary: dict[str, Any]) -> None:
    """Writes the result as JSON."""
    write_atomically(self.summary, json.dumps(summary, indent=2) + '\n')

  def read_metrics(self) -> dict[str, np.ndarray]:
    """The CSV as one array per column; of an epoch that was run twice, the later row."""
    with self.metrics.open(newline='') as file:
      rows = {int(row['epoch']): row for row in csv.DictReader(file)}
    ordered = [rows[epoch] for epoch in sorted(rows)]
    names = ordered[0].keys() if ordered else ()
    missing = {'NA': 'nan'}  # What Keras writes for a metric that an epoch does not have.
    return {
      name: np.array([float(missing.get(row[name], row[name])) for row in ordered])
      for name in names
    }

  def read_snapshots(self) -> dict[int, np.ndarray]:
    """Epoch to samples, in order."""
    files = sorted(self.snapshots.glob('epoch_*.npy'))
    return {int(file.stem.removeprefix('epoch_')): np.load(file) for file in files}


def _sets(line: str, name: str) -> bool:
  """Whether the line is --name=value, --name or --noname."""
  return line.startswith(f'--{name}=') or line in (f'--{name}', f'--no{name}')


def write_atomically(path: pathlib.Path, text: str) -> None:
  """Writes a text whole, or not at all."""
  with replacing(path) as temporary:
    temporary.write_text(text)
