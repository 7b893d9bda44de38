"""Links of the repository lead to the same place on the site."""

import pytest

from website import links


@pytest.mark.parametrize(
  'page, link, expected',
  [
    ('index.md', 'docs/start.md', 'start.md'),
    ('index.md', 'CONTRIBUTING.md', 'contributing.md'),
    ('index.md', 'docs/results/README.md#particles', 'results/README.md#particles'),
    ('start.md', '../ma_keras/pretrained/mnist.md', 'pretrained/mnist.md'),
    ('start.md', '../ma_keras/pretrained', 'pretrained/index.md'),
    ('results/README.md', 'dw4', 'dw4/index.md'),
    ('results/README.md', 'benchmarks', 'benchmarks/files.md'),
    ('results/README.md', '../lattice.md', '../lattice.md'),
    ('reference/data.md', '../tables.md#headers', '../tables.md#headers'),
    ('engine.md', '#measured', '#measured'),
    ('engine.md', 'https://arxiv.org/abs/1809.10188', 'https://arxiv.org/abs/1809.10188'),
  ],
)
def test_pages_and_folders(page, link, expected):
  assert links.rewritten('See [a](b.md)'.replace('b.md', link), page) == f'See [a]({expected})'


def test_sources_are_links_where_the_repository_has_an_address(monkeypatch):
  text = 'in [the file](../ma_keras/saving/model_file.py)'
  monkeypatch.delenv('GITHUB_REPOSITORY', raising=False)
  assert links.rewritten(text, 'keras.md') == 'in the file'
  for name, value in [('SERVER_URL', 'https://host'), ('REPOSITORY', 'we/it'), ('SHA', 'abc')]:
    monkeypatch.setenv(f'GITHUB_{name}', value)
  there = 'https://host/we/it/blob/abc/ma_keras/saving/model_file.py'
  assert links.rewritten(text, 'keras.md') == f'in [the file]({there})'


@pytest.mark.parametrize(
  'text',
  [
    '```text\n[a](b.md)\n```\n',
    '~~~\n[a](b.md)\n~~~\n',
    'as in `[a](b.md)`',
    'or `` `x`[0](b.md) `` there',
  ],
)
def test_code_is_left_alone(text):
  assert links.rewritten(text, 'engine.md') == text


def test_links_around_code_and_beside_it_lead_on():
  text = '`x` is [`y`](docs/keras.md), [z](docs/keras.md) `w`'
  assert links.rewritten(text, 'index.md') == text.replace('docs/', '')


def test_dead_links_are_refused():
  with pytest.raises(ValueError, match=r'docs/engine.md: the link to b.md leads to no file'):
    links.rewritten('[a](b.md)', 'engine.md')
