"""Figure 1(a) as a user draws it."""

from tests.integration import apps


def test_the_figure_is_drawn_and_agrees_with_appendix_a(tmp_path):
  output = tmp_path / 'figure1a.png'
  done = apps.run('figure1_main.py', f'--output={output}')
  assert done.returncode == 0, done.stderr
  deviation = float(done.stdout.split('Appendix A: ')[1].split()[0])
  assert deviation < 1e-7
  assert output.stat().st_size > 0
