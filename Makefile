# Asiento on one machine. `make` alone lists what there is; every target makes the environment that it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The first Python on the path that is new enough and can make an environment; `make PYTHON=... setup` chooses another.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$candidate && break; done)

VENV := .venv
BIN := $(VENV)/bin
# Wheels only: nothing is built on the way in, so nothing unpinned can be fetched for building.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes
DOORS := receive derive reconcile rebuild_bi

##@ Run

.PHONY: demo
demo: $(VENV)/runtime.stamp ## A season of ticket sales, end to end, with its proofs (a few minutes)
	@$(BIN)/asiento demo --home .asiento-demo --fresh

.PHONY: demo-cloud
demo-cloud: $(VENV)/dev.stamp ## A season through the four doors on the Google adapters, over emulators, held against embedded
	@$(BIN)/python -m tests.season_on_google

.PHONY: bench
bench: $(VENV)/dev.stamp ## Every job beside its limit and its peers, at up to a million sales (hours)
	@$(MAKE) --keep-going bench-peers || echo 'What could not be made is left out; its rows say so.'
	@$(BIN)/python -m benchmarks

.PHONY: bench-quick
bench-quick: $(VENV)/dev.stamp ## The same with small inputs and without peers: a look, no figure to quote (a minute)
	@$(BIN)/python -m benchmarks --quick

# What users would pick instead, each in an environment of its own; the sync engine where there is node.
PEERS := datacompy datadiff dbt dlt sqlmesh
.PHONY: bench-peers
bench-peers: $(PEERS:%=.venv-peers-%/made.stamp) .venv-peers-stripe_sync/made.stamp ## The peers' environments, from pinned and hashed requirements

.venv-peers-%/made.stamp: benchmarks/peers/%.txt
	@echo 'Making .venv-peers-$* …'
	@$(PYTHON) -m venv --clear .venv-peers-$*
	@.venv-peers-$*/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	@touch $@

.venv-peers-stripe_sync/made.stamp: benchmarks/peers/stripe_sync/package-lock.json
	@mkdir -p $(@D)
	@cp benchmarks/peers/stripe_sync/package.json $< $(@D)
	@if command -v npm >/dev/null; then npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent; \
		else echo 'No npm here: the sync engine is left out, and its row says so.'; fi
	@touch $@

.PHONY: soak
soak: $(VENV)/runtime.stamp ## An hour's peak through the real door in five minutes: loss, memory, time to 2xx; docs/soak.md
	@$(BIN)/python -m benchmarks.soak

.PHONY: bundle
bundle: ## The four functions as zips in dist/bundles, the same bytes on every machine
	@$(PYTHON) scripts/bundle.py

.PHONY: cost
cost: $(VENV)/dev.stamp ## Count a season's operations on the emulators, and write docs/cost.md from them
	@$(BIN)/python -m scripts.cost --measure

##@ Check

.PHONY: test
test: $(VENV)/dev.stamp ## All tests
	@$(BIN)/python -m pytest -n 2

.PHONY: coverage
coverage: $(VENV)/dev.stamp ## All tests, with branch coverage of shared/ (95 % or it fails); half as long again
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered

SEEDS ?= 100
FIRST ?= 0

.PHONY: simulate
simulate: $(VENV)/dev.stamp ## SEEDS=n storms over the whole line, from seed FIRST on: faults, deaths, races, and an auditor
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

.PHONY: check-deep
check-deep: $(VENV)/dev.stamp ## Thousands of storms, every break, every crash, and the property tests searching deeper (hours)
	@$(BIN)/python -m tests.simulation --breaks
	@$(BIN)/python -m tests.simulation --seeds 3000 --first 1000
	@ASIENTO_SEARCH=deep $(BIN)/python -m pytest -n 2 -o faulthandler_timeout=7200 tests/simulation tests/domain tests/providers tests/local/test_payments_demo.py tests/test_season_on_google.py

SAMPLE ?= 0
SEED ?= 1

.PHONY: mutate
mutate: $(VENV)/dev.stamp ## Put small faults into money, fold, signatures and checks; write docs/mutation.md (ONLY= SAMPLE= SEED=)
	@nice -n 19 $(BIN)/python -m tests.mutation --sample $(SAMPLE) --seed $(SEED) $(ONLY)

.PHONY: check formatting lint types layers generated
check: formatting lint types layers generated ## Format, lint, types, layers and generated pages; changes nothing
	@echo 'check: formatting, lint, types, layers and generated pages are in order'

formatting: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo 'Run `make format`.' >&2; exit 1; }

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check --quiet .

types: $(VENV)/dev.stamp
	@$(BIN)/mypy --no-error-summary

layers: $(VENV)/dev.stamp
	@$(BIN)/lint-imports --no-logo >$(VENV)/layers.log || { cat $(VENV)/layers.log >&2; exit 1; }

generated: $(VENV)/dev.stamp
	@$(BIN)/python -m shared.providers.toolkit.capability_table --check
	@$(BIN)/python -m shared.bi.dictionary --check

.PHONY: format
format: $(VENV)/dev.stamp ## Format the code and mend what lint can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: generate
generate: $(VENV)/dev.stamp ## Write the generated pages: docs/providers.md, docs/data-dictionary.md, docs/lineage.md
	@$(BIN)/python -m shared.providers.toolkit.capability_table
	@$(BIN)/python -m shared.bi.dictionary

##@ Environment

.PHONY: setup
setup: $(VENV)/dev.stamp ## The whole environment in .venv, from pinned and hashed requirements

$(VENV)/runtime.stamp: requirements/runtime.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Asiento needs Python 3.11 or newer with the venv module; none of python3, python3.11 to python3.14 is one. Install it, or name it: make PYTHON=/path/to/python3 setup' >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/runtime.stamp
	@echo 'Adding what develops and checks it …'
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

# dev.txt is resolved from everything at once; the others are subsets, held to its versions.
LOCK := $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: lock
lock: $(VENV)/dev.stamp ## Pin requirements/*.in again; `make lock UPGRADE=1` takes the newest that they allow
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/dev.in --output-file requirements/dev.txt
	@$(LOCK) --no-annotate --upgrade requirements/runtime.in --constraints requirements/dev.txt --output-file requirements/runtime.txt
	@for door in $(DOORS); do \
		$(LOCK) --no-annotate --upgrade requirements/$$door.in --constraints requirements/dev.txt \
			--output-file functions/$$door/requirements.txt; \
	done
	@for peer in $(PEERS); do \
		$(LOCK) --no-annotate --only-binary :all: $(if $(UPGRADE),--upgrade) benchmarks/peers/$$peer.in \
			--output-file benchmarks/peers/$$peer.txt; \
	done

.PHONY: clean
clean: ## Remove the environment and every cache; what was kept under .asiento stays
	@rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov *.egg-info
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## "; print "Asiento: from a signed webhook to a certified number." } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
