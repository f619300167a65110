# `make verify` and `make test` need nothing but Python 3.11 or newer: both build the virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: setup verify test lint thorough mutants clean

setup: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON, e.g. make setup PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

verify: setup
	$(BIN)/reversal verify examples/elements.csv

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# one thread a worker: two workers with two threads each would fight over two cores
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --numprocesses 2 --dist worksteal

# many more examples of every property, and the longer forms of the checks
thorough: setup
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest --quiet -m 'slow or not slow' validation tests

# unsound changes of constants and bounds, one at a time, each of which some test must turn red
mutants: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m mutants

clean:
	rm -rf $(VENV) build dist *.egg-info
