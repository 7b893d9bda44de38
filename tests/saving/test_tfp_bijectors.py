"""TFP's own bijectors before a flow, in a model file: numbers and names, and no code."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data
from ma_keras.saving import model_file, tfp_bijectors
from tests.support.bijectors import generic, points

tfb = tfp.bijectors


def number(value):
  return tf.constant(value, tf.float64)


BIJECTORS = {
  'Chain': lambda: tfb.Chain(
    [tfb.Shift(number([1.0, 2.0, 3.0])), tfb.Scale(number(-2.0)), tfb.Exp()]
  ),
  'Invert': lambda: tfb.Invert(tfb.Chain([tfb.Softplus(), tfb.Shift(number(0.3))]))(tfb.Exp()),
  'Scale': lambda: tfb.Scale(log_scale=number([0.1, 0.2, 0.3])),
  'Sigmoid': lambda: tfb.Sigmoid(low=number(-1.0), high=number([1.0, 2.0, 3.0])),
  'SinhArcsinh': lambda: tfb.SinhArcsinh(number(0.3), number(1.2)),
  'Power': lambda: tfb.Chain([tfb.Power(number(0.5)), tfb.Exp()]),
  'ScaleMatvecTriL': lambda: tfb.ScaleMatvecTriL(number(np.tril(np.ones([3, 3])))),
  'ScaleMatvecDiag': lambda: tfb.ScaleMatvecDiag(number([1.0, 2.0, 3.0])),
  'with one of ours': lambda: tfb.Chain(
    [tfb.Expm1(), data.Standardised([1.0, 2.0, 3.0], [1.0, 2.0, 1.0], tf.float64)]
  ),
  **{name: getattr(tfb, name) for name in tfp_bijectors.PLAIN},
}


@pytest.mark.parametrize('name', BIJECTORS)
def test_the_density_comes_back_to_the_bit(tmp_path, name):
  preprocessing = BIJECTORS[name]()
  model = model_file.Model(generic(num_steps=1), preprocessing)
  model_file.save(tmp_path / 'model.npz', model)
  again = ma_keras.load(tmp_path / 'model.npz')
  y = 0.3 * points(4)
  x = preprocessing.forward(y)
  np.testing.assert_array_equal(again.preprocessing.forward(tf.identity(y)), x)
  log_dets = [
    b.forward_log_det_jacobian(tf.identity(y), 1) for b in (preprocessing, again.preprocessing)
  ]
  np.testing.assert_array_equal(*log_dets)


REFUSED = {
  'another': (lambda: tfb.Square(), 'Square is none of them'),
  'of a softness': (lambda: tfb.Softplus(hinge_softness=2.0), "Softplus has 'hinge_softness'"),
  'trained': (lambda: tfb.Shift(tf.Variable(number(1.0))), 'Shift has a variable'),
  'within a chain': (lambda: tfb.Chain([tfb.Exp(), tfb.Square()]), 'Square is none of them'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_others_are_told_what_can_be_saved(tmp_path, name):
  make, reason = REFUSED[name]
  with pytest.raises(NotImplementedError, match=f'holds data.Pixels.*Chain.*{reason}') as caught:
    model_file.save(tmp_path / 'model.npz', model_file.Model(generic(), make()))
  assert '\n' not in str(caught.value) and not list(tmp_path.iterdir())


def test_numbers_that_do_not_fit_the_flow_are_refused(tmp_path):
  """As does a file that asks for anything else of TFP's."""
  path = tmp_path / 'model.npz'
  model_file.save(path, model_file.Model(generic(), tfb.Shift(number([1.0, 2.0]))))
  with pytest.raises(ValueError, match='damaged, or was written by hand'):
    ma_keras.load(path)
  model_file.save(path, model_file.Model(generic(), tfb.Exp()))
  arrays = dict(np.load(path))
  described = json.loads(str(arrays['model']))
  described['preprocessing']['class'] = 'Inline'
  np.savez(path, **{**arrays, 'model': json.dumps(described)})
  with pytest.raises(ValueError, match='damaged, or was written by hand'):
    ma_keras.load(path)
