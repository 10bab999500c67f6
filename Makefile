# Each target does its own set-up; a second run starts at once. `make demo ARGS=--once` ends by itself.
SHELL := /bin/sh
PY := .venv/bin/python
ARGS ?=

.PHONY: help setup demo test long check bench evals tables lock format clean

help: ## what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: .venv/.runtime prometheus ## what running needs: .venv with the locked dependencies, and Prometheus

demo: .venv/.runtime prometheus alertmanager ## break a simulated fleet, watch the bot find out why, and approve the fix
	@$(PY) -m sandbox $(ARGS)

test: .venv/.development prometheus alertmanager postgres compose chromium ## the test suite, on real processes; `make long` is the rest of it
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

long: .venv/.development prometheus alertmanager postgres chromium ## ways beside the stories of DEMO.md, and measurements that start bots
	@$(PY) -m pytest -n 2 --dist loadfile -m long $(ARGS)

check: .venv/.development prometheus ## lint, types, layers, Prometheus configuration, tables of README.md
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy sre_bot sandbox scripts tests benchmarks evals sre_bot_slack.py sre_mcp_server.py
	@.venv/bin/lint-imports
	@promtool check config config/prometheus.yml config/prometheus.compose.yml
	@$(PY) scripts/tables.py --check

bench: .venv/.development prometheus postgres ## the measurements of docs/benchmarks.md
	@$(PY) -m benchmarks $(ARGS)

evals: .venv/.development prometheus ## break fleets in known ways and judge what the bot says about it
	@$(PY) -m evals $(ARGS)

format: .venv/.development ## apply the formatter and the safe fixes
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

tables: .venv/.development ## write the tables of README.md that are made from the code
	@$(PY) scripts/tables.py

lock: .venv/.development ## pin the newest allowed dependencies, with hashes and without download addresses
	@scripts/lock.sh

clean: ## remove what the sandbox and the tools left
	@rm -rf var .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: prometheus alertmanager postgres compose chromium
prometheus:
	@scripts/ensure_prometheus.sh

alertmanager:
	@scripts/ensure_prometheus.sh --alertmanager

postgres:
	@scripts/ensure_postgres.sh

compose:
	@scripts/ensure_compose.sh

chromium:
	@scripts/ensure_chromium.sh

.venv/.runtime: requirements.txt
	@scripts/ensure_venv.sh requirements.txt
	@touch $@

.venv/.development: requirements-dev.txt
	@scripts/ensure_venv.sh requirements-dev.txt
	@touch .venv/.runtime $@
