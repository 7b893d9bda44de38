"""Operations, memory and communication of a training step, by the formulas of docs/scale.md.

N coordinates, H hidden units, B points of one replica, d steps of RK4, P parameters, R replicas;
float32.
"""

from __future__ import annotations

import dataclasses

from ma_keras.flow.gradients.units import ONE_PRODUCT_FOR_TWO

STAGES = 4  # Of a step of RK4.
FLOAT = 4  # Bytes.


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Sizes of a training step of one hidden layer.

  Attributes:
    n: Coordinates N.
    h: Hidden units H.
    b: Points B of one replica.
    d: Steps of RK4.
    in_x: Whether the flow runs in x in any case: with penalties, random group elements or a sum.
  """

  n: int
  h: int
  b: int
  d: int
  in_x: bool = False

  @property
  def hidden(self) -> bool:
    """Tells if the flow runs in hidden coordinates, which it does where they multiply less."""
    stages = STAGES * self.d
    hidden = stages * self.h**2 + 2 * self.n * self.h + self.n * self.h**2 / self.b
    return not self.in_x and hidden < ONE_PRODUCT_FOR_TWO * stages * 2 * self.n * self.h

  @property
  def parameters(self) -> int:
    """Number of entries of kernel, bias and amplitude."""
    return self.n * self.h + 2 * self.h


def operations(sizes: Sizes, mode: str) -> float:
  """Floating-point operations of all products of -ln p and of its gradient by the weights.

  A product [B, K] x [K, M] counts 2 B K M. A stage has two of them in x, 4 B N H, or one in hidden
  coordinates, 2 B H^2; the backward pass has those of the cotangents and those of the weights.

  Args:
    sizes: Sizes of the step.
    mode: 'store', or 'recompute' with a fourth pass.
  """
  n, h, b, stages = sizes.n, sizes.h, sizes.b, STAGES * sizes.d
  passes = {'store': 3, 'recompute': 4}[mode]
  if not sizes.hidden:
    return passes * stages * 4 * b * n * h
  ends = 6 * (2 * b * n * h) + 3 * (2 * n * h**2)
  return passes * stages * 2 * b * h**2 + ends


def kept(sizes: Sizes, mode: str) -> float:
  """Bytes that one more step of the flow adds to memory at its peak.

  `store` keeps act'(z) of every stage, and x where the flow runs in x. Arrays are stacked after the
  last step, one after another, so that the largest is there twice. In hidden coordinates the
  backward pass gathers as many cotangents again, for one product at its end, and stacks those.
  `recompute` keeps the state before the step, of which three copies are found at the peak: the
  array, its stack, and one more that has not been explained.

  Args:
    sizes: Sizes of the step.
    mode: 'store', 'recompute', or 'reversible' and 'adjoint', which keep nothing.
  """
  if mode not in ('store', 'recompute'):
    return 0.0
  if mode == 'recompute':
    return 3.0 * FLOAT * sizes.b * (sizes.h if sizes.hidden else sizes.n)
  numbers = 3 * sizes.h if sizes.hidden else sizes.n + sizes.h + max(sizes.n, sizes.h)
  return FLOAT * STAGES * sizes.b * numbers


def sent(parameters: int, replicas: int) -> float:
  """Bytes that one replica sends to add up a gradient over all, in a ring: 2 (R - 1)/R 4 P."""
  return 2 * (replicas - 1) / replicas * FLOAT * parameters


def lattice_operations(side: int, channels: int) -> float:
  """Operations of the products of velocity and Laplacian of `Lattice` at one point: 8 (C + 1) L^3.

  Each of 2 (C + 1) transforms of L x L sites is two products with the Hartley matrix.
  """
  return 2 * (channels + 1) * 2 * (2.0 * side**3)


def lattice_written(side: int, channels: int) -> float:
  """Numbers that an evaluation of `Lattice` writes at one point: 17.5 (C + 1) L^2."""
  return 17.5 * (channels + 1) * side**2


def pairs_written(particles: int, shells: int) -> float:
  """Numbers that an evaluation of `Pairs` writes at a point in space, operation by operation.

  Some fifteen arrays [M] for every pair, of functions of distance and their derivatives, and
  fifty numbers of the pair itself; XLA fuses most.
  """
  return (15 * shells + 50) * particles * (particles - 1) / 2
