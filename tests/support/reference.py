"""Slow NumPy twins, written with loops from the definitions: the ground truth of many tests."""

import numpy as np


def bonds(rows, columns, boundary='periodic'):
  """Pairs (i, j) of site indices, one for each bond; a periodic side of 2 has its bond twice."""
  pairs = []
  for row in range(rows):
    for column in range(columns):
      here = row * columns + column
      if boundary == 'periodic' or row + 1 < rows:
        pairs.append((here, (row + 1) % rows * columns + column))
      if boundary == 'periodic' or column + 1 < columns:
        pairs.append((here, row * columns + (column + 1) % columns))
  return pairs


def ising_energy_loops(x, side, coupling, boundary, shift):
  """E(x) = 1/2 x.(K + alpha I)^-1 x - sum_i ln cosh x_i for one configuration x [N] (Eq. 8)."""
  matrix = shift * np.eye(side**2)
  for i, j in bonds(side, side, boundary):
    matrix[i, j] += coupling
    matrix[j, i] += coupling
  energy = 0.5 * x @ np.linalg.solve(matrix, x)
  for value in x:
    energy -= np.log(np.cosh(value))
  return energy


def phi4_energy_loops(x, side, mass_squared, quartic, boundary):
  """E = sum of 1/2 (phi_i - phi_j)^2 over bonds, 1/2 m^2 phi^2 and lambda phi^4 over sites."""
  energy = 0.0
  for i, j in bonds(side, side, boundary):
    energy += 0.5 * (x[i] - x[j]) ** 2
  for value in x:
    energy += 0.5 * mass_squared * value**2 + quartic * value**4
  return energy


def enumerate_log_partition(rows, columns, coupling, boundary='periodic'):
  """ln Z = ln sum over all 2^N spin configurations of exp(K sum over bonds of s_i s_j)."""
  size = rows * columns
  spins = 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.int8) - 1
  bond_sum = np.zeros(2**size)
  for i, j in bonds(rows, columns, boundary):
    bond_sum += spins[:, i] * spins[:, j]
  exponents = coupling * bond_sum
  return exponents.max() + np.log(np.sum(np.exp(exponents - exponents.max())))


# Central differences of eighth order, from offset -4 h to 4 h: truncation of order h^8.
FIRST_DIFFERENCE = (1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280)
SECOND_DIFFERENCE = (-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)


def differences(function, x, weights, h):
  """sum_m w_m f(x + (m - 4) h e_i) for every coordinate i of one point x [N]; f: [B, N] -> [B]."""
  sums = np.zeros(len(x))
  for i in range(len(x)):
    points = np.tile(x, (len(weights), 1))
    for m in range(len(weights)):
      points[m, i] += (m - len(weights) // 2) * h
    sums[i] = np.dot(weights, function(points))
  return sums


def gradient_by_differences(function, x, h=0.02):
  """df/dx_i at one point x [N]."""
  return differences(function, x, FIRST_DIFFERENCE, h) / h


def laplacian_by_differences(function, x, h=0.03):
  """sum_i d2f/dx_i^2 at one point x [N]."""
  return np.sum(differences(function, x, SECOND_DIFFERENCE, h)) / h**2


def one_hidden_layer_loops(x, kernel, bias, amplitude, activation):
  """phi = sum_j a_j act(sum_i W_ij x_i + b_j) of one point x [N]."""
  act = {'softplus': lambda z: np.log1p(np.exp(z)), 'log_cosh': lambda z: np.log(np.cosh(z))}
  phi = 0.0
  for j in range(len(amplitude)):
    z = bias[j]
    for i in range(len(x)):
      z += kernel[i, j] * x[i]
    phi += amplitude[j] * act[activation](z)
  return phi


def element_loops(index, sign, x):
  """(g x)_i = sign_i x_index_i for one point x [N]."""
  return np.array([sign[i] * x[index[i]] for i in range(len(x))])


def rk4_loops(field, x, start, h, steps):
  """The classical Runge-Kutta method for dx/dt = field(t, x), written out."""
  for k in range(steps):
    t = start + k * h
    k1 = field(t, x)
    k2 = field(t + h / 2, x + h / 2 * k1)
    k3 = field(t + h / 2, x + h / 2 * k2)
    k4 = field(t + h, x + h * k3)
    x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
  return x


def log_cosh_flow(x, rotation, amplitude, clock):
  """The flow of phi = clock'(t) sum_j a_j ln cosh z_j, z = Q'x with Q orthogonal, in closed form.

  dz_j/dt = clock' a_j tanh z_j, so sinh z_j grows by exp(a_j clock), and the log density falls
  by the sum of ln dz_j(t)/dz_j(0) = a_j clock + ln cosh z_j(0) - ln cosh z_j(t).

  Returns:
    The parcels x(t), [B, N], and the change of their log density, [B].
  """
  end, change = np.zeros_like(x), np.zeros(len(x))
  for b in range(len(x)):
    for j in range(len(amplitude)):
      z = np.dot(rotation[:, j], x[b])
      moved = np.arcsinh(np.exp(amplitude[j] * clock) * np.sinh(z))
      end[b] += rotation[:, j] * moved
      change[b] -= amplitude[j] * clock + np.log(np.cosh(z) / np.cosh(moved))
  return end, change
