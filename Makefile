# Every target does its own set-up: Python 3.11 or later, make and git are all that must be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

export CENSUS_HOME ?= $(CURDIR)/.census
# Great Expectations takes three times as long to import where its bytecode may not be kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-accessibility test-faults test-superset fuzz bench audit ui lint format docs requirements clean mutate

help:
	@echo "make run          backfill twelve months of the sample, publish, print the headline"
	@echo "make test         check style and types, run the tests"
	@echo "make test-accessibility  look for barriers in the pages of the site"
	@echo "make test-faults  run their long forms: kills, quotas, backfills in every order and under the daemon"
	@echo "make test-superset install Superset beside the environment and look at the published file through it"
	@echo "make fuzz         ten minutes of coverage-guided fuzzing of what reads untrusted input"
	@echo "make mutate       put small faults into the code, one at a time, and tell which the nearest tests let pass"
	@echo "make audit        look the pinned requirements up in the advisory database"
	@echo "make ui           the Dagster UI on http://127.0.0.1:3000"
	@echo "make lint         check style and types"
	@echo "make format       set the style"
	@echo "make docs         write the pages that follow from the code"
	@echo "make requirements compile the pinned requirements anew"
	@echo "make bench        measure what every stage costs at the size of the whole Hub"
	@echo "make clean        remove the environment"

run: $(VENV)/ready-to-run
	$(BIN)/census run --source sample --from 2024-09 --to 2025-08 --jobs 2

ui: $(VENV)/ready-to-run
	$(BIN)/census ui

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests

# The long forms: runs killed a hundred times, random worlds, every lie, backfills in every order. First those whose
# figures go into docs/reliability.md, the short ones among them: kills and worlds end after FAULTS_SECONDS each.
COUNTED := tests/faults tests/sources/test_listing_crawl.py tests/reference/test_registry.py
test-faults: $(VENV)/ready-to-test
	FAULTS_FIGURES=docs/reliability.json $(BIN)/pytest -n 2 --dist loadfile -m "faults or not faults" $(COUNTED)
	$(BIN)/pytest -m faults tests $(COUNTED:%=--ignore %)

# By axe-core, which npm fetches and whose digest is checked; says that it was skipped where it cannot be fetched.
test-accessibility: $(VENV)/ready-to-test
	.ci/accessibility

# Superset has an environment of its own: it asks for older versions of what the census uses.
test-superset: $(VENV)/ready-to-test
	$(PYTHON) -m venv $(VENV)/superset
	$(BIN)/uv pip install --quiet --python $(VENV)/superset/bin/python --require-hashes \
		--requirement requirements/superset.txt
	$(BIN)/pytest -m superset tests/end_to_end/test_superset.py

# Ten minutes of coverage-guided fuzzing; its figures go there as well.
fuzz: $(VENV)/ready-to-test
	$(UV) --require-hashes --requirement requirements/fuzz.txt
	for target in tags cards listing pages; do \
		FAULTS_FIGURES=docs/reliability.json $(BIN)/python -m tests.fuzz.fuzz $$target 150 || exit 1; done

# Faults drawn with a fixed seed, some of each module; `make mutate ASK="shares checks --each 20"`. Some minutes a part.
mutate: $(VENV)/ready-to-test
	$(UV) --require-hashes --requirement requirements/mutate.txt
	$(BIN)/python -m tests.mutate $(ASK)

# What every stage costs at the size of the whole Hub; `make bench ASK="--models 300000"`. Some hours with --growth.
bench: $(VENV)/ready-to-test
	$(BIN)/python -m benchmarks $(ASK)

# Known vulnerabilities of the pinned requirements; says that it was skipped where there is no network.
audit: $(VENV)/installer
	.ci/audit

lint: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

format: $(VENV)/ready-to-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages that follow from the code; a test holds them current.
docs: $(VENV)/ready-to-run
	$(BIN)/census docs

# Compiles the pinned requirements anew from pyproject.toml; no index address gets into them.
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate
DEPLOYED := --extra postgres-instance --extra object-store --extra cluster --extra kubernetes
requirements: $(VENV)/installer
	$(COMPILE) pyproject.toml --group build --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --group build $(DEPLOYED) --constraints requirements/run.txt \
		--output-file requirements/deploy.txt
	$(COMPILE) pyproject.toml --group build --group test $(DEPLOYED) \
		--constraints requirements/run.txt --output-file requirements/test.txt
	$(COMPILE) --group pyproject.toml:fuzz --output-file requirements/fuzz.txt
	$(COMPILE) --group pyproject.toml:superset --output-file requirements/superset.txt
	$(COMPILE) --group pyproject.toml:mutate --constraints requirements/test.txt --output-file requirements/mutate.txt

clean:
	rm -rf $(VENV)

$(VENV)/installer: requirements/installer.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/installer.txt
	touch $@

$(VENV)/ready-to-run: $(VENV)/installer requirements/run.txt pyproject.toml
	$(UV) --require-hashes --requirement requirements/run.txt
	$(UV) --no-deps --no-build-isolation --editable .
	touch $@

# DuckDB 1.4 stands beside the environment, for the test that an older reader opens the warehouse.
$(VENV)/ready-to-test: $(VENV)/ready-to-run requirements/test.txt requirements/duckdb-1.4.txt
	$(UV) --require-hashes --requirement requirements/test.txt
	$(UV) --require-hashes --requirement requirements/duckdb-1.4.txt --target $(VENV)/duckdb-1.4
	touch $@
