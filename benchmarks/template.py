"""Markdown in which every figure is read from a file, by a placeholder that names its place.

  {{ising_l8/summary:total_kl|.3f}}           a value, in a format of Python's
  {{records:ising_l8/commit}}                 texts and integers need no format
  {{ising_l8/summary:statistical_error|times num_sites|.1g}}          times what lies beside it
  {{benchmarks/couplings:results/couplings/*/seconds alone|sum|.0f}}  of all keys

`places.Files` says what a place is. Helpers stand between place and format: those of REDUCTIONS for
a list or all that a * stands for, UNITS, and ARITHMETIC with another place, or the key of what lies
beside. A list is written with commas between.

  {{for ROW in benchmarks/couplings:results/couplings/*}}| {{ROW/coupling|.3f}} | ...
  {{for RUN in ising_l8, ising_l16_best}}| `RUN.flags` | {{RUN/summary:total_kl|.3f}} | ...

begin a line that is written once for every place, or word, with it instead of ROW or RUN.
"""

from __future__ import annotations

import math
import operator
import re
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from places import Files

PLACEHOLDER = re.compile(r'\{\{(.*?)\}\}')
LOOP = re.compile(r'\{\{for (\w+) in (.*?)\}\}(.*)')
REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
  'count': len,
  'sum': math.fsum,
  'least': min,
  'greatest': max,
  'largest': lambda values: max(map(abs, values)),
  'mean': statistics.fmean,
  'error': lambda values: statistics.stdev(values) / math.sqrt(len(values)),  # Of their mean.
  'joint error': lambda errors: math.hypot(*errors) / len(errors),  # Of the mean of what has them.
}
UNITS = {'percent': 100.0, 'milli': 1000.0}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
  'times': operator.mul,
  'over': operator.truediv,
  'less': operator.sub,
}


def page(source: str, files: Files) -> str:
  """The page that a source makes.

  Args:
    source: Markdown with placeholders.
    files: Where their places are.

  Raises:
    ValueError: If a placeholder has no value; the message has it, and its line.
  """
  return '\n'.join(lines(source, files))


def lines(source: str, files: Files) -> Iterator[str]:
  """Lines of the page."""
  for number, line in enumerate(source.split('\n'), start=1):
    try:
      yield from [filled(row, files) for row in repeated(line, files)]
    except ValueError as error:
      raise ValueError(f'Line {number}: {error}') from error


def repeated(line: str, files: Files) -> list[str]:
  """The line, or its rest once for every item of the loop that it begins with."""
  loop = LOOP.match(line)
  if loop is None:
    return [line]
  variable, items, row = loop.groups()
  names = [name for item in items.split(', ') for name in files.expanded(item)]
  return [name.join(re.split(rf'\b{variable}\b', row)) for name in names]


def filled(line: str, files: Files) -> str:
  """The line with a figure for every placeholder."""
  text = PLACEHOLDER.sub(lambda match: figure(match[1], files), line)
  if '{{' in text or '}}' in text:
    raise ValueError(f'braces that are no placeholder in "{text}"')
  return text


def figure(placeholder: str, files: Files) -> str:
  """Text instead of a placeholder, whose braces are off."""
  place, *steps = placeholder.split('|')
  try:
    values = [files.read(each) for each in files.expanded(place)]
    value: Any = values if '*' in place else values[0]
    for step in steps:
      value = changed(value, step, place, files)
  except (ArithmeticError, TypeError, ValueError) as error:
    raise ValueError(f'{placeholder}: {error}') from error
  if not isinstance(value, int | str):
    raise ValueError(f'{placeholder}: {value} needs a format, such as |.3f')
  return str(value)


def changed(value: Any, step: str, place: str, files: Files) -> Any:
  """The value after a helper, or as text in a format."""
  name, _, operand = step.partition(' ')
  if step in REDUCTIONS:
    return REDUCTIONS[step](value)
  if step in UNITS:
    return UNITS[step] * value
  if name in ARITHMETIC:
    neighbour = re.sub(r'[^:/]*$', '', place) + operand
    other = files.read(operand if ':' in operand else neighbour)
    return ARITHMETIC[name](float(value), other)
  return ', '.join(number(each, step) for each in (value if isinstance(value, list) else [value]))


def number(value: Any, form: str) -> str:
  """A value in a format, 3e-5 without the zero of 3e-05."""
  return re.sub(r'e([+-])0', r'e\1', format(value, form))
