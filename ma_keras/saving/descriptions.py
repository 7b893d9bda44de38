"""Objects as plain values {'class', 'arguments'}, and back: classes of a list, and nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import bases, data, potentials, symmetry, transport
from ma_keras.saving import tfp_bijectors


def with_laplacian(potential: potentials.Potential, method: potentials.Hutchinson) -> Any:
  """A potential with another Laplacian, as `Potential.with_laplacian` makes it."""
  if not isinstance(method, potentials.Hutchinson):
    raise ValueError(f'`method` is a {type(method).__name__}, and no Hutchinson')
  return potential.with_laplacian(method)


# What a description may ask for by name: nothing else is ever called.
CLASSES: dict[str, Any] = {
  cls.__name__: cls
  for cls in (
    *(potentials.DeepLattice, potentials.HyperNetwork, potentials.ParameterODE),
    *(potentials.Lattice, potentials.Magnetisation),
    *(potentials.DeepLocallyConnected, potentials.LocallyConnected, potentials.MLP),
    *(potentials.EmbeddedAtoms, potentials.EmbeddedCluster, potentials.EmbeddedDipoles),
    *(potentials.ExchangeableSet, potentials.Pairs, potentials.Projected),
    *(potentials.OneHiddenLayer, potentials.Quadratic, potentials.Separable),
    *(potentials.SpectralQuadratic, potentials.SpinLattice, potentials.Sum, potentials.TimeBasis),
    *(symmetry.Group, symmetry.GroupAverage, symmetry.OneElementPerInterval),
    *(symmetry.ParticleSymmetries, symmetry.RotationQuadrature),
    *(data.Pixels, data.Standardised),
    *(bases.MeanFreeNormal, bases.Mixture, bases.PeriodicUniform, bases.StandardNormal),
    *(data.ColumnMaps, potentials.Hutchinson),
    *(transport.BrenierMap, transport.ConvexLayer, transport.ConvexQuadratic, transport.HopfLax),
    *(transport.InputConvex, transport.PressurelessFlow, transport.Scaled),
  )
} | {'with_laplacian': with_laplacian, **tfp_bijectors.MAKERS}
# JSON types by annotation: True is no number, and '3' neither. Others are objects or their lists.
TYPES: dict[str, tuple[type, ...]] = {
  'int': (int,),
  'int | None': (int, type(None)),
  'float': (int, float),
  'bool': (bool,),
  'str': (str,),
  'np.ndarray': (list,),
  'Sequence[int]': (list,),
  'Sequence[int] | None': (list, type(None)),
  'Sequence[float] | None': (list, type(None)),
  'Sequence[float]': (list,),
  'tuple[int, int, int]': (list,),
  'np.ndarray | tf.Tensor': (list,),
  'Sequence[float] | np.ndarray': (list,),
  'seeds.Seed': (int, list),
}
LARGEST_SIDE = 512  # A torus has tables of L^2 numbers.


def describe(thing: Any, arrays: list[np.ndarray]) -> Any:
  """An object as {'class', 'arguments'}, and so are the objects within; {'array': k} for arrays.

  Args:
    thing: The object.
    arrays: Its NumPy arguments are added to these.

  Raises:
    NotImplementedError: It is none of `CLASSES`.
  """
  if isinstance(thing, list):
    return [describe(part, arrays) for part in thing]
  if isinstance(thing, np.ndarray):
    arrays.append(thing)
    return {'array': len(arrays) - 1}
  if described := tfp_bijectors.config(thing):
    name, arguments = described
    return {'class': name, 'arguments': {k: describe(v, arrays) for k, v in arguments.items()}}
  if not hasattr(thing, 'config'):
    return _plain(thing)
  if isinstance(thing, potentials.Potential) and thing.laplacian_method is not None:
    parts = {'potential': thing.with_laplacian(None), 'method': thing.laplacian_method}
    arguments = {name: describe(part, arrays) for name, part in parts.items()}
    return {'class': 'with_laplacian', 'arguments': arguments}
  name = type(thing).__name__
  if CLASSES.get(name) is not type(thing):
    raise NotImplementedError(
      f'{name} cannot be written to a model file, which holds {sorted(CLASSES)} only: save its '
      'variables by tf.train.Checkpoint.'
    )
  arguments = {k: describe(v, arrays) for k, v in thing.config().items()}
  return {'class': name, 'arguments': arguments}


def check_distinct(thing: Any) -> None:
  """Raises ValueError where one object with variables stands in two places of another.

  A description would make two of it, for which the file has the variables of one.
  """
  parts = [part for part in _parts(thing) if getattr(part, 'variables', ())]
  for number, part in enumerate(parts):
    if any(part is other for other in parts[:number]):
      raise ValueError(
        f'a {type(part).__name__} stands in two places of the potential, which a model file cannot '
        'say: give each place its own.'
      )


def _parts(thing: Any) -> Iterator[Any]:
  """The object and those that its configuration holds, and so on."""
  if isinstance(thing, list | tuple):
    for part in thing:
      yield from _parts(part)
  elif hasattr(thing, 'config'):
    yield thing
    yield from _parts(list(thing.config().values()))


def _plain(thing: Any) -> Any:
  """A number, a string or None as it is."""
  if thing is not None and not isinstance(thing, int | float | str):
    name = getattr(thing, '__qualname__', type(thing).__name__)
    raise NotImplementedError(
      f'{name} cannot be written to a model file, which holds {sorted(CLASSES)} only, and None for '
      'a base of standard normals: save the variables by tf.train.Checkpoint.'
    )
  return thing


def make(described: Any, dtype: tf.DType, arrays: Sequence[np.ndarray] = ()) -> Any:
  """The object again; raises whatever its class does with arguments that do not fit."""
  if isinstance(described, list):
    return [make(part, dtype, arrays) for part in described]
  if not isinstance(described, dict):
    return described
  if _is_array(described):
    return arrays[described['array']]
  cls = _class(described)
  arguments = {k: make(v, dtype, arrays) for k, v in described['arguments'].items()}
  wanted = inspect.signature(cls).parameters
  if 'dtype' in wanted:
    arguments['dtype'] = dtype
  if 'seed' in wanted:  # Of first values, overwritten soon; of draws, if it is there already.
    arguments.setdefault('seed', 0)
  return cls(**arguments)


def num_arrays(described: Any) -> int:
  """Counts the arrays that a description names: {'array': 0} to {'array': n - 1}.

  Raises:
    ValueError: A number is missing, or stands twice.
  """
  numbers = sorted(_array_numbers(described))
  if numbers != list(range(len(numbers))):
    raise ValueError(f'arrays are numbered {numbers[:10]}')
  return len(numbers)


def check(described: Any, variables: int) -> None:
  """Raises ValueError on what `make` should not even try.

  Args:
    described: An object's description.
    variables: How many variables there are for it: no more objects than they need are made.
  """
  things = list(_within(described))
  if len(things) > 3 * variables + 16:  # Each potential has variables; with a basis and a group.
    raise ValueError(f'it describes {len(things)} objects for {variables} variables')
  for thing in things:
    if thing.keys() != {'class', 'arguments'} or not isinstance(thing['arguments'], dict):
      raise ValueError(f"an object is described by {sorted(thing)}, not by 'class' and 'arguments'")
    for name, value in thing['arguments'].items():
      _check_argument(_class(thing), name, value)
    if len(_widths(thing)) > variables:
      raise ValueError(f'a network has {len(_widths(thing))} layers for {variables} variables')


def check_number(name: str, value: Any, types: tuple[type, ...]) -> None:
  """Raises ValueError unless the value is of these types of JSON's, and finite."""
  if type(value) not in types or (isinstance(value, float) and not math.isfinite(value)):
    raise ValueError(f'`{name}` is {str(value)[:60]!r}')


