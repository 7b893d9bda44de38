"""Counters of a server, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
  """Counters of one application, in a registry of its own."""

  def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
    """Starts at zero.

    Args:
      gauges: Name to description and function of values that are read when they are asked for.
    """
    self._registry = CollectorRegistry()
    prometheus_client.ProcessCollector(registry=self._registry)
    self._requests = Counter(
      'ma_keras_requests', 'Requests answered.', ['route', 'status'], registry=self._registry
    )
    self._seconds = Histogram(
      'ma_keras_request_seconds', 'Time from head to answer.', ['route'], registry=self._registry
    )
    self._batches = Histogram(
      'ma_keras_batch_rows',
      'Rows that the model got at a time.',
      buckets=[2**i for i in range(11)],
      registry=self._registry,
    )
    for name, (about, value) in gauges.items():
      Gauge(f'ma_keras_{name}', about, registry=self._registry).set_function(value)

  def request(self, route: str, status: int, seconds: float) -> None:
    """Counts an answer.

    Args:
      route: Kind of address.
      status: HTTP status.
      seconds: Time it took.
    """
    self._requests.labels(route, status).inc()
    self._seconds.labels(route).observe(seconds)

  def batch(self, rows: int) -> None:
    """Counts a batch of so many rows."""
    self._batches.observe(rows)

  def text(self) -> bytes:
    """All metrics."""
    return prometheus_client.generate_latest(self._registry)
