"""The first and the last thing that every command does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from ma_keras.apps.exit_code import ExitCode, end


def begin() -> None:
  """Quietens TensorFlow."""
  tf.get_logger().setLevel('ERROR')  # Checkpoints announce every shard they write,
  logging.set_verbosity(logging.WARNING)  # some of them through absl.


class Terminated(BaseException):
  """SIGTERM, as an exception: what was half written is removed on the way out."""


@contextlib.contextmanager
def ending(remedy: str, saved: Callable[[], str]) -> Iterator[None]:
  """Turns what goes wrong in the work of a command into one line and an exit code.

  Errors of wrong input are ValueErrors, whose message says all; no room and no access are OSErrors.
  Whatever else there is is a mistake in this package, and stays an exception.

  Args:
    remedy: What to do where there is no room, after what the error says.
    saved: () -> what there is after Ctrl-C or SIGTERM, and how to go on.
  """
  with _sigterm():
    try:
      yield
    except ValueError as error:
      logging.debug('%s', error, exc_info=True)  # --verbosity=1 shows where.
      end(ExitCode.USAGE, error)
    except (tf.errors.UnavailableError, tf.errors.AbortedError):
      end(
        ExitCode.NO_ROOM,
        'another process of the cluster is gone: start all of them again with the commands they '
        'had, and they go on from the last checkpoint.',
      )
    except BrokenPipeError:
      raise  # For `ending_unread`: it is no disk.
    except (OSError, MemoryError, tf.errors.ResourceExhaustedError) as error:
      end(ExitCode.NO_ROOM, f'no room, or no access: {str(error) or "memory ran out"}. {remedy}')
    except (KeyboardInterrupt, tf.errors.CancelledError):
      signal.signal(signal.SIGINT, signal.SIG_DFL)  # A second one ends the process at once.
      end(ExitCode.INTERRUPTED, f'interrupted; {saved()}')
    except Terminated:
      end(ExitCode.TERMINATED, f'terminated by SIGTERM; {saved()}')


@contextlib.contextmanager
def _sigterm() -> Iterator[None]:
  """SIGTERM raises Terminated within; a second one ends the process at once."""
  if threading.current_thread() is not threading.main_thread():  # Python allows it nowhere else.
    yield
    return

  def terminate(number: int, frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated

  before = signal.signal(signal.SIGTERM, terminate)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)
