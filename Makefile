# Countersign: `make campaign` runs the main job, `make test` runs the tests. Each sets up what it needs first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help campaign test newcomer acceptance proof lint setup clean

help:
	@echo "make campaign   install into $(VENV) and run the embedded campaign with the auditor (about 10 minutes)"
	@echo "make test       install into $(VENV) and run all tests (a few minutes)"
	@echo "make newcomer   the README's first steps in a fresh clone, from nothing to a verdict (minutes)"
	@echo "make acceptance whole campaigns on real servers with models that play honest and cheating roles (an hour and a quarter)"
	@echo "make proof      measure the judge anew: plant lies, replay them blind, simulate campaigns (about an hour)"
	@echo "make lint       ruff, mypy strict, import contracts"
	@echo "make clean      remove $(VENV)"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Countersign needs Python 3.11 or newer; set PYTHON=")'
	@echo "[setup 1/3] virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[setup 2/3] torch (pinned in constraints.txt)"
	@$(PIP) install -c constraints.txt torch==2.13.0
	@echo "[setup 3/3] Countersign, its engine and its tools"
	@$(PIP) install -c constraints.txt -e '.[all,dev]'
	@touch $(READY)

campaign: $(READY)
	$(BIN)/countersign campaign run --use-auditor

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not clone and not acceptance and not bench and not server"
	$(BIN)/python -m pytest -m "bench or server"

newcomer: $(READY)
	$(BIN)/python -m pytest -m clone tests/newcomer

acceptance: $(READY)
	$(BIN)/python -m pytest -s -p no:randomly -m acceptance tests/acceptance

proof: $(READY)
	$(BIN)/countersign proof

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf $(VENV)
