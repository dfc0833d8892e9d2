# Each target is one command. Environment: STACK=tfx116|tfx121 (default: what this machine can run).
SHELL := /bin/bash
PYTHON := .venv/bin/python
PYTEST_ARGS ?=
LINTED_SCRIPTS := requirements/*.sh .ci/run

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-current lint bench lock clean

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## make .venv with the locked packages (nothing to do when it is there)
	@requirements/install.sh

demo: setup ## from raw PubMed records to a served classifier
	@$(PYTHON) -m pipeline demo

test: setup ## run the tests; PYTEST_ARGS="tests/models -k tokenizer" runs some of them
	@$(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		$(PYTEST_ARGS)

test-current: ## run the tests on the current stack, inside a Debian 13 root (as root)
	@requirements/debian_root.sh make test STACK=tfx121 PYTEST_ARGS='$(PYTEST_ARGS)'

lint: setup ## what CI checks: ruff, its formatter, mypy, shellcheck
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/shellcheck $(LINTED_SCRIPTS)

bench: setup ## run one benchmark: make bench NAME=ingest_memory
	@$(PYTHON) -m benchmarks.$(or $(NAME),$(error say which: make bench NAME=one of $(basename $(notdir $(filter-out %/__init__.py,$(wildcard benchmarks/*.py))))))

lock: ## refresh the hash-locked sets in requirements/
	@requirements/lock.sh

clean: ## remove .venv, runs and caches
	@rm -rf .venv .venv-uv .venv.lock runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +
