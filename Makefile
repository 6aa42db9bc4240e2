# ChargeBench. `make` alone says what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHARGE_POINTS ?= 2
DURATION ?=

.DEFAULT_GOAL := help
.PHONY: help demo top viewer backup restore test soak score real-scores bench bench-large bench-knee check format lock settings dashboards pictures verify-grafana clean distclean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo "  with containers: docker compose up --scale chargepoint=8"

# The environment is made again whenever the lock changes. Only this step and the next need the package index.
$(VENV)/demo: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 2; }
	@echo "making $(VENV) (once; up to a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "no venv: on Debian and Ubuntu, install python3-venv"; exit 2; }
	@$(BIN)/python deploy/lock_subset.py demo > $(VENV)/demo.txt
	@$(BIN)/python deploy/install.py $(VENV)/demo.txt --no-deps
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/demo
	@echo "adding what tests, checks and scores need (once, from the package index) ..."
	@$(BIN)/python deploy/install.py requirements.lock
	@touch $@

demo: $(VENV)/demo ## the bench on this machine, live page included (CHARGE_POINTS=5 DURATION=60 PER_PROCESS=5)
	@exec $(BIN)/chargebench up --charge-points $(CHARGE_POINTS) \
	  $(if $(PER_PROCESS),--per-process $(PER_PROCESS)) $(if $(DURATION),--duration $(DURATION))

top: $(VENV)/demo ## watch the running bench in this terminal
	@exec $(BIN)/chargebench top

viewer: $(VENV)/demo ## ask the running bench's memory (an interactive menu)
	@exec $(BIN)/memory-viewer

backup: $(VENV)/demo ## write the bench's memory to FILE=memory.backup, while it runs or not
	@exec $(BIN)/chargebench backup "$(or $(FILE),$(error which file? Example: make backup FILE=memory.backup))"

restore: $(VENV)/demo ## put what FILE=memory.backup holds in the place of the bench's memory
	@exec $(BIN)/chargebench restore "$(or $(FILE),$(error which file? Example: make restore FILE=memory.backup))"

test: $(VENV)/dev ## every test that can run here; what cannot is named
	@$(BIN)/python -m pytest $(TESTS)

soak: $(VENV)/dev ## break the bench, break its memory, watch a page: each for MINUTES=10 (SEED=1 TESTS=tests/soak/…)
	@SOAK_MINUTES=$(or $(MINUTES),10) SOAK_SEED=$(or $(SEED),1) \
	  $(BIN)/python -m pytest -m soak --timeout=0 -s $(or $(TESTS),tests/soak)

score: $(VENV)/dev ## how well anomalies are found: build/score.html (ARGS="--events 10 --benign-days 6 --quick")
	@exec $(BIN)/chargebench score $(ARGS)

real-scores: $(VENV)/dev ## every scenario on a whole bench, found or not: build/real-scores.md; about twelve minutes
	@$(BIN)/python -m pytest -m soak --timeout=0 -s tests/soak/test_soak_scenarios.py

bench: $(VENV)/dev ## measure speed and size: one table, build/bench.json (PARTS="ingest chaos" SEED=1)
	@PYTHONPATH=tests $(BIN)/python -m bench --seed $(or $(SEED),1) $(PARTS)

bench-large: $(VENV)/dev ## the same with a memory of 100 million readings: 45 GB, about an hour
	@PYTHONPATH=tests $(BIN)/python -m bench --seed $(or $(SEED),1) --readings 100 $(PARTS)

bench-knee: $(VENV)/dev ## how many charge points this machine holds: build/knee.svg (ARGS="--from 10 --to 40 --window 10")
	@PYTHONPATH=tests $(BIN)/python -m bench.knee $(ARGS)

check: $(VENV)/dev ## format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/dev ## put the code in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Not after $(VENV)/dev: a new requirement stands in no lock yet, and without the lock no environment is made.
lock: ## write requirements.lock anew from pyproject.toml
	@test -x $(BIN)/uv || $(MAKE) $(VENV)/dev
	@$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements.lock

settings: $(VENV)/dev ## write the pages of settings, metrics, detectors, scenarios and scaling and the schemas anew
	@$(BIN)/python docs/generate_settings.py
	@$(BIN)/python docs/generate_metrics.py
	@$(BIN)/python docs/generate_detectors.py
	@$(BIN)/python docs/generate_scenarios.py
	@$(BIN)/python docs/generate_scaling.py
	@$(BIN)/python -m csms.scenario_schema

dashboards: $(VENV)/dev ## write the dashboards and alert rules of grafana/ anew from their source
	@$(BIN)/python -m grafana.generate

# Both may be given to make or stand in the environment; make hands them on.
verify-grafana: $(VENV)/demo ## check a running Grafana: GRAFANA_URL=http://127.0.0.1:3000 (GRAFANA_TOKEN=...)
	@exec $(BIN)/python -m grafana.verify

# What draws is half a gigabyte: fetched only when it is not there.
pictures: $(VENV)/dev ## draw the dashboards into docs/pictures anew; needs Node.js and Chromium
	@test -d grafana/render/node_modules || npm ci --silent --prefix grafana/render --ignore-scripts
	@PYTHONPATH=tests $(BIN)/python -m grafana_pictures docs/pictures

clean: ## remove the embedded bench's data and what builds left
	@if [ -e .chargebench/lock ] && ! flock --nonblock .chargebench/lock true; then \
	  echo "a bench is running in .chargebench: end it first (Ctrl-C in its terminal)" >&2; exit 2; fi
	@rm -rf .chargebench build .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean ## and the environment
	@rm -rf $(VENV) services/*.egg-info
