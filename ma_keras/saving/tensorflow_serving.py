"""Files that TensorFlow Serving reads beside a SavedModel: batching parameters, warm-up requests.

https://www.tensorflow.org/tfx/serving/saved_model_warmup
https://github.com/tensorflow/serving/blob/master/tensorflow_serving/batching/README.md
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

BATCHING = 'batching_params.pbtxt'
WARM_UP = 'assets.extra/tf_serving_warmup_requests'
BATCH_SIZES = (1, 8, 64, 256)  # TensorFlow Serving pads to the next of them.
BATCHING_TEXT = f"""max_batch_size {{ value: {BATCH_SIZES[-1]} }}
batch_timeout_micros {{ value: 5000 }}
max_enqueued_batches {{ value: 64 }}
num_batch_threads {{ value: 2 }}
{chr(10).join(f'allowed_batch_sizes: {size}' for size in BATCH_SIZES)}
"""
SEED = (1, 2)


def write_files(path: str | pathlib.Path) -> None:
  """Writes both files into the folder of a SavedModel of `export.save`.

  Warm-up runs every signature once for each batch size, `sample` for one sample; its inputs are
  samples of the model and their latents.

  Args:
    path: Directory of the SavedModel.
  """
  folder = pathlib.Path(path)
  (folder / BATCHING).write_text(BATCHING_TEXT, encoding='utf-8')
  (folder / WARM_UP).parent.mkdir(exist_ok=True)
  with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
    for record in _records(tf.saved_model.load(str(folder))):
      writer.write(record)


def _records(module: tf.Module) -> Iterator[bytes]:
  signatures = dict(module.signatures)
  for suffix in ('', '_unconstrained'):
    if f'sample{suffix}' not in signatures:
      continue
    context = _context(signatures[f'sample{suffix}'])
    request = {'seed': tf.constant(SEED), 'n': tf.constant(1), **context}
    yield prediction_log(f'sample{suffix}', request)
    inputs = {'x': signatures[f'sample{suffix}'](**request)['x'], **context}
    if f'inverse{suffix}' in signatures:
      inputs['z'] = signatures[f'inverse{suffix}'](x=inputs['x'], **context)['z']
    for name in ('log_prob', 'score', 'inverse', 'forward'):
      if name + suffix not in signatures:
        continue
      arguments = signatures[name + suffix].structured_input_signature[1]
      for size in BATCH_SIZES:
        rows = {argument: tf.repeat(inputs[argument], size, axis=0) for argument in arguments}
        yield prediction_log(name + suffix, rows)


def _context(signature: Any) -> dict[str, tf.Tensor]:
  """Zeros for the context of a conditional density, which categories have a code for as well."""
  spec = signature.structured_input_signature[1].get('context')
  return {} if spec is None else {'context': tf.zeros([1, spec.shape[-1]], spec.dtype)}


def prediction_log(signature: str, inputs: dict[str, tf.Tensor]) -> bytes:
  """A serialised `tensorflow.serving.PredictionLog` of one request.

  Its few fields are written by hand, by number: tensorflow-serving-api, which declares them, has to
  match TensorFlow's version.

  Args:
    signature: Name of the function.
    inputs: Its inputs.
  """
  request = _field(1, _field(3, signature.encode()))  # PredictRequest.model_spec.signature_name
  for name, tensor in inputs.items():
    proto = tf.make_tensor_proto(tensor).SerializeToString()
    request += _field(2, _field(1, name.encode()) + _field(2, proto))  # PredictRequest.inputs
  return _field(6, _field(1, request))  # PredictionLog.predict_log.request


def _field(number: int, content: bytes) -> bytes:
  """A field of bytes in the wire format of protocol buffers: tag, length, content."""
  return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
  """Seven bits a byte, the lowest first; the highest bit says that there are others."""
  low, rest = value & 127, value >> 7
  return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
