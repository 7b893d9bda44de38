"""What TensorFlow Serving reads beside a SavedModel is read back by descriptors, and replayed."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

import ma_keras
from ma_keras import data
from ma_keras.saving import export, tensorflow_serving

pytestmark = pytest.mark.slow

FIELD = descriptor_pb2.FieldDescriptorProto
TENSOR = '.' + tensor_pb2.TensorProto.DESCRIPTOR.full_name
# Message -> field -> number, type and whether it repeats; tensorflow_serving/apis/*.proto.
MESSAGES = {
  'ModelSpec': {'name': (1, None, False), 'signature_name': (3, None, False)},
  'Input': {'key': (1, None, False), 'value': (2, TENSOR, False)},
  'PredictRequest': {
    'model_spec': (1, '.served.ModelSpec', False),
    'inputs': (2, '.served.Input', True),
  },
  'PredictLog': {'request': (1, '.served.PredictRequest', False)},
  'PredictionLog': {'predict_log': (6, '.served.PredictLog', False)},
}


def prediction_log():
  """The class of the message, from its field numbers; a map is a list of key and value."""
  file = descriptor_pb2.FileDescriptorProto(name='served.proto', package='served', syntax='proto3')
  file.dependency.append(tensor_pb2.DESCRIPTOR.name)
  for name, fields in MESSAGES.items():
    message = file.message_type.add(name=name)
    for field, (number, kind, repeats) in fields.items():
      message.field.add(
        name=field,
        number=number,
        type=FIELD.TYPE_MESSAGE if kind else FIELD.TYPE_STRING,
        type_name=kind,
        label=FIELD.LABEL_REPEATED if repeats else FIELD.LABEL_OPTIONAL,
      )
  pool = descriptor_pool.Default()
  pool.Add(file) if hasattr(pool, 'Add') else pool.AddSerializedFile(file.SerializeToString())
  return message_factory.GetMessageClass(pool.FindMessageTypeByName('served.PredictionLog'))


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  folder = tmp_path_factory.mktemp('served')
  latents = ma_keras.bases.StandardNormal(3)
  export.save(data.Pixels()(latents), folder, latents, serving_files=True)
  return folder


def test_every_signature_is_warmed_up_with_finite_results(path):
  signatures = tf.saved_model.load(str(path)).signatures
  message, seen = prediction_log(), {}
  for record in tf.data.TFRecordDataset(str(path / tensorflow_serving.WARM_UP)):
    request = message.FromString(record.numpy()).predict_log.request
    inputs = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
    name = request.model_spec.signature_name
    outputs = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
    assert all(np.isfinite(value).all() for value in outputs.values()), name
    seen.setdefault(name, []).append(len(next(iter(outputs.values()))))
  sizes = {name: [1] if 'sample' in name else list(tensorflow_serving.BATCH_SIZES) for name in seen}
  assert seen == sizes
  assert set(seen) == set(signatures) - {'serving_default'}


def test_the_batching_file_names_the_sizes(path):
  """Its text parses as the fields of tensorflow.serving.BatchingParameters."""
  lines = (path / tensorflow_serving.BATCHING).read_text().splitlines()
  sizes = [int(line.split(': ')[1]) for line in lines if line.startswith('allowed_batch_sizes')]
  assert sizes == sorted(sizes) and f'max_batch_size {{ value: {sizes[-1]} }}' in lines


@pytest.mark.parametrize('length', [0, 1, 127, 128, 300, 2**14, 2**21])
def test_lengths_are_read_back(length):
  """A bytes field of any message will do: StringValue's is number 1."""
  from google.protobuf import wrappers_pb2

  text = tensorflow_serving._field(1, b'a' * length)
  assert wrappers_pb2.BytesValue.FromString(text).value == b'a' * length
