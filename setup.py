"""Packaging of ma_keras; the settings of ruff, mypy and pytest are in pyproject.toml."""

import os
import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).resolve().parent

# The lower bounds are tested through requirements-lowest.txt: change both together.
INSTALL_REQUIRES = [
  # Older ones refuse the protobuf that tensorflow-metadata, hence tensorflow-datasets, needs.
  'tensorflow>=2.20',
  # A release of tf-keras demands its own minor of tensorflow, so pip picks the two as a pair.
  'tf-keras>=2.20.1',
  'tensorflow-probability>=0.25',
  # tf.summary and the TensorBoard callback need it; tensorflow stopped installing it at 2.21.
  'tensorboard>=2.20',
  'tensorflow-datasets>=4.9.7',
  # tensorflow-datasets imports it without declaring it.
  'importlib_resources>=6.0',
  # Tables; tensorflow-datasets brings it. No older one has wheels for Python 3.13.
  'pyarrow>=18.0',
  # Its later releases need Python 3.11; without this, an old pip may backtrack for many minutes.
  'etils<1.14; python_version < "3.11"',
  # tensorflow-probability imports distutils, which on Python 3.12 and later is setuptools' own.
  'setuptools>=68',
  'numpy>=1.26',
  'absl-py>=2.0',
  # Reads pictures.
  'pillow>=10.1',
  # The estimator, the mixtures that flows start from, and the data set that needs no download.
  'scikit-learn>=1.6',
]

PLOT_REQUIRES = ['matplotlib>=3.8']

# Exact optimal transport of points.
TRANSPORT_REQUIRES = ['POT>=0.9.5']

# Files of structures, XYZ and others.
PARTICLES_REQUIRES = ['ase>=3.23']

# The server, ma_keras.serving. uvicorn's own extras would bring more than it needs.
SERVE_REQUIRES = [
  'starlette>=0.40,<2',
  'uvicorn>=0.34,<1',
  'httptools>=0.6.4',
  'uvloop>=0.21',
  'orjson>=3.10.10',
  'prometheus-client>=0.20',
  'anyio>=4.0',
]

# What the tests need; linters and type checks have requirements-check.txt.
DEV_REQUIRES = [
  *PARTICLES_REQUIRES,
  *PLOT_REQUIRES,
  *SERVE_REQUIRES,
  *TRANSPORT_REQUIRES,
  *(
    'build>=1.0',
    'httpx>=0.27',
    'joblib>=1.3',
    'pandas>=2.2',
    'polars>=1.0',
    'hypothesis>=6.100',
    'pytest>=8.0',
    'pytest-xdist>=3.8',
  ),
  'scipy>=1.11',
]

# `make mutate` uses parts of it that a new major release may change.
MUTATE_REQUIRES = ['cosmic-ray>=8.7,<9', 'toml>=0.10']

# Tutorials as notebooks, and what they show.
TUTORIALS_REQUIRES = [
  *PLOT_REQUIRES,
  *SERVE_REQUIRES,
  *TRANSPORT_REQUIRES,
  *('ipykernel', 'jupytext', 'nbclient', 'nbconvert', 'scipy'),
]

# What builds the site, to the release: requirements-docs.txt.
DOCS_REQUIRES = ['mkdocs-material', 'mkdocstrings-python', 'playwright']


def read_text(name: str) -> str:
  """Text of a file beside setup.py, empty if the file is missing."""
  path = ROOT / name
  return path.read_text(encoding='utf-8') if path.exists() else ''


def read_version() -> str:
  """Version string of ma_keras/version.py, read as text because an import would need TensorFlow."""
  found = re.search(r"^__version__ = '([^']+)'$", read_text('ma_keras/version.py'), re.MULTILINE)
  if found is None:
    raise RuntimeError("ma_keras/version.py must hold a line such as: __version__ = '0.2.0'")
  return found.group(1)


def repository() -> str:
  """Address of the repository, as .github/workflows/release.yml tells it; empty elsewhere."""
  return os.environ.get('MA_KERAS_REPOSITORY', '')


def described(readme: str, address: str, version: str) -> str:
  """The README for readers elsewhere: links to its files by address, as text if there is none."""

  def linked(link: re.Match[str]) -> str:
    picture, text, path = link.groups()
    if not address:
      return '' if picture else text
    kind = 'raw' if picture else 'blob'
    return f'{picture}[{text}]({address}/{kind}/v{version}/{path})'

  return re.sub(r'(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)', linked, readme)


setup(
  name='ma_keras',
  version=read_version(),
  description='Monge-Ampere flows: exact-likelihood generative models from one scalar potential.',
  long_description=described(read_text('README.md'), repository(), read_version()),
  long_description_content_type='text/markdown',
  author='The ma_keras developers',
  url=repository() or None,
  license='Apache-2.0',
  license_files=['LICENSE'],
  keywords='normalizing-flow monge-ampere generative-model tensorflow-probability ising',
  packages=find_packages(include=['ma_keras', 'ma_keras.*']),
  package_data={'ma_keras': ['py.typed'], 'ma_keras.pretrained': ['*.json', '*.npz', '*.md']},
  zip_safe=False,
  entry_points={'console_scripts': ['ma-keras = ma_keras.apps.command:main']},
  python_requires='>=3.10,<3.14',
  install_requires=INSTALL_REQUIRES,
  extras_require={
    'plot': PLOT_REQUIRES,
    'digits': [],  # scikit-learn, which is always there now; older commands name it.
    'serve': SERVE_REQUIRES,
    'particles': PARTICLES_REQUIRES,
    'transport': TRANSPORT_REQUIRES,
    'dev': DEV_REQUIRES,
    'mutate': MUTATE_REQUIRES,
    'docs': DOCS_REQUIRES,
    'tutorials': TUTORIALS_REQUIRES,
  },
  classifiers=[
    'Development Status :: 4 - Beta',
    'Intended Audience :: Education',
    'Intended Audience :: Science/Research',
    'Operating System :: POSIX :: Linux',
    'Programming Language :: Python :: 3',
    'Programming Language :: Python :: 3 :: Only',
    'Programming Language :: Python :: 3.10',
    'Programming Language :: Python :: 3.11',
    'Programming Language :: Python :: 3.12',
    'Programming Language :: Python :: 3.13',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
    'Topic :: Scientific/Engineering :: Physics',
    'Typing :: Typed',
  ],
)
