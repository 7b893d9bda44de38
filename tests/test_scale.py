"""Formulas of docs/scale.md: operations as they are counted, and figures of the page."""

import re

import pytest
import tensorflow as tf

import ma_keras
from tests.integration.apps import ROOT

with pytest.MonkeyPatch.context() as patch:
  patch.syspath_prepend(ROOT / 'benchmarks')
  import operation_count
  import step_costs

PAGE = (ROOT / 'docs' / 'scale.md').read_text()
IMAGES = step_costs.Sizes(n=12_288, h=4096, b=64, d=24, in_x=True)


@pytest.mark.parametrize('gradient', ['store', 'recompute'])
@pytest.mark.parametrize('n, h, hidden', [(16, 64, False), (24, 40, True)])
def test_operations_of_a_training_step_are_counted(gradient, n, h, hidden):
  sizes = step_costs.Sizes(n=n, h=h, b=32, d=3)
  potential = ma_keras.potentials.OneHiddenLayer(n, h, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, sizes.d, 0.1, gradient=gradient)
  flow = ma_keras.standard_normal_flow(bijector)

  def step():
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(tf.ones([sizes.b, n])))
    return tape.gradient(loss, potential.trainable_variables)

  assert sizes.hidden is hidden
  formula = step_costs.operations(sizes, gradient)
  assert operation_count.counted(step).products == pytest.approx(formula, rel=0.03)


def test_operations_of_a_product_with_a_transposed_factor():
  a, b = tf.ones([3, 5]), tf.ones([3, 7])
  count = operation_count.counted(lambda: tf.matmul(a, b, transpose_a=True))
  assert count == (2.0 * 5 * 3 * 7, 35.0)


def test_the_page_evaluates_the_formulas():
  operations = step_costs.operations(IMAGES, 'store')
  assert f'{operations:.1e} operations, {operations / 20e12:.2f} s'.replace('+', '') in PAGE
  sent = step_costs.sent(IMAGES.parameters, 64)
  assert f'{sent / 1e6:.0f} MB, {sent / 25e9:.3f} s' in PAGE
  assert f'| kept | {IMAGES.d * step_costs.kept(IMAGES, "store") / 1e9:.1f} GB |' in PAGE
  lattice = 3 * 48 * 16 * step_costs.lattice_operations(256, 16)
  assert f'{lattice:.1e} operations, {lattice / 20e12:.2f} s'.replace('+', '') in PAGE
  kernels, quadratic = 28 * 16 + 16 + 16 * 6, 129 * 130 // 2 * 6
  assert f'{step_costs.sent(kernels + quadratic, 64) / 1e3:.0f} kB' in PAGE
  (pairs,) = re.findall(r'4.4 x 48 x 2 x ([\d.]+) GB x B', PAGE)
  assert pairs == f'{4 * step_costs.pairs_written(1000, 24) / 1e9:.2f}'
