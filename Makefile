# Everything a newcomer needs. The first call makes .venv and installs the project into it; later calls install nothing.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
MADE := .made-by-make
BIN := $(VENV)/bin
LOWEST := .venv-lowest
COMMANDS := experiments/test_train.py experiments/tracking/test_trackers.py experiments/config/test_build.py faults/test_old_directories.py
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help train test test-lowest coverage soak compare sweep bench sync lint types format clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

train: $(VENV)/installed  ## the main job: a VRNN on synthetic speech, a few minutes on a CPU (ARGS="latent=tiny ...")
	$(BIN)/python -m experiments.train $(ARGS)

test: $(VENV)/installed-test  ## the whole test suite, on all cores (ARGS="-k name ...")
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

test-lowest: $(LOWEST)/installed-test  ## the tests of the library and of the main commands against the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest -n auto --dist loadscope -m "not slow and not soak" --ignore=tests/experiments --ignore=tests/faults $(ARGS)
	$(LOWEST)/bin/python -m pytest -n auto --dist loadscope -m "not slow and not soak" $(addprefix tests/,$(COMMANDS)) $(ARGS)

coverage: $(VENV)/installed-test  ## lines of vrnn/ that the tests of the library run, without the command line; fewer than 95 % fail
	$(BIN)/python -m pytest -n auto --cov --cov-report=term --ignore=tests/experiments --ignore=tests/faults $(ARGS)

soak: $(VENV)/installed-test  ## the long harnesses: kills, memory, random command lines, simulated significance (ARGS="-k name ...")
	$(BIN)/python -m pytest -m soak $(ARGS)

compare: $(VENV)/installed  ## the paper's five models on synthetic speech, three seeds, in one table (ARGS="data=fsdd ...")
	$(BIN)/python -m experiments.compare $(or $(ARGS),experiment=compare_speech)

sweep: $(VENV)/installed  ## sizes of the latent and the state by seeds, side by side, in one page (ARGS="sweep=search ...")
	$(BIN)/python -m experiments.train $(or $(ARGS),sweep=latent_grid)

bench: $(VENV)/installed  ## how fast a training step is, against the usual loop and its floor (ARGS="benchmark.save=FILE ...")
	$(BIN)/python -m experiments.benchmark $(ARGS)

sync: $(VENV)/installed  ## upload to Weights & Biases what runs logged offline, each once (ARGS=outputs/train)
	$(BIN)/python -m experiments.sync $(ARGS)

lint: $(VENV)/installed-test types  ## style, format and types, nothing is changed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test  ## types of vrnn/ and experiments/
	$(BIN)/mypy

format: $(VENV)/installed-test  ## mend what lint finds where that is safe
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and the caches that make has made, never outputs/
	@for made in "$(VENV)" "$(LOWEST)"; do if [ -f "$$made/$(MADE)" ]; then rm -rf "$$made"; elif [ -e "$$made" ]; then echo "kept $$made: make has not made it; remove it yourself"; fi; done
	@for cache in .pytest_cache .ruff_cache; do if [ -f $$cache/CACHEDIR.TAG ]; then rm -rf $$cache; fi; done
	@if grep -qs '^Name: vrnn$$' vrnn.egg-info/PKG-INFO; then rm -rf vrnn.egg-info; fi

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; install Python 3.11 or newer (Debian: apt install python3 python3-venv), or give PYTHON=<path>" >&2; exit 1; }
	@command -v git >/dev/null || { echo "error: git is not installed (Debian: apt install git)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V); give PYTHON=<path of a newer one>" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) has no venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@if [ ! -f "$(VENV)/$(MADE)" ] && [ -n "$$(ls -A "$(VENV)" 2>/dev/null)" ]; then echo "error: $(VENV) holds other things, and no bin/python; move it, or give VENV=<another folder>" >&2; exit 1; fi
	@mkdir -p "$(VENV)" && touch "$(VENV)/$(MADE)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test]'
	@touch $@ $(VENV)/installed

$(LOWEST)/installed-test: pyproject.toml .ci/lowest.py $(VENV)/bin/python
	@[ ! -e $(LOWEST) ] || [ -f $(LOWEST)/$(MADE) ] || { echo "error: $(LOWEST) is there, and make has not made it; take it away" >&2; exit 1; }
	$(PYTHON) -m venv $(LOWEST)
	@touch $(LOWEST)/$(MADE)
	$(BIN)/python .ci/lowest.py pyproject.toml > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --disable-pip-version-check --quiet --constraint $(LOWEST)/constraints.txt --editable '.[test]'
	@touch $@
