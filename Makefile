# Two commands do all the set-up: `make demo` and `make test`. Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check unit ui e2e bench screenshots runtimes clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: $(STAMP)  ## fine-tune the built-in model and compare it with its base, from nothing
	$(BIN)/ftui --preset nano-sql-lora -y --plain

test: unit ui e2e  ## the whole suite, fast tests first

check: $(STAMP)  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check ftui tests screenshots
	$(BIN)/ruff format --check ftui tests screenshots
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(STAMP)
	$(BIN)/pytest -q -n 2 tests/unit
	$(BIN)/pytest -q tests/guards

ui: $(STAMP)
	$(BIN)/pytest -q -n 2 tests/ui

# The end-to-end tests use the real axolotl and the real vLLM from the runtimes that ftui makes. Two
# files at a time: most of the time goes into imports and waits, which one core alone can do.
e2e: runtimes
	FTUI_TRAIN_PYTHON="$$($(BIN)/ftui setup train --print-python)" \
	FTUI_SERVE_PYTHON="$$($(BIN)/ftui setup serve --print-python)" \
	$(BIN)/pytest -q -n 2 --dist loadfile --durations=15 tests/e2e

runtimes: $(STAMP)  ## make the train and serve runtimes (what is there is reused)
	$(BIN)/ftui setup

bench: $(STAMP)  ## measure, as ratios against a stated peer or bare minimum
	$(BIN)/python -m tests.bench

screenshots: $(STAMP)  ## draw screenshots/ again (needs chromium)
	$(BIN)/python screenshots/make.py

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("ftui needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(STAMP)

clean:  ## remove this checkout's environment
	rm -rf $(VENV)
