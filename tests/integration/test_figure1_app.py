"""Figure 1(a) as a user draws it."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP = [sys.executable, str(ROOT / 'apps' / 'figure1_main.py')]


def test_the_figure_is_drawn_and_agrees_with_appendix_a(tmp_path):
  output = tmp_path / 'figure1a.png'
  done = subprocess.run([*APP, f'--output={output}'], capture_output=True, text=True, timeout=200)
  assert done.returncode == 0, done.stderr
  deviation = float(done.stdout.split('Appendix A: ')[1].split()[0])
  assert deviation < 1e-7
  assert output.stat().st_size > 0
