# The words of this project. Every target makes what it needs first; a second run starts at once.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
TEST := $(VENV)/.installed-test
SUITE ?= ../s3-tests
WORKERS ?= auto
DIR ?= cluster
SEED ?= 1
SEEDS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install run cluster test lint bench chaos s3-tests clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(RUN) ## create .venv with what the server runs on

run: $(RUN) ## serve S3 on 127.0.0.1:8082 with development credentials, data in ./data
	@exec $(BIN)/zapfs server --dev

cluster: $(RUN) ## run a whole cluster on loopback: managers, gateways, file hosts and, where there is one, MariaDB
	@exec $(BIN)/zapfs cluster --dir $(DIR)

test: $(TEST) ## run every test
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(TEST) ## ruff, mypy strict, and the floors of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST) ## measure the server beside its references; writes docs/bench/
	$(BIN)/python -m tests.bench

chaos: $(TEST) ## break a cluster under load and judge what is left: make chaos SEED=1 SEEDS=20
	$(BIN)/python -m tests.chaos.cluster --seed $(SEED) --seeds $(SEEDS)

s3-tests: $(TEST) ## run ceph/s3-tests against a server started for it: make s3-tests SUITE=path/to/checkout
	$(BIN)/python -m tests.integration.s3_tests $(SUITE)

clean: ## remove .venv and caches, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is needed (Debian 12: apt-get install python3.11)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) has no venv module (Debian 12: apt-get install python3.11-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(TEST): tests/requirements.txt $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
