PYTHON ?= python3
# Ruff and mypy live apart from what a user has installed, so that no release changes their verdict.
CHECK = .venv-check
CHECKED = $(CHECK)/.requirements-check.txt

# Of `make mutate`: where copy and results go, which parts (all), how many mutants, and which.
FOLDER ?= $(or $(TMPDIR),/tmp)/ma_keras_mutants
PARTS ?=
SAMPLE ?= 300
SEED ?= 0

.PHONY: install test lint types check mutate wheel

install:
	$(PYTHON) -m pip install -e '.[dev]'

test:
	$(PYTHON) -m pytest

check: lint types

lint: $(CHECKED)
	$(CHECK)/bin/ruff check .
	$(CHECK)/bin/ruff format --check .

types: $(CHECKED)
	$(CHECK)/bin/mypy ma_keras apps benchmarks

$(CHECKED): requirements-check.txt
	$(PYTHON) -m venv --clear $(CHECK)
	$(CHECK)/bin/python -m pip install -q --no-deps -r requirements-check.txt
	cp requirements-check.txt $@

mutate:
	$(PYTHON) -m pip install -q -e '.[dev,mutate]'
	$(PYTHON) -m mutation --folder=$(FOLDER) --parts=$(PARTS) --sample=$(SAMPLE) --seed=$(SEED)

# Wheel and sdist: pip install build twine.
wheel:
	rm -rf build dist
	$(PYTHON) -m build
	$(PYTHON) -m twine check --strict dist/*
