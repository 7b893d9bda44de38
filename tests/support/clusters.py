"""Processes of one cluster, on the loopback interface."""

import collections
import contextlib
import json
import socket

from tests.integration import apps


def start(calls):
  """A process for each (task type, function, *arguments), with TF_CONFIG.

  Tasks of a type are numbered in order.
  """
  cluster = collections.defaultdict(list)
  for (job, *_), address in zip(calls, free_addresses(len(calls))):
    cluster[job].append(address)
  numbers = collections.Counter()
  processes = []
  for job, function, *arguments in calls:
    task = {'cluster': cluster, 'task': {'type': job, 'index': numbers[job]}}
    numbers[job] += 1
    environment = {'TF_CONFIG': json.dumps(task)}
    processes.append(apps.Running(function, *arguments, environment=environment))
  return processes


def wait(processes, timeout=300):
  """Their exit codes; none outlives the test."""
  try:
    return [process.wait(timeout) for process in processes]
  finally:
    for process in processes:
      process.kill()


def free_addresses(number):
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
    for opened in sockets:
      opened.bind(('localhost', 0))
    return [f'localhost:{opened.getsockname()[1]}' for opened in sockets]
