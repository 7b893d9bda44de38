"""What docs/keras.md shows works as written."""

import pathlib
import re

import numpy as np

PAGE = (pathlib.Path(__file__).resolve().parents[1] / 'docs' / 'keras.md').read_text()


def test_the_examples_run_in_order(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  names: dict = {'__name__': '__main__'}
  blocks = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
  for block in blocks:
    exec(compile(block, 'keras.md', 'exec'), names)
    if block is blocks[0]:
      mean = -np.mean(names['log_densities'])
      np.testing.assert_allclose(names['loss'], mean, rtol=1e-5)
      found = names['density'].log_prob(names['x'].astype(np.float32))
      np.testing.assert_allclose(found, names['log_densities'], rtol=1e-4)
  assert len(blocks) == 4
  scores = [names[name].predict(names['x'][:9], verbose=0) for name in ('whole', 'other')]
  np.testing.assert_array_equal(*scores)
