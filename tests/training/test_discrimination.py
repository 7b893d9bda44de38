"""The loss of Bayes' rule is the cross-entropy of classes, of all of them or of the likeliest."""

import pickle

import h5py
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import distributions, posteriors, potentials, training
from tests.support import eager

CODES = np.array([[0.0], [1.0], [2.5], [-2.0]], np.float32)
PRIOR = np.array([0.1, 0.2, 0.3, 0.4])
LABELS = np.array([0, 1, 2, 3, 3, 0])
Y = np.linspace(-2.0, 3.0, 6)[:, np.newaxis]


def normal(y, codes, repeats=1):
  """ln p(y | o) = Normal(y; o, 1)."""
  del repeats
  codes = tf.cast(codes, y.dtype)
  return -0.5 * tf.reduce_sum(tf.square(y - codes), axis=-1) - 0.5 * np.log(2 * np.pi)


def posterior(prior):
  joint = scipy.stats.norm.logpdf(Y, CODES[:, 0], 1.0) + np.log(prior)
  return joint - scipy.special.logsumexp(joint, axis=1, keepdims=True)


@pytest.mark.parametrize('rivals', [None, 1, 2, 3])
@pytest.mark.parametrize('prior', [None, PRIOR])
def test_the_cross_entropy_is_that_of_bayes_rule_whichever_rivals_are_solved_for(rivals, prior):
  """Where a solve in half the steps is exact, a few rivals stand for all others exactly."""
  discrimination = training.Discrimination(CODES, rivals=rivals, prior=prior)
  y = tf.constant(Y)
  own = discrimination.classes(CODES[LABELS])
  found = discrimination.cross_entropy(
    own, y, normal(y, CODES[LABELS]), tf.constant(CODES, tf.float64), normal, normal
  )
  expected = -posterior(np.full(4, 0.25) if prior is None else prior)[np.arange(6), LABELS]
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert discrimination.num_rivals == (rivals or 3)


def points(n=600, seed=0):
  """Three classes that differ in the narrowest of six coordinates, where a density hardly looks."""
  rng = np.random.default_rng(seed)
  labels = np.arange(n) % 3
  x = rng.normal(size=(n, 6)) * [5.0, 3.0, 1.0, 1.0, 1.0, 0.3]
  x[:, 5] += 0.6 * labels
  return np.eye(3, dtype=np.float32)[labels], x.astype(np.float32), labels


def model(discrimination=None, rate=0.02, steps=4, **options):
  potential = potentials.OneHiddenLayer(6, 12, context_size=3, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, steps, 1 / steps)
  made = training.ConditionalLikelihood(bijector, discrimination=discrimination, **options)
  made.compile(training.adam(rate, 200) if rate else tf_keras.optimizers.SGD(0.0))
  return made