def _class(described: dict[str, Any]) -> Any:
  name = described.get('class')
  if not isinstance(name, str) or name not in CLASSES:
    raise ValueError(f'The model file asks for {name!r}: unknown here, perhaps of a newer version')
  return CLASSES[name]


def _is_array(described: Any) -> bool:
  return isinstance(described, dict) and described.keys() == {'array'}


def _array_numbers(described: Any) -> Iterator[int]:
  if isinstance(described, dict):
    if _is_array(described):
      check_number('array', described['array'], (int,))
      yield described['array']
    described = list(described.values())
  if isinstance(described, list):
    for part in described:
      if isinstance(part, (dict, list)):
        yield from _array_numbers(part)


def _within(described: Any) -> Iterator[dict[str, Any]]:
  """All objects' descriptions, the outer first."""
  if isinstance(described, list):
    for part in described:
      if isinstance(part, (dict, list)):
        yield from _within(part)
  if isinstance(described, dict) and not _is_array(described):
    yield described
    arguments = described.get('arguments')
    yield from _within(list(arguments.values()) if isinstance(arguments, dict) else [])


def _check_argument(cls: Any, name: str, value: Any) -> None:
  parameters = inspect.signature(cls).parameters
  if name not in parameters:
    raise ValueError(f'{cls.__name__} has no argument {name!r} here: a newer version may have')
  types = TYPES.get(str(parameters[name].annotation))
  if _is_array(value) and types and list in types:
    return  # Its numbers are checked when it is read.
  if types:
    check_number(f'{cls.__name__}.{name}', value, types)
  if isinstance(value, list) and types:
    numbers = np.asarray(value)
    if numbers.dtype.kind not in 'if' or not np.all(np.isfinite(numbers)):
      raise ValueError(f'`{cls.__name__}.{name}` holds more than finite numbers')
  if name == 'side' and value > LARGEST_SIDE:
    raise ValueError(f'`side` is {value}, and at most {LARGEST_SIDE} in a model file')


def _widths(described: dict[str, Any]) -> list[int]:
  widths = described['arguments'].get('hidden_units')
  return widths if isinstance(widths, list) else []
