PYTHON ?= python3
# Ruff and mypy live apart from what a user has installed, so that no release changes their verdict.
CHECK = .venv-check
CHECKED = $(CHECK)/.requirements-check.txt

# So does the site, whose pages must not break by another release of its builder.
DOCS = .venv-docs
DOCUMENTED = $(DOCS)/.requirements-docs.txt

# Of `make mutate`: where copy and results go, which parts (all), how many mutants, and which.
FOLDER ?= $(or $(TMPDIR),/tmp)/ma_keras_mutants
PARTS ?=
SAMPLE ?= 300
SEED ?= 0

.PHONY: install test lint types check docs docs-check tutorials mutate wheel

install:
	$(PYTHON) -m pip install -e '.[dev]'

test:
	$(PYTHON) -m pytest

check: lint types

lint: $(CHECKED)
	$(CHECK)/bin/ruff check .
	$(CHECK)/bin/ruff format --check .

types: $(CHECKED)
	$(CHECK)/bin/mypy ma_keras apps benchmarks website

$(CHECKED): requirements-check.txt
	$(PYTHON) -m venv --clear $(CHECK)
	$(CHECK)/bin/python -m pip install -q --no-deps -r requirements-check.txt
	cp requirements-check.txt $@

docs: $(DOCUMENTED)
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs --quiet build --strict
	@echo 'The site is in build/site.'

# Runs the notebooks, three side by side; `make docs` shows those that were run with their outputs.
tutorials:
	$(PYTHON) -m pip install -q -e '.[tutorials]'
	$(PYTHON) -m website.tutorials --at_once=3

# Chromium is that of the machine, or the one of `.venv-docs/bin/playwright install chromium`.
docs-check: docs
	$(DOCS)/bin/python -m website.browser build/site

$(DOCUMENTED): requirements-docs.txt
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install -q --no-deps -r requirements-docs.txt
	cp requirements-docs.txt $@

mutate:
	$(PYTHON) -m pip install -q -e '.[dev,mutate]'
	$(PYTHON) -m mutation --folder=$(FOLDER) --parts=$(PARTS) --sample=$(SAMPLE) --seed=$(SEED)

# Wheel and sdist: pip install build twine.
wheel:
	rm -rf build dist
	$(PYTHON) -m build
	$(PYTHON) -m twine check --strict dist/*