@pytest.mark.slow
@pytest.mark.parametrize('steps, rivals', [(4, None), (4, 1), (3, 2)])
def test_a_step_reports_the_cross_entropy_of_the_density_and_adds_it_by_its_weight(steps, rivals):
  observed, x, labels = points(90)
  classes = training.Discrimination(np.eye(3), weight=5.0, rivals=rivals)
  with eager.eagerly():
    made = model(classes, rate=0.0, steps=steps, penalties=None)
    logs = made.train_on_batch((observed, x), return_dict=True)
    found = posteriors.classify(made.density(), x, np.eye(3))
    bare = model(rate=0.0, steps=steps, penalties=None).train_on_batch((observed, x))
  assert logs['cross_entropy'] == pytest.approx(found.cross_entropy(labels), rel=2e-4)
  assert logs['loss'] == pytest.approx(bare + 5.0 * logs['cross_entropy'], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('rivals', [None, 1])
def test_classes_that_differ_next_to_the_latents_alone_share_the_solve_of_the_rest(rivals):
  observed, x, labels = points(60)
  shared, plain = (potentials.OneHiddenLayer(6, 5, seed=k) for k in range(2))
  given = potentials.OneHiddenLayer(6, 5, context_size=3, seed=2)
  flows = [ma_keras.MongeAmpereBijector(phi, 12, 1 / 12) for phi in (shared, given, plain)]
  discrimination = training.Discrimination(np.eye(3), rivals=rivals)
  with eager.eagerly():
    made = training.ConditionalLikelihood(
      distributions.FlowChain(flows), discrimination=discrimination, penalties=None
    )
    made.compile(tf_keras.optimizers.SGD(1e-9))
    logs = made.train_on_batch((observed, x), return_dict=True)
    found = posteriors.classify(made.density(), x, np.eye(3))
    gradients = [
      classes_gradient(made, observed, x, labels, variable)
      for variable in ((shared.kernel, given.kernel) if rivals is None else ())
    ]
  assert logs['cross_entropy'] == pytest.approx(found.cross_entropy(labels), rel=1e-4)
  for own, expected in gradients:
    np.testing.assert_allclose(own, expected, rtol=0.02, atol=0.01 * np.max(np.abs(expected)))


def classes_gradient(model, observed, x, labels, variable):
  """Derivatives of the cross-entropy, of the training step and of the density under all classes."""
  flow, rows = model.density(), tf.constant(np.concatenate([observed, x], axis=1))
  numbers = tf.range(len(x), dtype=tf.int64)
  seed, weights = model.per_sample_seeds(numbers, 'test', len(x))[1], tf.ones(len(x))
  with tf.GradientTape() as tape:
    z = flow.bijector.inverse(x, **flow.bijector_options(tf.constant(observed)))
    log_prob = tf.zeros(len(x))
    loss = tf.reduce_mean(model._class_loss(rows, tf.constant(x), log_prob, z, seed, weights))
  own = tape.gradient(loss, variable)
  with tf.GradientTape() as tape:
    codes = np.eye(3, dtype=np.float32)
    joint = tf.stack([flow.log_prob(x, context=code) for code in codes], axis=-1)
    loss = -tf.reduce_mean(tf.gather(tf.nn.log_softmax(joint), labels, batch_dims=1))
  return own, tape.gradient(loss, variable)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('method', ['rk4', 'euler'])
def test_a_single_coarse_step_next_to_the_latents_gives_all_classes_the_same_error(method):
  """Otherwise training would be paid for the difference of two discretisations."""
  observed, x, labels = points(60)
  shared = potentials.OneHiddenLayer(6, 5, seed=0)
  given = potentials.OneHiddenLayer(6, 5, context_size=3, seed=2)
  given.amplitude.assign(40.0 * given.amplitude)
  flows = [ma_keras.MongeAmpereBijector(phi, 1, 1.0, method) for phi in (shared, given)]
  made = training.ConditionalLikelihood(
    distributions.FlowChain(flows),
    discrimination=training.Discrimination(np.eye(3)),
    penalties=None,
  )
  made.compile(tf_keras.optimizers.SGD(0.0))
  logs = made.train_on_batch((observed, x), return_dict=True)
  found = posteriors.classify(made.density(), x, np.eye(3)).cross_entropy(labels)
  # Forward from the latents and back is not the identity in one coarse step, but nearly.
  assert logs['cross_entropy'] == pytest.approx(found, abs=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('types', [('f4', 'f8'), ('f8', 'f4'), ('f8', 'f8')])
def test_contexts_are_known_in_any_precision_and_parts_of_a_batch_may_be_empty(types):
  contexts = np.array([[0.1], [0.2], [0.7]])
  _, x, labels = points(3)
  potential = potentials.OneHiddenLayer(6, 4, context_size=1, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  for flow in (bijector, distributions.FlowChain([bijector, bijector])):
    classes = training.Discrimination(contexts, rivals=2)
    made = training.ConditionalLikelihood(flow, discrimination=classes, penalties=None)
    made.compile(tf_keras.optimizers.SGD(0.0), run_eagerly=True)
    made.accumulate = 4
    rows = contexts[labels].astype(types[0]), x.astype(types[1])
    logs = made.train_on_batch(rows, return_dict=True)
    found = posteriors.classify(made.density(), x, contexts)
    assert logs['cross_entropy'] == pytest.approx(found.cross_entropy(labels), rel=1e-4)


def test_rivals_without_any_density_leave_the_class_certain():
  y, codes = tf.constant(Y), tf.constant(CODES, tf.float64)
  nowhere = tf.fill([6], tf.constant(-np.inf, tf.float64))
  discrimination = training.Discrimination(CODES, rivals=1)
  own = discrimination.classes(CODES[LABELS])
  cross_entropy = discrimination.cross_entropy(
    own,
    y,
    normal(y, CODES[LABELS]),
    codes,
    log_prob=lambda *_: nowhere,
    coarse_log_prob=lambda *_: tf.fill([24], nowhere[0]),
  )
  np.testing.assert_array_equal(cross_entropy, np.zeros(6))


def test_weights_of_a_model_without_classes_are_those_of_versions_that_knew_none(tmp_path):
  groups = {}
  for name, made in (('plain', model()), ('classes', model(training.Discrimination(np.eye(3))))):
    made.save_weights(tmp_path / f'{name}.weights.h5')
    names: list[str] = []
    with h5py.File(tmp_path / f'{name}.weights.h5') as file:
      file.visit(names.append)
    groups[name] = {each for each in names if each.endswith('vars')}
  # A metric that is made and not listed, as of the cross-entropy, would be a group `_metrics`.
  assert not any(each.startswith('_metrics') for each in groups['plain'])
  assert groups['classes'] - groups['plain'] == {'metrics/row_mean_2/vars'}


@pytest.mark.slow
def test_classes_that_a_likelihood_does_not_tell_apart_are_told():
  observed, x, labels = points()
  accuracies = []
  for discrimination in (None, training.Discrimination(np.eye(3), weight=20.0, rivals=1)):
    made = model(discrimination)
    made.fit((observed, x), batch_size=100, epochs=25, verbose=0)
    with eager.eagerly():
      accuracies.append(posteriors.classify(made.density(), x, np.eye(3)).accuracy(labels)[0])
  assert accuracies[1] > accuracies[0] + 0.1
  again = pickle.loads(pickle.dumps(made))
  assert again.discrimination.rivals == 1 and again.discrimination.weight == 20.0


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_every_epoch_says_how_well_held_out_points_tell_their_class():
  observed, x, labels = points(60)
  made = model(training.Discrimination(np.eye(3), weight=2.0), rate=0.0)
  validation = training.Validation(np.concatenate([observed, x], axis=1), 60)
  callbacks = [validation, training.ClassValidation(validation)]
  logs = made.fit((observed, x), batch_size=60, epochs=1, verbose=0, callbacks=callbacks).history
  found = posteriors.classify(made.density(), x, np.eye(3))
  assert logs['val_accuracy'][0] == found.accuracy(labels)[0]
  assert logs['val_cross_entropy'][0] == pytest.approx(found.cross_entropy(labels), rel=1e-4)
  expected = logs['val_certified_nll'][0] + 2.0 * logs['val_cross_entropy'][0]
  assert logs['val_objective'][0] == pytest.approx(expected)
  for callbacks, trained, message in (
    ([training.ClassValidation(validation)], made, 'comes after its Validation'),
    ([validation, training.ClassValidation(validation)], model(), 'needs a model with classes'),
  ):
    with pytest.raises(ValueError, match=message):
      trained.fit((observed, x), batch_size=60, epochs=1, verbose=0, callbacks=callbacks)
  with pytest.raises(TypeError, match=r'must be a training.Validation, got ndarray'):
    training.ClassValidation(x)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'contexts': [[1.0]]}, r'two or more classes, \[K, O\], no two alike .* got \[\[1.0\]\]'),
    ({'contexts': [[1.0], [1.0]]}, 'no two alike'),
    ({'contexts': [[16777216.0], [16777217.0]]}, 'no two alike in single precision'),
    ({'contexts': [[1.0], [np.nan]]}, 'must be finite numbers'),
    ({'contexts': [['a'], ['b']]}, 'must be finite numbers'),
    ({'contexts': [[1.0], [1.0, 2.0]]}, 'must be finite numbers'),
    ({'contexts': [1.0, 2.0]}, r'got \[1.0, 2.0\]'),
    ({'weight': 0.0}, '`weight` must be positive and finite, got 0.0'),
    ({'rivals': 4}, '`rivals` must be whole, from 1 to 3, .* got 4'),
    ({'rivals': 1.5}, '`rivals` must be whole'),
    ({'prior': [0.5, 0.5]}, '`prior` must be 4 positive numbers of sum 1'),
  ],
)
def test_what_are_no_classes_is_refused_by_name(options, message):
  with pytest.raises(ValueError, match=message):
    training.Discrimination(**{'contexts': CODES, **options})


