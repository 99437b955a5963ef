# Everything a fresh machine needs is Python 3.11 or newer (with venv) and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

EXTENSIONS := $(wildcard penstock/engine/kernels/_*.c penstock/io/*/_*.c)

# How much data `make demo` generates; how many processes run the tests.
DEMO_SIZE ?= 1.5GB
WORKERS ?= 2
# Further arguments: make test PYTEST_ARGS="tests/io -k csv", make bench BENCH_ARGS=...
PYTEST_ARGS ?=
BENCH_ARGS ?=

# Where it is set, each of the processes that tests start would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test chaos bench check lint format types layers clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments -------------------------------------------------------------------------------
# One environment; a stamp for each set of optional dependencies installed into it.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Penstock needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml setup.py $(EXTENSIONS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

# --- running ------------------------------------------------------------------------------------

demo: $(VENV)/.installed-demo ## taxi trips on a local S3 server, in less memory than the data
	DEMO_SIZE='$(DEMO_SIZE)' $(BIN)/python examples/taxi_s3.py

bench: $(VENV)/.installed-bench ## the peers, side by side
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

# --- checking -----------------------------------------------------------------------------------

check: lint types layers test ## everything that continuous integration checks

lint: $(VENV)/.installed-test ## formatting and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed-test ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-test ## static types of the package
	$(BIN)/mypy

layers: $(VENV)/.installed-test ## which module may import which
	$(BIN)/lint-imports

test: $(VENV)/.installed-test ## the tests, and the examples in docstrings
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules $(PYTEST_ARGS)

# One at a time: these measure memory, fill disks and kill processes.
chaos: $(VENV)/.installed-test ## the slow tests, and those that break things on purpose
	$(BIN)/python -m pytest -m 'slow or chaos' --timeout 1800 $(PYTEST_ARGS)

clean: ## remove the environment, caches and built files
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis
	rm -f $(EXTENSIONS:.c=*.so)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
