PYTHON ?= python

.PHONY: install test lint types check wheel

install:
	$(PYTHON) -m pip install -e '.[dev]'

test:
	$(PYTHON) -m pytest

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy ma_keras apps

check: test  # Linters and types are tests, too: tests/test_style.py.

wheel:
	$(PYTHON) -m build --wheel
