"""Runge-Kutta methods as data: explicit ones, and time-symmetric ones, which are implicit."""

from __future__ import annotations

import dataclasses
import fractions
import math

import numpy as np

from ma_keras.arguments import is_whole


@dataclasses.dataclass(frozen=True)
class Quadrature:
  """Nodes within a step: integral of f dt ~ h sum_q b_q f(t + c_q h, x + h sum_j a_qj k_j).

  The k_j are the stages of the method, so that points on the way cost no evaluation of the field.

  Attributes:
    a: Row q holds the weights a_qj of all stages.
    b: Weights of the nodes.
    c: Times of the nodes, as fractions of the step.
  """

  a: tuple[tuple[float, ...], ...]
  b: tuple[float, ...]
  c: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Tableau:
  """Butcher tableau: k_i = f(t + c_i h, x + h sum_j a_ij k_j), x <- x + h sum_i b_i k_i.

  Reference: Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.1.

  Attributes:
    name: What users write, for example `'rk4'`.
    order: Order of accuracy: the error over a fixed horizon falls as h^order.
    a: Row i holds a_ij: for j < i if the method is explicit, for all j if it is implicit.
    b: Weights of the stages.
    c: Times of the stages, as fractions of the step.
    defects: Rows of weights e_i with sum 0: sum_i e_i k_i is small where the field is smooth on the
      scale of a step, of order h^2 for methods of four stages, and large where it is not.
    iterations: At most so many fixed-point iterations solve the stage equations of an implicit
      method; the error falls as (h Lipschitz constant)^iterations, down to rounding.
    quadrature: Nodes at which the divergence of the field is integrated; None for the stages, with
      their weights b.
  """

  name: str
  order: int
  a: tuple[tuple[float, ...], ...]
  b: tuple[float, ...]
  c: tuple[float, ...]
  defects: tuple[tuple[float, ...], ...] = ()
  iterations: int = 0
  quadrature: Quadrature | None = None

  @property
  def explicit(self) -> bool:
    """Tells if each stage needs only earlier ones."""
    return [len(row) for row in self.a] == list(range(len(self.c)))

  @property
  def symmetric(self) -> bool:
    """Tells if a step of -h undoes one of h: a_ij + a_s+1-i,s+1-j = b_j (HNW II.8, Theorem 8.8)."""
    s = len(self.c)
    if self.explicit or self.quadrature is not None:
      return False
    mirrored = [(i, j, s - 1 - i, s - 1 - j) for i in range(s) for j in range(s)]
    return all(abs(self.a[i][j] + self.a[k][m] - self.b[j]) < 1e-12 for i, j, k, m in mirrored)

  def __post_init__(self) -> None:
    """Checks that the method is explicit or implicit, and consistent.

    Raises:
      ValueError: Row i of `a` has not i entries (explicit) or s (implicit, with iterations)
        summing to c_i, or `b` not one weight per stage summing to 1; or `quadrature` has other
        rows than those of s entries summing to c_q, or weights that do not sum to 1.
    """
    s = len(self.c)
    implicit = [len(row) for row in self.a] == [s] * s and self.iterations > 0
    if not (self.explicit or implicit) or len(self.b) != s or abs(sum(self.b) - 1) > 1e-12:
      raise ValueError(
        f'Tableau {self.name!r} must have stages 0, 1, ... with as many entries in their rows of '
        f'`a` (explicit), or rows of {s} and positive `iterations` (implicit), and weights `b` '
        f'that sum to 1; got rows of {[len(row) for row in self.a]} entries, b={self.b}, '
        f'c={self.c}, iterations={self.iterations}.'
      )
    if any(len(e) != s or abs(sum(e)) > 1e-12 for e in self.defects):
      raise ValueError(
        f'Tableau {self.name!r}: rows of `defects` must hold {s} weights that sum to 0, got '
        f'{self.defects}.'
      )
    if any(abs(sum(row) - c) > 1e-12 for row, c in zip(self.a, self.c)):
      raise ValueError(f'Tableau {self.name!r}: row i of `a` must sum to c_i, got {self.a}.')
    if self.quadrature is not None:
      self._check_quadrature(self.quadrature)

  def _check_quadrature(self, nodes: Quadrature) -> None:
    rows = zip(nodes.a, nodes.c)
    on_path = all(len(a) == len(self.c) and abs(sum(a) - c) < 1e-12 for a, c in rows)
    counts = {len(nodes.a), len(nodes.b), len(nodes.c)}
    if len(counts) > 1 or not on_path or abs(sum(nodes.b) - 1) > 1e-12:
      raise ValueError(
        f'Tableau {self.name!r}: `quadrature` must hold, for every node, {len(self.c)} weights a_q '
        f'that sum to its time c_q, and weights b that sum to 1; got {nodes}.'
      )


# Euler's method.
EULER = Tableau('euler', order=1, a=((),), b=(1.0,), c=(0.0,))
# The explicit midpoint rule.
MIDPOINT = Tableau(
  'midpoint', order=2, a=((), (0.5,)), b=(0.0, 1.0), c=(0.0, 0.5), defects=((1.0, -1.0),)
)
# Heun's method, the explicit trapezoidal rule.
HEUN = Tableau('heun', order=2, a=((), (1.0,)), b=(0.5, 0.5), c=(0.0, 1.0), defects=((1.0, -1.0),))
# The classical Runge-Kutta method, which the paper uses.
RK4 = Tableau(
  'rk4',
  order=4,
  a=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
  b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
  c=(0.0, 0.5, 0.5, 1.0),
  # Two stages at one time that should agree, and the curvature in time.
  defects=((0.0, 1.0, -1.0, 0.0), (1.0, -1.0, -1.0, 1.0)),
)
_R = math.sqrt(3) / 6


