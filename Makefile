PYTHON ?= python3
# Ruff and mypy live apart from what a user has installed, so that no release changes their verdict.
CHECK = .venv-check
CHECKED = $(CHECK)/.requirements-check.txt

.PHONY: install test lint types check wheel

install:
	$(PYTHON) -m pip install -e '.[dev]'

test:
	$(PYTHON) -m pytest

check: lint types

lint: $(CHECKED)
	$(CHECK)/bin/ruff check .
	$(CHECK)/bin/ruff format --check .

types: $(CHECKED)
	$(CHECK)/bin/mypy ma_keras apps

$(CHECKED): requirements-check.txt
	$(PYTHON) -m venv --clear $(CHECK)
	$(CHECK)/bin/python -m pip install -q --no-deps -r requirements-check.txt
	cp requirements-check.txt $@

wheel:
	$(PYTHON) -m build --wheel
