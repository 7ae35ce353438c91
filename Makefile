# Two commands on a fresh machine, each doing its own set-up: `make demo` and `make test`.
#
# Set-up is a virtual environment in .venv with this clone installed in it (editable), the Rust
# engine built when a toolchain is there. Without one, everything runs on the reference evaluator.

PYTHON ?= python3
BIN := .venv/bin
# What an installation is made from: when one of these changes, the next command installs again.
MADE_FROM := pyproject.toml setup.py $(shell find runtime/engine -name target -prune -o \
	\( -name '*.rs' -o -name 'Cargo.*' \) -print)

# Tests of clusters of processes, timed and under load, want the machine for themselves; the others
# share its cores.
ALONE := tests/runtime/nodes tests/chaos tests/test_benchmarks.py tests/test_coordination_figures.py

.PHONY: demo test bench check clean help

help:
	@echo "make demo    a cart whose replicas disagree, why, and how they agree: a minute"
	@echo "make test    every test"
	@echo "make bench   every figure that the README quotes"
	@echo "make check   formatting, lint and types, as CI has them"
	@echo "make clean   remove what the others made"

demo: .venv/for-demo
	$(BIN)/bloomish demo

test: .venv/for-test
	@status=0; \
	$(BIN)/python -m pytest -n logical --maxprocesses 8 $(ALONE:%=--ignore=%) || status=1; \
	$(BIN)/python -m pytest $(ALONE) || status=1; \
	exit $$status

bench: .venv/for-bench
	$(BIN)/python -m benchmarks

check: .venv/for-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p bloomish

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "bloomish needs Python 3.11 or later; this is $$($(PYTHON) --version)." \
		"Name another: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "no virtual environment could be made; on Debian: apt install python3-venv"; exit 1; }

.venv/for-demo: EXTRAS =
.venv/for-test: EXTRAS = [test]
.venv/for-bench: EXTRAS = [test,bench]
.venv/for-check: EXTRAS = [test,bench,dev]
.venv/for-%: $(MADE_FROM) | $(BIN)/python
	@echo "setting up .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRAS)'
	@$(BIN)/python -c 'import bloomish._engine' 2>/dev/null || { \
		echo "****************************************************************"; \
		echo "The Rust engine was not built (no cargo, or no way to its registry):"; \
		echo "everything runs on the reference evaluator, which is correct and slow."; \
		echo "To try again: rm -r .venv"; \
		echo "****************************************************************"; }
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info runtime/engine/target bloomish/_engine*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