def _between_rk4(c: float) -> tuple[float, ...]:
  """Weights of RK4's stages for x(t + c h), with an error of h^4 (HNW II.6, Eq. 6.8)."""
  middle = c**2 - 2 * c**3 / 3
  return (c - 1.5 * c**2 + 2 * c**3 / 3, middle, middle, 2 * c**3 / 3 - 0.5 * c**2)


def rk4_with_gauss_nodes(name: str, steps: int, nodes: int) -> Tableau:
  """Several steps of RK4 as one, with the divergence at Gauss nodes of the whole.

  x moves as by RK4 in steps of h / `steps`. The divergence, which costs N gradients where the
  potential is deep, is taken at points of RK4's own interpolants: the sum of n nodes has an error
  of h^2n, so that ln p is of order 4 as well.

  Args:
    name: What users write.
    steps: Steps of RK4 in one of this method.
    nodes: n, Gauss nodes in one of this method, at least 2; three for three steps are about as
      exact as RK4's own sum over its stages.

  Raises:
    ValueError: A number is not whole, or too small: one node is of order 2.
  """
  if not is_whole(steps) or not is_whole(nodes, 2):
    raise ValueError(
      '`steps` must be a positive integer and `nodes` at least 2, both whole, got '
      f'{steps!r} and {nodes!r}. For example 3 and 3.'
    )
  steps, nodes = int(steps), int(nodes)
  part = fractions.Fraction(1, steps)
  a, c, defects = [], [], []
  for k in range(steps):
    before, after = (0.0,) * (4 * k), (0.0,) * (4 * (steps - 1 - k))
    a += [_weights_within(k, part, row) for row in RK4.a]
    c += [float((k + _fraction(time)) * part) for time in RK4.c]
    defects += [(*before, *(e / steps for e in row), *after) for row in RK4.defects]
  abscissae, weights = np.polynomial.legendre.leggauss(nodes)
  times = [0.5 + 0.5 * float(u) for u in abscissae]
  places = [divmod(time * steps, 1.0) for time in times]
  rows = [_weights_within(int(k), part, _between_rk4(within)) for k, within in places]
  quadrature = Quadrature(
    a=tuple((*row, *(0.0,) * (4 * steps - len(row))) for row in rows),
    b=tuple(float(w) / 2 for w in weights),
    c=tuple(times),
  )
  b = _weights_within(steps, part, ())
  return Tableau(name, 4, tuple(a), b, tuple(c), tuple(defects), quadrature=quadrature)


def _weights_within(
  steps: int, part: fractions.Fraction, row: tuple[float, ...]
) -> tuple[float, ...]:
  """Weights of all stages so far: b for whole steps behind, then those of a row of the next."""
  behind = [float(_fraction(b) * part) for b in RK4.b] * steps
  return (*behind, *(float(_fraction(w) * part) for w in row))


def _fraction(value: float) -> fractions.Fraction:
  """The small fraction that a weight of RK4 stands for; other numbers as they are."""
  small = fractions.Fraction(value).limit_denominator(6)
  return small if float(small) == value else fractions.Fraction(value)


# RK4 with divergences at two Gauss nodes between its stages instead of at all four: of order 4 as
# well, and less work where the Laplacian costs more than the gradient, as of deep potentials.
RK4_GAUSS = rk4_with_gauss_nodes('rk4_gauss', steps=1, nodes=2)
# Three steps of RK4 as one, with three divergences instead of twelve.
RK4_GAUSS3 = rk4_with_gauss_nodes('rk4_gauss3', steps=3, nodes=3)
# Kutta's three-eighths rule.
THREE_EIGHTHS = Tableau(
  'three_eighths',
  order=4,
  a=((), (1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
  b=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
  c=(0.0, 1 / 3, 2 / 3, 1.0),
  defects=((1.0, -1.0, -1.0, 1.0),),
)
# Gauss collocation: symmetric, so the inverse of the flow is exact to the stage equations' error.
IMPLICIT_MIDPOINT = Tableau(
  'implicit_midpoint', order=2, a=((0.5,),), b=(1.0,), c=(0.5,), iterations=24
)
# Gauss collocation in two stages, of order 4.
GAUSS4 = Tableau(
  'gauss4',
  order=4,
  a=((0.25, 0.25 - _R), (0.25 + _R, 0.25)),
  b=(0.5, 0.5),
  c=(0.5 - _R, 0.5 + _R),
  iterations=24,
)
# Methods by the names that users write.
TABLEAUS = {
  tableau.name: tableau
  for tableau in (
    *(EULER, MIDPOINT, HEUN, RK4, RK4_GAUSS, RK4_GAUSS3),
    *(THREE_EIGHTHS, IMPLICIT_MIDPOINT, GAUSS4),
  )
}


def get(integrator: str | Tableau) -> Tableau:
  """Returns the tableau of that name; a tableau of your own passes through.

  Raises:
    ValueError: No integrator has that name.
  """
  if isinstance(integrator, Tableau):
    return integrator
  if not isinstance(integrator, str) or integrator not in TABLEAUS:
    raise ValueError(
      f'`integrator` must be one of {sorted(TABLEAUS)} or a Tableau, got {integrator!r}. '
      "The paper uses 'rk4'."
    )
  return TABLEAUS[integrator]
