"""Random stiff flows: what is certified is right, and most of what is right is certified."""

import sys

import numpy as np
import pytest

from tests.integration import apps

pytestmark = pytest.mark.slow


def check_verdicts():
  """Some flows of benchmarks/stiff_flows.py, which defines flags of its own."""
  sys.path.insert(0, str(apps.ROOT / 'benchmarks'))
  import stiff_flows

  with np.errstate(all='ignore'):
    parts = [
      stiff_flows.verdicts(stiff_flows.random_flow(kind, 0, number), 24, 0)
      for kind in stiff_flows.KINDS
      for number in range(3, 6)
    ]
  result = stiff_flows.table(parts)['doubt']
  assert result['wrong'] > 50 and result['right'] > 50, result
  assert result['wrong that pass'] == 0, result
  assert result['share of those right to half the tolerance refused'] < 0.1, result


def test_no_wrong_log_density_is_certified():
  apps.passes(check_verdicts)
