"""The report on the columns of a table: what they hold, and the map that suits each."""

from ma_keras.data.columns.choice import categories_from_flag, kinds_from_flag, with_kinds
from ma_keras.data.columns.column import Column
from ma_keras.data.columns.relations import collinear, dependent
from ma_keras.data.columns.surveys import Survey, survey, survey_blocks
from ma_keras.data.columns.text import as_json, remarks, report, suggestion

__all__ = [
  'Column',
  'Survey',
  'as_json',
  'categories_from_flag',
  'collinear',
  'dependent',
  'kinds_from_flag',
  'remarks',
  'report',
  'suggestion',
  'survey',
  'survey_blocks',
  'with_kinds',
]
