"""Models that come with the package: small, described, and what their cards say."""

import numpy as np
import pytest

from ma_keras import pretrained


@pytest.mark.parametrize('name', pretrained.names())
def test_it_is_small_and_its_card_has_its_figures(name):
  model, card = pretrained.load(name), pretrained.card(name)
  assert (pretrained.FOLDER / f'{name}.npz').stat().st_size < 5e6
  assert f'{model.notes["nll"]:.2f}' in card
  assert f'{model.notes["bits_per_dimension"]:.4f}' in card
  parameters = sum(int(np.prod(v.shape)) for v in model.bijector.trainable_variables)
  assert parameters == model.notes['parameters'] and f'{parameters:,}' in card


def test_mnist_draws_images_and_scores_them():
  """Samples are likely under the model, and the same pixels shuffled are not."""
  flow = pretrained.load('mnist').flow()
  x = flow.sample(20, seed=1).numpy()
  assert x.shape == (20, 28, 28, 1)
  assert x.min() > -3e-4 and x.max() < 256 + 3e-4  # The margin: 256 lambda.
  shuffled = np.random.default_rng(0).permuted(x.reshape(20, 784), axis=1).reshape(x.shape)
  assert np.all(flow.log_prob(x).numpy() > flow.log_prob(shuffled).numpy() + 100)


def test_unknown_names_are_refused():
  with pytest.raises(ValueError, match=r"one of \['mnist'\], got 'cats'"):
    pretrained.load('cats')
