# Ringback: `make demo` places a real call on embedded defaults, `make test` passes the tests.
# Both need only Python 3.11 to 3.13 with venv, and network for the packages on their first run.

PYTHON ?= $(shell for v in python3 python3.13 python3.12 python3.11; do \
	$$v -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$v && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo serve test lint bench bench-ledger bench-density bench-turns bench-voicemail bench-dial bench-aftercall bench-inbound bench-flood crash-test simulate-days mutation clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Ringback needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed  ## Place a real call between an agent and a simulated person, and list it
	$(BIN)/ringback demo

serve: $(VENV)/.installed  ## Run the platform on http://127.0.0.1:8080 with its data in ./data
	$(BIN)/ringback serve

test: $(VENV)/.installed-dev  ## Run all tests (installs Debian's sipp, baresip and PostgreSQL where it may)
	@sh scripts/packages.sh tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not realtime"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m realtime

lint: $(VENV)/.installed-dev  ## Lint, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev  ## Run every benchmark; each ends with one line of JSON
	@for b in $$(ls benchmarks/*.py); do echo "== $$b"; $(BIN)/python -m benchmarks.$$(basename $$b .py) || exit 1; done

# What to measure, e.g. BENCH='--rows 100k --store sqlite --part pages'; without it everything, which takes an hour.
bench-ledger: $(VENV)/.installed-dev  ## The lists at 100 thousand and a million executions; a line of JSON a store
	@sh scripts/packages.sh bench
	$(BIN)/python -m benchmarks.ledger $(BENCH)

# Which turns, e.g. BENCH='--split tune --calls 6 --limit 60 --part turns'; without it everything, which takes half an hour.
bench-turns: $(VENV)/.installed-dev  ## Endpointing, barge-in and heard text in real calls; ends with a line of JSON
	@sh scripts/packages.sh bench
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench-turns]'
	$(BIN)/python -m benchmarks.turns $(BENCH)

# Which answers, e.g. BENCH='--split tune --label human --list'; the held-out ones take some minutes.
bench-voicemail: $(VENV)/.installed-dev  ## Machines, people and the rest on labelled answers; ends with a line of JSON
	@sh scripts/packages.sh bench
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench-turns]'
	$(BIN)/python -m benchmarks.voicemail $(BENCH)

# The baseline needs the extra too: .venv/bin/pip install -e '.[bench]' (see benchmarks/density/__main__.py).
bench-density: $(VENV)/.installed-dev  ## Calls that one core holds, beside LiveKit Agents if the extra bench is installed
	$(BIN)/python -m benchmarks.density $(BENCH)

# Shorter or smaller, e.g. BENCH='--calls 20 --seconds 60'; without it ten minutes.
bench-inbound: $(VENV)/.installed-dev  ## 100 calls to one worker for ten minutes: none lost, memory flat, recordings right
	$(BIN)/python -m benchmarks.inbound $(BENCH)

# More or shorter, e.g. BENCH='--calls 50 --seconds 5'; without it a minute.
bench-flood: $(VENV)/.installed-dev  ## 2,000 SIP requests a second beside live calls: how late their frames become
	$(BIN)/python -m benchmarks.flood $(BENCH)

# What to measure, e.g. BENCH='--store sqlite --part latency,limits'; without it everything, which takes a quarter of an hour.
bench-dial: $(VENV)/.installed-dev  ## Intake, latency, claims a second, idle CPU and limits of dialling; a line of JSON a store
	@sh scripts/packages.sh bench
	$(BIN)/python -m benchmarks.dialling $(BENCH)

# What to measure, e.g. BENCH='--store sqlite --part pipeline'; without it everything, which takes some minutes.
bench-aftercall: $(VENV)/.installed-dev  ## Records completed, webhooks delivered, the store audited; a line of JSON a store
	@sh scripts/packages.sh bench
	$(BIN)/python -m benchmarks.aftercall $(BENCH)

# E.g. CRASH='--kills 100 --store sqlite --seed 7'; a thousand kills a store take some ten minutes.
crash-test: $(VENV)/.installed-dev  ## Kill call workers at random while they dial and in the work after; a line of JSON a store, all zeros
	@sh scripts/packages.sh bench
	$(BIN)/python -m benchmarks.crash $(CRASH)

# Ten thousand take some ten minutes on two cores; e.g. DAYS=1000.
DAYS ?= 10000
simulate-days: $(VENV)/.installed-dev  ## Live random days of dialling, in which processes die; a bad one says how to see it again
	RINGBACK_DAYS=$(DAYS) $(BIN)/python -m pytest -q tests/simulation/test_dialling_days.py tests/simulation/test_dialling_day_statements.py

# What changes in prices, rating, invoices, wallets or settlement and no test notices; half an hour on two cores.
mutation: $(VENV)/.installed-dev  ## Change the code of the money everywhere, a little: the tests must notice
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	$(BIN)/mutmut run
	$(BIN)/mutmut results

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants build dist
