"""Cases from the field, inputs that once gave a wrong value, and the tests of their right ones."""

from __future__ import annotations

import ast
import functools
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = 'tests/robustness/test_field_cases.py'
# Number -> what the case is, and tests that hold its right value.
CASES: dict[int, tuple[str, tuple[str, ...]]] = {
  # 4.3257 and 4.2210 are of a flow that is not stated: the mean over 512 rows stands for them.
  1: (
    '`fit`, `evaluate` and `predict` of arrays, dictionaries, pairs, generators',
    (
      'tests/training/test_data_model.py::test_case_1_evaluate_is_the_mean_over_all_rows_and_'
      'predict_each_of_them',
      'tests/training/test_data_model.py::test_fit_takes_what_evaluate_does',
      'tests/training/test_data_model.py::test_case_1_of_512_rows_the_mean_is_over_all_and_not_over_'
      'row_one_of_batches',
    ),
  ),
  2: (
    'weights as HDF5, by any way of saving',
    (
      'tests/training/test_saving.py::test_case_2_weights_come_back_to_the_bit',
      'tests/training/test_saving.py::test_case_2_whole_models_come_back_to_the_bit',
      'tests/training/test_saving.py::test_model_checkpoint_keeps_the_best',
    ),
  ),
  3: (
    '`sample_weight`',
    (
      'tests/training/test_data_model.py::test_case_3_a_weight_of_two_is_a_row_that_stands_twice',
      'tests/training/test_data_model.py::test_a_weight_of_two_pulls_as_a_row_that_stands_twice',
    ),
  ),
  4: (
    '`log_prob` of a Keras `Input`',
    (
      'tests/layers/test_keras_layers.py::test_case_4_a_functional_model_of_log_prob_trains_the_flow',
    ),
  ),
  5: (
    'a byte order mark without a header',
    ('tests/data/test_delimited.py::test_a_byte_order_mark_is_no_header',),
  ),
  6: (
    'decimal commas, semicolons, tabs',
    (
      'tests/data/test_delimited.py::test_a_column_of_decimal_commas_is_one_column',
      'tests/data/test_delimited.py::test_separators_quotes_and_decimal_marks',
    ),
  ),
  7: (
    '600 Unix seconds, 1e5 + N(0, 1e-3), 1e39',
    (
      f'{HERE}::test_case_7_columns_that_float32_cannot_tell_apart',
      f'{HERE}::test_case_7_scores_and_exports_say_the_same',
      'tests/data/test_delimited.py::test_double_precision_is_kept',
    ),
  ),
  8: (
    'columns in another order',
    (
      'tests/apps/test_score.py::test_case_8_width_before_length_scores_minus_1_16_and_not_minus_'
      '12726',
      'tests/apps/test_score.py::test_columns_are_put_in_the_order_of_the_model_or_refused',
      'tests/integration/test_table_app.py::test_names_are_kept_and_columns_put_in_order',
    ),
  ),
  9: (
    'N(10, 3) x N(-5, 0.1), entropy 1.634 nats, from training, `eval` and `score`',
    (
      'tests/integration/test_table_app.py::test_training_reports_nats_of_the_data_beside_the_'
      'baselines',
      'tests/integration/test_table_app.py::test_eval_and_score_say_the_same',
    ),
  ),
  # -5.06 and -4.22 of Cauchy and lognormal are truths, which their rows are held against.
  10: (
    'an outlier at 1e6, Cauchy, lognormal(0, 2)',
    (
      'tests/test_estimator.py::test_tails_do_not_spoil_the_rest',
      'tests/test_estimator.py::test_case_10_one_row_at_a_million_leaves_1200_others_their_entropy',
    ),
  ),
  11: (
    '`T.CSV`, `t.csv.gz`, Parquet, couplings as `.csv`',
    (
      'tests/data/test_tables.py::test_upper_case_and_packed_names_are_read',
      'tests/data/test_tables.py::test_what_is_not_read_gets_a_list_of_what_is',
      'tests/data/test_columnar.py::test_numbers_of_any_type_are_float64_and_others_are_named',
      'tests/apps/test_ising_target.py::test_couplings_of_any_table',
    ),
  ),
  # Training takes minutes, and starts from what is tested; some rows were not stated.
  12: (
    'wine, normals, modes: never worse than a Gaussian, as good as a mixture',
    (
      f'{HERE}::test_case_12_small_tables_in_standardised_nats',
      'tests/test_estimator.py::test_a_gaussian_is_found_to_be_one',
      'tests/test_estimator.py::test_it_beats_a_mixture_on_modes',
    ),
  ),
  13: (
    '`score --input=F --output=F`',
    (
      'tests/apps/test_score.py::test_no_output_is_an_input',
      'tests/robustness/test_tables.py::test_a_table[--output that is the input, by name or link]',
    ),
  ),
  14: (
    'pixels 300 and -1',
    (
      'tests/apps/test_score_pictures.py::test_outside_the_support_the_density_is_zero',
      'tests/robustness/test_tables.py::test_a_table[pixels 300 or -1, to score]',
    ),
  ),
  15: (
    '14 x 56 for 28 x 28, grey stored as RGB',
    (
      'tests/data/test_pictures.py::test_a_size_is_more_than_a_number_of_pixels',
      'tests/data/test_pictures.py::test_grey_in_any_mode_is_grey',
      'tests/data/test_tables.py::test_arrays_of_another_shape_than_the_pictures_of_a_model_are_'
      'refused',
    ),
  ),
  16: (
    'pickles',
    (
      'tests/test_pickling.py::test_potentials_pickle_and_copy',
      'tests/test_pickling.py::test_case_16_bijectors_pickle_with_all_their_arguments',
      'tests/test_pickling.py::test_whole_flows_pickle_and_copy',
    ),
  ),
  # The flow of F(1) = .8385 is not stated: one in closed form has it.
  17: (
    '`cdf` and `quantile` in one dimension, by quadrature',
    (
      'tests/distributions/test_flow_distribution.py::test_case_17_cdf_is_the_integral_of_the_density',
      'tests/distributions/test_flow_distribution.py::test_case_17_one_is_the_quantile_of_0_8385',
      'tests/distributions/test_flow_distribution.py::test_case_17_quantile_is_the_inverse',
    ),
  ),
  # Seconds are a machine's: values at ten steps, no loops and a bounded graph stand for them.
  18: (
    'the Hessian of `log_prob`, N = 2, three points, ten steps',
    (
      'tests/flow/gradients/test_second_order.py::test_case_18_in_eager_code',
      'tests/flow/gradients/test_second_order.py::test_case_18_a_second_derivative_of_ten_steps_has_no_'
      'loops',
    ),
  ),
  19: (
    'exports of mixtures and of flows in parts',
    (
      'tests/saving/test_export.py::test_case_19_whatever_is_one_density_is_exported',
      'tests/saving/test_export.py::test_case_19_anything_else_is_told_what_can_be_exported',
    ),
  ),
  20: (
    'subclasses of potentials; operations of all kinds under XLA',
    (
      'tests/potentials/test_overrides.py::test_case_20_an_overridden_method_is_integrated_in_'
      'every_mode',
      'tests/flow/gradients/test_compiled.py::test_case_20_common_operations_train_under_xla',
    ),
  ),
  # 150 of 3,606 are random flows of a benchmark, of which some are tried.
  21: (
    'certificates: what halving does to `log_prob` itself',
    (
      'tests/flow/test_certificate.py::test_the_closed_form_of_a_quadratic_flow',
      'tests/flow/test_certificate.py::test_case_21_a_log_density_off_by_4100_nats_is_certified_by_'
      'its_laplacian_alone',
      'tests/test_pretrained.py::test_case_21_halving_the_12_steps_of_training_changes_mnist_by_two_'
      'thirds_of_a_nat',
      'tests/flow/test_certificate.py::test_one_halving_is_fooled_where_the_doubt_is_not',
      'tests/test_stiff_flows.py::test_no_wrong_log_density_is_certified',
      'tests/apps/test_certify.py::test_certificates_of_pretrained_models_are_the_change_on_'
      'halving',
    ),
  ),
  # That run takes minutes: a small one cheats, and the stated numbers meet the decisions.
  22: (
    'training that cheats its integrator',
    (
      'tests/integration/test_mnist_app.py::test_a_run_that_cheats_its_integrator_ends_in_doubt_'
      'with_the_remedy',
      'tests/integration/test_mnist_app.py::test_files_keep_the_depth_at_which_the_likelihood_was_'
      'certified',
      'tests/integration/test_mnist_app.py::test_data_have_a_stiffness_penalty_by_default',
      'tests/training/test_likelihood.py::test_case_22_a_model_of_20_steps_that_needs_640_is_'
      'doubted_and_keeps_320',
      'tests/training/test_likelihood.py::test_steps_of_training_that_say_something_else_are_'
      'doubted',
    ),
  ),
  # The runs take minutes: the stated numbers meet the guard.
  23: (
    'healthy runs that were stopped: a rise from 0.00 by 0.01, from 7.31 to 7.69',
    (
      'tests/training/test_callbacks.py::test_case_23_a_rise_of_5_per_cent_is_within_the_fall_so_'
      'far',
      'tests/training/test_callbacks.py::test_healthy_runs_pass_whatever_the_zero_of_their_'
      'likelihood',
      'tests/integration/test_mnist_app.py::test_after_a_stop_the_best_weights_are_reported_and_'
      'saved',
    ),
  ),
  # 22 GB are not tried; the body is dropped.
  24: (
    'memory of `log_prob` and of requests',
    (
      'tests/flow/gradients/test_on_demand.py::test_arrays_of_stages_are_in_the_graph_of_a_taped_flow_'
      'alone',
      'tests/flow/gradients/test_on_demand.py::test_case_24_log_prob_of_100000_rows_takes_no_more_'
      'than_plain_did',
      'tests/serving/test_limits.py::test_case_24_json_of_60_mb_is_dropped_as_it_comes',
      'tests/flow/gradients/test_on_demand.py::test_many_points_are_taken_some_at_a_time',
      'tests/serving/test_limits.py::test_json_that_grows_in_memory_is_refused_before_it_is_read',
      'tests/serving/test_limits.py::test_bytes_of_all_requests_are_bounded_and_given_back',
    ),
  ),
  25: (
    'data replaced under their name; two processes in one run directory',
    ('tests/integration/test_command.py::test_a_run_knows_its_data_and_its_owner',),
  ),
  # A disk of its own needs a mount: a limit of file sizes, and of what is free, stand for it.
  26: (
    'full disks, limits, damaged weights, Ctrl-C',
    (
      'tests/robustness/test_apps.py::test_an_app[a full disk, in any app]',
      'tests/robustness/test_apps.py::test_an_app[a damaged best (exit code 3)]',
      'tests/robustness/test_apps.py::test_an_app[Ctrl-C]',
      'tests/data/test_writing.py::test_case_26_samples_that_a_small_disk_cannot_hold',
      'tests/data/test_writing.py::test_a_disk_that_is_full_on_the_way_leaves_the_old_file_and_'
      'nothing_beside',
      'tests/saving/test_export.py::test_a_full_disk_leaves_the_export_before_and_nothing_beside',
    ),
  ),
  27: (
    'model files with `hidden_units` of 3e8, zip bombs, NaN',
    (
      'tests/saving/test_model_file.py::test_a_description_by_hand_is_refused_at_once',
      'tests/saving/test_model_file.py::test_arrays_by_hand_are_refused_at_once',
    ),
  ),
  28: (
    'lines whose change no test noticed: penalty, best weights, exit code, stopped gradient, '
    'decay, target of `eval`',
    (
      'tests/apps/test_ising.py::test_options_reach_the_model_and_the_rate_decays_until_the_last_'
      'step',
      'tests/apps/test_density.py::test_the_best_weights_are_reported_and_not_the_last',
      'tests/apps/test_density.py::test_a_likelihood_in_doubt_is_written_and_ends_in_its_own_exit_'
      'code',
      'tests/test_objectives.py::test_force_matching_holds_its_points_fixed',
      'tests/apps/test_density.py::test_options_reach_the_model_and_the_rate_decays_until_the_last_'
      'step',
      'tests/apps/test_evaluate.py::test_a_free_energy_is_that_of_the_target_the_model_was_trained_'
      'for',
    ),
  ),
  29: (
    "a release of somebody else's that turns a test run red",
    (
      'tests/test_requirements.py::test_linters_are_pinned_apart_from_what_is_installed',
      'tests/test_requirements.py::test_no_test_runs_a_linter',
    ),
  ),
}


def table() -> str:
  """The cases as lines of Markdown."""
  rows = [
    f'| {case} | {what} | {"; ".join(f"`{test}`" for test in tests)} |'
    for case, (what, tests) in CASES.items()
  ]
  return '\n'.join(['| case | what | its right value |', '| --- | --- | --- |', *rows])


def exists(test: str) -> bool:
  """Tells if there is a test function of that id, and a row of that name where one is given."""
  path, _, name = test.partition('::')
  function, _, row = name.removesuffix(']').partition('[')
  return function in _functions(path) and (not row or row in _rows(path))


@functools.cache
def _functions(path: str) -> frozenset[str]:
  file = ROOT / path
  tree = ast.parse(file.read_text() if file.exists() else '')
  return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@functools.cache
def _rows(path: str) -> frozenset[str]:
  from tests.robustness import document  # Here: it imports this module.

  sections = {f'tests/robustness/test_{name}.py': rows for name, rows in document.SECTIONS.items()}
  return frozenset(map(str, sections.get(path, ())))