def test_contexts_of_no_class_or_another_length_are_refused():
  observed, x, _ = points(6)
  with pytest.raises(tf.errors.InvalidArgumentError, match=r'none of `discrimination.contexts`'):
    model(training.Discrimination(np.eye(3))).fit((2.0 * observed, x), verbose=0)
  with pytest.raises(tf.errors.InvalidArgumentError, match=r'none of `discrimination.contexts`'):
    rows = np.concatenate([2.0 * observed, x], axis=1)
    model(training.Discrimination(np.eye(3))).fit(rows, verbose=0)
  with pytest.raises(ValueError, match='contexts of 2 numbers, and the density takes 3'):
    model(training.Discrimination(np.eye(2)))
  with pytest.raises(TypeError, match=r'must be a training.Discrimination.* got ndarray'):
    model(np.eye(3))


def test_batch_normalisation_and_classes_are_refused():
  flows = [
    ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(2, 4, context_size=3, seed=k), 2, 0.5)
    for k in range(2)
  ]
  parts = [flows[0], distributions.BatchNormalisation(2), flows[1]]
  chain = distributions.FlowChain(parts)
  with pytest.raises(ValueError, match='`discrimination` and batch normalisation'):
    training.ConditionalLikelihood(chain, discrimination=training.Discrimination(np.eye(3)))
