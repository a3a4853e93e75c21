# Every target does its own set-up: python3 (3.11 to 3.13), make and git are all it needs.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# The documentation as the server serves it at /docs, and what it is built from.
SITE := src/airtally/docs_site/site.json
SITE_SOURCES := mkdocs.yml requirements/docs.txt $(wildcard *.md) $(shell find docs scripts/docs_site -type f -not -path '*/__pycache__/*')
# Three, as tests wait a lot; each begins with a stretch of its own, so that few share what a module sets up.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal

# Modules are compiled once, also where the environment forbids it: each program that a test starts would do it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-test demo test test-browser screenshots test-slow test-long fuzz bench lint format lock docs clean

setup: $(VENV)/.runtime $(SITE)
setup-test: $(VENV)/.test

ASSETS := src/airtally/console/npm/package-lock.json hatch_build.py

$(VENV)/.runtime: requirements/runtime.txt requirements/docs.txt pyproject.toml $(ASSETS)
	scripts/setup runtime
	touch $@

$(SITE): $(SITE_SOURCES) | $(VENV)/.runtime
	.venv-docs/bin/python scripts/docs_site

$(VENV)/.test: requirements/test.txt requirements/docs.txt pyproject.toml $(ASSETS)
	scripts/setup test
	touch $@ $(VENV)/.runtime

demo: setup  ## sample data, then the server with its address, accounts and keys printed
	$(BIN)/airtally demo

test: setup-test  ## the whole suite; what depends on the machine's zone in three of them
	scripts/postgres
	scripts/interpreters
	scripts/javascript
	scripts/deploy-tools
	$(PYTEST) -m "not slow and not browser"

test-browser: setup-test  ## the console in a real Chromium: every page, in light and dark, wide and narrow
	scripts/browser
	scripts/javascript
	$(BIN)/python -m pytest -m browser

screenshots: setup-test  ## the pictures of README and docs, from the demo's data; ALL=folder takes every page there
	scripts/browser
	cd tests && ../$(BIN)/python -m browser.screenshots $(if $(ALL),--all $(abspath $(ALL)))

test-slow: setup-test  ## the long proofs, and the property tests with examples drawn anew
	scripts/postgres
	scripts/interpreters
	scripts/javascript
	scripts/deploy-tools
	$(BIN)/python -m pytest -m "slow and not long"
	$(PYTEST) -m "hypothesis and not slow and not browser" --hypothesis-profile=anew

test-long: setup-test  ## hostile callers for twenty minutes, the whole fuzzer
	scripts/postgres
	$(BIN)/python -m pytest -m long

fuzz: setup-test  ## 100,000 requests and 30,000 bodies of a new seed; FUZZ_SEED=n repeats one, CASES="…" single cases
	scripts/postgres
	cd tests && ../$(BIN)/python -m fuzz $(if $(CASES),cases $(CASES),all $(if $(FUZZ_SEED),--seed $(FUZZ_SEED)) $(FUZZ))

bench: setup-test  ## figures and ratios; writes docs/benchmarks.md; NAMES="…" picks some
	scripts/setup bench
	$(BIN)/python -m benchmarks.run $(NAMES)

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup-test  ## the generated pages, then the documentation as a site, which the server serves at /docs
	$(BIN)/python -m airtally.streams.reference > docs/reference/streams.md
	for page in settings metrics errors commands operations openapi; do $(BIN)/python -m airtally.reference $$page > docs/reference/$$page.md; done
	.venv-docs/bin/python scripts/docs_site

lock: setup-test  ## the locked requirements, from pyproject.toml and requirements/*.in
	scripts/lock

clean:
	rm -rf $(VENV) .venv-bench .venv-docs .venv-program build dist src/airtally/docs_site
