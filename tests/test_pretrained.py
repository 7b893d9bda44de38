"""Models that come with the package: small, described, and what their cards say."""

import numpy as np
import pytest

from ma_keras import pretrained, targets, training

ISING = [name for name in pretrained.names() if name.startswith('ising')]


@pytest.mark.parametrize('name', pretrained.names())
def test_it_is_small_and_its_card_knows_its_size(name):
  model, card = pretrained.load(name), pretrained.card(name)
  assert (pretrained.FOLDER / f'{name}.npz').stat().st_size < 5e6
  parameters = sum(int(np.prod(v.shape)) for v in model.bijector.trainable_variables)
  assert f'{parameters:,} parameters' in card


def test_the_card_of_mnist_has_its_figures():
  notes, card = pretrained.load('mnist').notes, pretrained.card('mnist')
  assert f'{notes["nll"]:.2f}' in card and f'{notes["bits_per_dimension"]:.4f}' in card


@pytest.mark.parametrize('name', ISING)
def test_the_card_of_an_ising_flow_has_its_figures(name):
  notes, card = pretrained.load(name).notes, pretrained.card(name)
  assert f'KL {notes["total_kl"]:.3f}' in card
  assert f'{100 * notes["effective_sample_size"]:.1f} %' in card


@pytest.mark.slow
@pytest.mark.parametrize('name', ['ising_l8', 'ising_l16'])
def test_an_ising_flow_has_the_exact_free_energy_within_its_errors(name):
  model = pretrained.load(name)
  target = targets.Ising(model.notes['side'])
  draws = training.draw(model.bijector, target, 1000, 250, seed=3)
  found = training.summarise(draws, target.exact_free_energy_per_site())
  assert found.effective_sample_size > 0.7
  off = found.reweighted_per_site - found.exact_per_site
  assert abs(off) < 3 * (found.reweighted_error + found.reweighted_integration_error)


@pytest.mark.slow
def test_mnist_draws_images_and_scores_them():
  """Samples are likely under the model, and the same pixels shuffled are not."""
  flow = pretrained.load('mnist').flow()
  x = flow.sample(20, seed=1).numpy()
  assert x.shape == (20, 28, 28, 1)
  assert x.min() > -3e-4 and x.max() < 256 + 3e-4  # The margin: 256 lambda.
  shuffled = np.random.default_rng(0).permuted(x.reshape(20, 784), axis=1).reshape(x.shape)
  assert np.all(flow.log_prob(x).numpy() > flow.log_prob(shuffled).numpy() + 100)


def test_unknown_names_are_refused():
  with pytest.raises(ValueError, match=r"one of \[.*'mnist'\], got 'cats'"):
    pretrained.load('cats')
