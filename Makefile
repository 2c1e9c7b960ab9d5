# Each target sets up all that it needs, and does nothing twice. `make help` lists them.
# The toolchain is uv in .uv/ (version in uv.version) and one environment in .venv/ (requirements.lock, with hashes).

PYTHON ?= python3
UV := .uv/bin/uv
EVERYCENT := .venv/bin/everycent
SAMPLE_CONFIG := examples/sample/everycent.yml
SAMPLE_TODAY := 2026-11-17
# OpenAI and Anthropic deliver by HTTP only: their APIs stand on 127.0.0.1:8790 while a command runs.
SAMPLE_APIS := .venv/bin/python -m simulator serve sample --
# What `make run` did is what `make ui` shows. Elsewhere a night keeps Dagster's state in <home>/dagster.
IN_DAGSTER_HOME := DAGSTER_HOME=$(CURDIR)/dagster_home

export UV_PYTHON_DOWNLOADS := never
export DAGSTER_DISABLE_TELEMETRY := 1
# Modules are compiled once, also where the shell says otherwise: a night starts three seconds sooner.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint ui lock clean setup browser servers validator

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: setup sample/.stamp ## Run the nightly job on the sample company, which is made if it is not there
	$(IN_DAGSTER_HOME) $(SAMPLE_APIS) $(EVERYCENT) nightly --config $(SAMPLE_CONFIG) --today $(SAMPLE_TODAY)

test: setup browser servers validator lint ## Run the linters and every test
	.venv/bin/python -m pytest -q -n 2 --dist loadfile

lint: setup
	.venv/bin/ruff check .
	.venv/bin/pyright --level error
	.venv/bin/sqlfluff lint --disable-progress-bar models_sql

ui: $(if $(EVERYCENT_CONFIG),setup,run) ## Start Dagster's web interface on http://127.0.0.1:3000 for $EVERYCENT_CONFIG or the sample
	$(IN_DAGSTER_HOME) .venv/bin/dagster dev -m pipelines.definitions -h 127.0.0.1 -p 3000

lock: $(UV) ## Resolve again and write requirements.lock, which holds no address
	$(UV) lock --upgrade
	$(UV) export --frozen --no-emit-project --no-header --all-groups -o requirements.lock

clean: ## Remove the environment, the sample and what was made of it
	rm -rf .uv .venv .validator sample home tests/servers/node_modules .ruff_cache .pytest_cache .hypothesis
	cd dagster_home && find . -mindepth 1 ! -name dagster.yaml ! -name .gitignore -delete

setup: .venv/.project

$(UV): uv.version
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "everycent needs Python 3.11 or newer; give it as: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv; } \
		|| { echo "Python's venv module is missing; install it with: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install -q --disable-pip-version-check "uv==$$(cat uv.version)"
	@touch $@

.venv/.lock: $(UV) requirements.lock
	[ -x .venv/bin/python ] || $(UV) venv -q --python $(PYTHON) .venv
	$(UV) pip sync -q --require-hashes --compile-bytecode requirements.lock
	@touch $@

.venv/.project: .venv/.lock pyproject.toml
	$(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

browser:
	@command -v chromium >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
		|| { echo "chromium is missing; install it with: apt-get install --no-install-recommends chromium" >&2; \
			[ -z "$$CI" ]; }

servers: setup ## Install the test server that is no Python package
	@.venv/bin/python tests/servers/node.py

# Another simulator makes another sample: what was made of the old one goes too.
sample/.stamp: $(wildcard simulator/*.py simulator/bills/*.py simulator/logs/*.py) | setup
	rm -rf sample home/sample
	.venv/bin/python -m simulator --out sample
	@touch $@

# The official FOCUS validator needs a Python and packages other than ours: an environment of its own.
validator: .validator/.lock

.validator/.lock: $(UV) tests/validator/requirements.lock tests/validator/find_python.py
	@found="$$($(PYTHON) tests/validator/find_python.py $(UV))"; \
	if [ -n "$$found" ]; then \
		$(UV) venv -q --allow-existing --python "$$found" .validator \
		&& $(UV) pip sync -q --require-hashes -p .validator/bin/python tests/validator/requirements.lock \
		&& touch $@; \
	else \
		echo "The FOCUS validator needs Python 3.12 or newer, which is not here; its tests are skipped." >&2; \
		[ -z "$$CI" ]; \
	fi
