# Voicemail Pro. `make run` needs Python 3.11 or newer and nothing else.
#
#   PYTHON=/path/to/python   use this Python for .venv
#   TESTS=tests/sip          what `make test` runs
#   MINUTES=10               how long `make fuzz` runs
#   SOAK_SECONDS=600         how long `make soak` calls
#   CHAOS_MINUTES=30         how long `make chaos` breaks things
#   CHAOS_SEED=1             what breaks when; another each time where it is not given
#   RECORDINGS=recordings    where `make recordings` puts them

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
PYTEST_OPTIONS ?=
MINUTES ?= 10
SOAK_SECONDS ?= 3600
CHAOS_MINUTES ?= 30
CHAOS_SEED ?=
RECORDINGS ?= recordings

# The first Python that is new enough; what is in .venv comes first, so a second start asks for nothing.
define find_python
for name in "$(PYTHON)" $(BIN)/python python3 python3.13 python3.12 python3.11 python; do \
	[ -n "$$name" ] || continue; \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$name"; break; fi; \
	[ "$$name" != "$(PYTHON)" ] || { echo "PYTHON=$(PYTHON) is not a Python 3.11 or newer" >&2; exit 1; }; \
done; \
[ -n "$$python" ] || { echo "Python 3.11 or newer is needed, and none was found. Name one: make $@ PYTHON=/path/to/python3.11" >&2; exit 1; }
endef

.PHONY: help run speech venv venv-dev packages test check lint types rules fuzz bench soak chaos recordings clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 20

run: venv ## Start everything; the first start prints how to log in (Ctrl-C stops)
	@exec $(BIN)/python -m app.launch

speech: venv ## Install better voices for <Say>, in all five languages (Kokoro-82M, 450 MB) into the instance folder
	@$(BIN)/python -m voice.synthesis install

venv:
	@$(find_python); "$$python" app/launch/bootstrap.py $(VENV) requirements.txt

venv-dev:
	@$(find_python); "$$python" app/launch/bootstrap.py $(VENV) requirements-dev.txt

packages:
	@sh .ci/packages
	@sh .ci/node-packages

test: packages venv-dev ## Run every test (installs Debian packages for it where it may)
	@$(BIN)/python -m tests $(PYTEST_OPTIONS) $(TESTS)

check: venv-dev lint types rules test ## Lint, types, the rules of the code, and every test

lint: venv-dev
	@$(BIN)/ruff check .

types: venv-dev
	@$(BIN)/mypy

rules: venv-dev
	@$(BIN)/python -m pytest -q -m "not slow and not alone" tests/house $(wildcard tests/web/test_vendored.py)

fuzz: venv-dev ## Fuzz the parsers of SIP, SDP, RTP and RTCP for MINUTES (10)
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: venv-dev ## Run the benchmarks, tables and ratios
	@$(BIN)/python -m bench

soak: venv-dev ## Calls of every kind for SOAK_SECONDS (an hour); memory, threads, sockets and files must stay flat
	@$(BIN)/python -m bench.soak --seconds $(SOAK_SECONDS)

chaos: packages venv-dev ## Break everything while calls come in, for CHAOS_MINUTES (30); nothing may be lost
	@$(BIN)/python -m tests.faults.chaos --minutes $(CHAOS_MINUTES) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

recordings: packages venv-dev ## Record what an owner hears in a call to *97, a WAV a language, into RECORDINGS (recordings/)
	@VOICEMAIL_RECORDINGS="$(abspath $(RECORDINGS))" $(BIN)/python -m pytest -q -k conversation tests/peers/test_owner_calls.py
	@ls -l "$(abspath $(RECORDINGS))"

clean: ## Remove .venv and caches; the instance folder stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -not -path './instance/*' -type d -prune -exec rm -rf {} +
