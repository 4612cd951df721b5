# `make app` and `make test` need only Python 3.11 to 3.13 with venv.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

# The locks are made for all supported versions of Python at once; pins that still fit stay.
# `make lock UPGRADE=--upgrade` takes the newest releases, `UPGRADE='--upgrade-package NAME'` one.
LOCK = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' $(UPGRADE)

.PHONY: app lock mlflow test test-all check browser containers docs screenshots monkey soak fuzz load regress audit clean help

help:
	@echo "make app          start the dashboard on http://127.0.0.1:$(PORT)"
	@echo "make test         the tests for every change"
	@echo "make test-all     every test but those in the browser, in some 35 minutes"
	@echo "make mlflow       install MLflow's own server for its tests, in .venv-mlflow"
	@echo "make lock         pin all dependencies anew: requirements.txt, requirements-dev.txt"
	@echo "make check        lint, format, types, floors"
	@echo "make browser      end-to-end tests in headless Chromium"
	@echo "make containers   take the steps of the container files in a clean folder, and try what comes out (needs root)"
	@echo "make docs         the reference of the library as web pages, in build/site"
	@echo "make screenshots  make docs/screenshots anew"
	@echo "make monkey       walk through the dashboard at random for MONKEY_MINUTES (10), until something breaks"
	@echo "make soak         kill training runs a hundred times and compare (about half an hour)"
	@echo "make fuzz         look for files that break a reader, for FUZZ_MINUTES (30)"
	@echo "make load         50 sessions at once for 15 minutes"
	@echo "make regress      compare speed, as ratios to plain Keras, with what it was"
	@echo "make audit        known weaknesses of the dependencies (needs the network), and bandit"

$(VENV)/app.stamp: requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/app.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# MLflow's server needs older libraries than the workbench, so it has an environment of its own; only tests use it.
.venv-mlflow/stamp: requirements-mlflow.txt
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

mlflow: .venv-mlflow/stamp

app: $(VENV)/app.stamp
	$(BIN)/python -m dfcore app --port $(PORT)

lock: $(VENV)/dev.stamp
	$(LOCK) --extra app pyproject.toml --output-file requirements.txt
	$(LOCK) --extra dev pyproject.toml --constraint requirements.txt --output-file requirements-dev.txt
	$(LOCK) --extra serve pyproject.toml --constraint requirements.txt --output-file deploy/requirements-service.txt
	$(LOCK) --extra app --extra postgresql pyproject.toml --constraint requirements-dev.txt --output-file deploy/requirements-dashboard.txt
	echo hatchling | $(LOCK) - --constraint requirements-dev.txt --output-file deploy/requirements-build.txt
	$(LOCK) tests/standins/mlflow.in --output-file requirements-mlflow.txt

# Processes that run the tests; each may take 2 GB.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 15

test: $(VENV)/dev.stamp
	$(PYTEST)

test-all: $(VENV)/dev.stamp
	$(PYTEST) -m 'not browser'

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r dfcore dashboard pages streamlit_app.py

browser: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations 15 -m browser tests/e2e

# Where Docker or Podman are at hand, `docker build -f deploy/Containerfile --target service .` is the real thing.
containers: $(VENV)/dev.stamp
	$(BIN)/hadolint deploy/Containerfile
	for target in service dashboard; do \
		folder=$$(mktemp -d -p /var/tmp) || exit; \
		$(BIN)/python deploy/steps.py --target $$target --into $$folder --try || exit; \
		rm -rf $$folder; \
	done

docs: $(VENV)/dev.stamp
	PYTHONPATH=. $(BIN)/mkdocs build --quiet

screenshots: $(VENV)/dev.stamp
	$(BIN)/python -m tests.e2e.screenshots

# MONKEY_SEED=N takes the walk of that seed, MONKEY_REPLAY=FILE the steps of one that broke something.
monkey: $(VENV)/dev.stamp
	$(BIN)/python -m tests.e2e.monkey

soak: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.soak --kills 100 --out benchmarks/results/soak.txt

fuzz: $(VENV)/dev.stamp
	FUZZ_MINUTES=$${FUZZ_MINUTES:-30} FUZZ_OUT=benchmarks/results/fuzz.txt \
		$(BIN)/python -m pytest -m slow tests/security/test_fuzz.py

load: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.load --sessions 50 --minutes 15 --out benchmarks/results/load.txt --figure docs/load.png

regress: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.regress

audit: $(VENV)/dev.stamp
	$(BIN)/bandit -q -c pyproject.toml -r dfcore dashboard pages streamlit_app.py
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.txt

clean:
	rm -rf $(VENV) .venv-mlflow .cache .pytest_cache .mypy_cache .ruff_cache
