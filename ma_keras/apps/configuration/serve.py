"""An exported model over HTTP: TensorFlow Serving's REST interface and the Open Inference Protocol.

ma-keras serve --saved_model=served/digits --name=digits --port=8501

Limits and their statuses are in docs/serving.md. SIGTERM and SIGINT drain: what was accepted is
answered. Needs the extra `serve`: pip install -e '.[serve]'.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import (
  REQUIRED,
  Configuration,
  integer,
  number,
  switch,
  text,
)

TOKEN_VARIABLE = 'MA_KERAS_TOKEN'


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig(Configuration):
  """A call of `ma-keras serve`; limits are those of `serving.Limits`."""

  saved_model: str = text(
    REQUIRED, 'Folder that `ma-keras export` wrote, or one of numbered versions.'
  )
  name: str = text('flow', 'Name in addresses: /v1/models/NAME:predict.')
  host: str = text('127.0.0.1', "Interface to listen at; '' for all.")
  port: int = integer(8501, 'Port; 0 picks a free one.', lower=0, upper=65535)
  token_file: str | None = text(
    None, f'File with the token that clients must send; or set {TOKEN_VARIABLE}.'
  )
  access_log: bool = switch(True, 'A line on stdout per request.')
  poll_seconds: float = number(1.0, 'Seconds between looks for a new version.', lower=0.01)
  max_bytes: int = integer(2**25, 'Longest body in bytes.', lower=1)
  max_json_bytes: int = integer(2**23, 'Longest JSON in bytes.', lower=1)
  max_parsed_bytes: int = integer(2**27, 'Memory of parsed JSON in bytes.', lower=1)
  max_bytes_in_flight: int = integer(2**27, 'Bytes of all requests together.', lower=1)
  max_rows: int = integer(2**18, 'Rows of a request.', lower=1)
  max_queued_rows: int = integer(2**16, 'Rows that may wait.', lower=1)
  max_batch_rows: int = integer(256, 'Rows that the model gets at a time.', lower=1)
  max_wait_ms: float = number(5.0, 'Milliseconds that a batch waits for more rows.', lower=0.0)
  body_seconds: float = number(30.0, 'Seconds for a body to arrive.', lower=0.01)
  compute_seconds: float = number(120.0, 'Seconds from body to result.', lower=0.01)
  send_seconds: float = number(120.0, 'Seconds for an answer to leave.', lower=0.01)
  head_seconds: float = number(10.0, 'Seconds for the head of a request to arrive.', lower=0.01)
  max_head_bytes: int = integer(2**14, 'Longest address and headers in bytes.', lower=1)
  max_connections: int = integer(1024, 'Connections at a time.', lower=1)
