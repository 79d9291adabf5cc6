# Everything runs in .venv, which is made with this Python:
PYTHON ?= python3
BIN := .venv/bin
# Downloads of the local Kafka and Elasticsearch; ignored by git, and made again where it is missing.
export BP_FAUST_CACHE_DIR ?= $(CURDIR)/.cache/bp_faust

.PHONY: demo test chaos bench check format clean

demo: .venv/installed-local
	@$(BIN)/faust -A bp_faust demo

test: .venv/installed-test
	$(BIN)/python -m pytest $(TESTS)

chaos: .venv/installed-test
	$(BIN)/python -m pytest tests/chaos --full $(ARGS)

# For example: make bench ARGS='throughput --records 50000'
bench: .venv/installed-bench
	$(BIN)/python -m benchmarks $(ARGS)

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .cache build dist *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed-%: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
