"""A trained model as a SavedModel that TensorFlow alone can load and serve (docs/serving.md).

python apps/export_main.py --model=runs/digits_tiny/model.npz --output=saved_model
"""

from __future__ import annotations

import pathlib

from absl import flags

from ma_keras.apps import model_app
from ma_keras.files.replacing import check_folder
from ma_keras.saving import export

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.DEFINE_string('output', 'saved_model', 'Folder of the SavedModel.')


def work() -> None:
  """Writes it."""
  path = pathlib.Path(FLAGS.output)
  check_folder(path, export.NAMES)  # Fails now if it holds something else.
  model = model_app.load()
  unconstrained = model.latent_flow() if model.preprocessing else None
  export.save(model.flow(), path, unconstrained, serving_files=True)
  print(f'SavedModel: {FLAGS.output}')


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
