"""Explicit Runge-Kutta methods as data."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tableau:
  """Butcher tableau: k_i = f(t + c_i h, x + h sum_j a_ij k_j), x <- x + h sum_i b_i k_i.

  Reference: Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.1.

  Attributes:
    name: What users write, for example `'rk4'`.
    order: Order of accuracy: the error over a fixed horizon falls as h^order.
    a: Row i holds a_ij for j < i.
    b: Weights of the stages.
    c: Times of the stages, as fractions of the step.
  """

  name: str
  order: int
  a: tuple[tuple[float, ...], ...]
  b: tuple[float, ...]
  c: tuple[float, ...]

  def __post_init__(self) -> None:
    """Checks that the method is explicit and consistent.

    Raises:
      ValueError: Row i of `a` has not i entries summing to c_i, or `b` not one weight per
        stage summing to 1.
    """
    explicit = [len(row) for row in self.a] == list(range(len(self.c)))
    if not explicit or len(self.b) != len(self.c) or abs(sum(self.b) - 1) > 1e-12:
      raise ValueError(
        f'Tableau {self.name!r} must have stages 0, 1, ... with as many entries in their rows of '
        f'`a`, and weights `b` that sum to 1; got rows of {[len(row) for row in self.a]} entries, '
        f'b={self.b}, c={self.c}.'
      )
    if any(abs(sum(row) - c) > 1e-12 for row, c in zip(self.a, self.c)):
      raise ValueError(f'Tableau {self.name!r}: row i of `a` must sum to c_i, got {self.a}.')


EULER = Tableau('euler', order=1, a=((),), b=(1.0,), c=(0.0,))
MIDPOINT = Tableau('midpoint', order=2, a=((), (0.5,)), b=(0.0, 1.0), c=(0.0, 0.5))
HEUN = Tableau('heun', order=2, a=((), (1.0,)), b=(0.5, 0.5), c=(0.0, 1.0))
RK4 = Tableau(
  'rk4',
  order=4,
  a=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
  b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
  c=(0.0, 0.5, 0.5, 1.0),
)
THREE_EIGHTHS = Tableau(
  'three_eighths',
  order=4,
  a=((), (1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
  b=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
  c=(0.0, 1 / 3, 2 / 3, 1.0),
)
TABLEAUS = {tableau.name: tableau for tableau in (EULER, MIDPOINT, HEUN, RK4, THREE_EIGHTHS)}


def get(integrator: str | Tableau) -> Tableau:
  """Returns the tableau of that name; a tableau of your own passes through.

  Raises:
    ValueError: No integrator has that name.
  """
  if isinstance(integrator, Tableau):
    return integrator
  if integrator not in TABLEAUS:
    raise ValueError(
      f'`integrator` must be one of {sorted(TABLEAUS)} or a Tableau, got {integrator!r}. '
      "The paper uses 'rk4'."
    )
  return TABLEAUS[integrator]
