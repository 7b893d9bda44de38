"""Directory in which a run keeps its flags, metrics, checkpoints, figures and results."""

from __future__ import annotations

import dataclasses
import errno
import json
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from absl import logging

from ma_keras.files.replacing import remove_remains, replacing
from ma_keras.training import ownership

# A full disk, a quota, a limit: there may be room later.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE)
REMEDY = 'put back a copy, or choose another --run_dir'


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
  def record(self) -> pathlib.Path:
    """The app, and the hashes of its data."""
    return self.root / 'run.json'

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
  def start(self) -> pathlib.Path:
    """The model before training: maps of the columns of a table, and a base."""
    return self.root / 'start.npz'

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
    self,
    flags: dict[str, str],
    fixed: tuple[str, ...],
    defaults: Collection[str] = (),
    app: str = '',
    hashes: Mapping[str, str] | None = None,
    today: Callable[[str], str] = str,
  ) -> None:
    """Makes the directory this process's own and writes the flagfile; meets another run.

    Args:
      flags: Name to flagfile line of every flag that makes this run.
      fixed: The flags that define the model: a run cannot change them on the way.
      defaults: Names of those that have their default values: a run begun by a version that did
        not know them has these, too.
      app: Which app's run this is.
      hashes: Flag to the hash of the data that it names.
      today: The line of an older flagfile -> the line that says the same in this version.

    Raises:
      ValueError: The directory cannot be made, holds a run of another app, model or data, or one of
        its files is damaged.
      Owned: Another process is at work in it.
      OSError: The disk is full.
    """
    broken = [line for line in flags.values() if '\n' in line or '\r' in line]
    if broken:
      raise ValueError(f'{broken[0]!r} has a line break, which no flagfile can hold: rename it.')
    try:
      self.root.mkdir(parents=True, exist_ok=True)
      ownership.take(self.root)
      self._check_record(flags, app, hashes or {})
      self._check_model(flags, fixed, defaults, today)
      self._drop_cut_row()
      remove_remains(self.root)
      self.read_metrics()
      write_atomically(self.record, json.dumps({'app': app, 'sha256': dict(hashes or {})}) + '\n')
      write_atomically(self.flagfile, '\n'.join(flags.values()) + '\n')
    except OSError as error:
      if error.errno in NO_ROOM:
        raise
      raise ValueError(
        f'`--run_dir` {self.root} cannot be written to ({error.strerror}): choose another.'
      ) from error

  def release(self) -> None:
    """Lets other processes take the directory."""
    ownership.release(self.root)

  def _check_model(
    self,
    flags: dict[str, str],
    fixed: tuple[str, ...],
    defaults: Collection[str],
    today: Callable[[str], str],
  ) -> None:
    if self.flagfile.exists():
      before = [today(line) for line in self._read(self.flagfile).split('\n')]
      if any(line and not line.startswith('-') for line in before):
        raise ValueError(f'{self.flagfile} is damaged: {REMEDY}.')
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

  def _check_record(self, flags: dict[str, str], app: str, hashes: Mapping[str, str]) -> None:
    if not self.record.exists():
      if self.flagfile.exists() and hashes:
        logging.warning(
          '%s was begun by a version that kept no hashes: its data may have changed since.',
          self.root,
        )
      return
    try:
      record = json.loads(self._read(self.record))
      other, before = record['app'], dict(record['sha256'])
    except (LookupError, TypeError, ValueError) as error:
      raise ValueError(
        f'{self.record} is damaged: {REMEDY}, or delete it, and nobody looks whether the data are '
        'the same.'
      ) from error
    if other != app:
      raise ValueError(
        f'`--run_dir` {self.root} holds a run of `train {other}`, not of `train {app}`: choose '
        'another --run_dir.'
      )
    changed = [name for name in hashes if before.get(name, hashes[name]) != hashes[name]]
    if changed:
      raise ValueError(
        f'{flags.get(changed[0], changed[0])} is not what the run in {self.root} began with: its '
        'content has changed. Put the old one back, or choose another --run_dir.'
      )

  def _drop_cut_row(self) -> None:
    """A full disk may leave half a row, to which the next would be appended."""
    content = self.metrics.read_bytes() if self.metrics.exists() else b''
    whole = content[: content.rfind(b'\n') + 1]
    if whole != content:
      with replacing(self.metrics) as beside:
        beside.write_bytes(whole)

  def _read(self, path: pathlib.Path) -> str:
    """The text of one of the run's files; raises ValueError where it cannot be read."""
    try:
      return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
      raise ValueError(f'{path} is damaged, or cannot be read ({error}): {REMEDY}.') from error

  def write_summary(self, summary: dict[str, Any]) -> None:
    """Writes the result as JSON."""
    write_atomically(self.summary, json.dumps(summary, indent=2) + '\n')

  def read_summary(self) -> dict[str, Any]:
    """The result; raises ValueError if it cannot be read."""
    try:
      return dict(json.loads(self._read(self.summary)))
    except (TypeError, ValueError) as error:
      raise ValueError(
        f'{self.summary} is damaged ({error}): delete it to measure anew.'
      ) from error

  def read_metrics(self) -> dict[str, np.ndarray]:
    """The CSV as one array per column; of an epoch that was run twice, the later row.

    Returns:
      Name to column; empty before the first epoch.

    Raises:
      ValueError: A line is damaged.
    """
    if not self.metrics.exists():
      return {}
    header, *lines = self._read(self.metrics).splitlines() or ['epoch']
    names, rows = header.split(','), {}
    for number, line in enumerate(lines, 2):
      try:
        row = dict(zip(names, map(_number, line.split(',')), strict=True))
        rows[int(row['epoch'])] = row
      except (LookupError, ValueError) as error:
        raise self._damaged_line(number) from error
    if 'epoch' not in names:
      raise self._damaged_line(1)
    ordered = [rows[epoch] for epoch in sorted(rows)]
    return {name: np.array([row[name] for row in ordered]) for name in ordered[0]} if rows else {}

  def _damaged_line(self, number: int) -> ValueError:
    return ValueError(
      f'{self.metrics}, line {number}, is damaged: {REMEDY}; or delete it, if it is no header.'
    )

  def read_snapshots(self) -> dict[int, np.ndarray]:
    """Epoch to samples, in order."""
    files = sorted(self.snapshots.glob('epoch_*.npy'))
    return {int(file.stem.removeprefix('epoch_')): np.load(file) for file in files}


def _number(cell: str) -> float:
  return float('nan' if cell == 'NA' else cell)  # NA: a metric that an epoch does not have.


def _sets(line: str, name: str) -> bool:
  """Tells if the line is --name=value, --name or --noname."""
  return line.startswith(f'--{name}=') or line in (f'--{name}', f'--no{name}')


def write_atomically(path: pathlib.Path, text: str) -> None:
  """Writes a text whole, or not at all."""
  with replacing(path) as temporary:
    temporary.write_text(text, encoding='utf-8')
