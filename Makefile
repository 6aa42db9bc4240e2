# ChargeBench. `make` alone says what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHARGE_POINTS ?= 2
DURATION ?=

.DEFAULT_GOAL := help
.PHONY: help demo viewer test soak check format lock settings dashboards clean distclean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  with containers: docker compose up --scale chargepoint=8"

# The environment is made again whenever the lock changes. Only this step needs the package index.
$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 2; }
	@echo "making $(VENV) (once; half a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "no venv: on Debian and Ubuntu, install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready ## the bench on this machine, live page included (CHARGE_POINTS=5 DURATION=60)
	@exec $(BIN)/chargebench up --charge-points $(CHARGE_POINTS) $(if $(DURATION),--duration $(DURATION))

viewer: $(VENV)/ready ## ask the running bench's memory (an interactive menu)
	@exec $(BIN)/memory-viewer

test: $(VENV)/ready ## every test that can run here; what cannot is named
	@$(BIN)/python -m pytest $(TESTS)

soak: $(VENV)/ready ## break the bench at random for MINUTES=10, seeded by SEED=1, and count what is lost
	@SOAK_MINUTES=$(or $(MINUTES),10) SOAK_SEED=$(or $(SEED),1) \
	  $(BIN)/python -m pytest -m soak --timeout=0 -s tests/soak

check: $(VENV)/ready ## format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/ready ## put the code in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/ready ## write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements.lock

settings: $(VENV)/ready ## write docs/settings.md anew from the declarations
	@$(BIN)/python docs/generate_settings.py

dashboards: $(VENV)/ready ## write grafana/dashboards/*.json anew from their source
	@$(BIN)/python -m grafana.generate

clean: ## remove the embedded bench's data and what builds left
	@rm -rf .chargebench build .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean ## and the environment
	@rm -rf $(VENV) services/*.egg-info
