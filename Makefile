# Everything runs in .venv, which is made with this Python:
PYTHON ?= python3
BIN := .venv/bin
# Downloads of the local Kafka and Elasticsearch; ignored by git, and made again where it is missing.
export BP_FAUST_CACHE_DIR ?= $(CURDIR)/.cache/bp_faust

# Also in tests/browser/conftest.py.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --custom-compile-command 'make lock'

# The page's chart library; see bp_faust/web/vendor/README.md.
UPLOT := 1.6.32

.PHONY: demo test chaos bench check screenshots browser pythons docs format lock audit uplot clean

demo: .venv/installed-local
	@$(BIN)/faust -A bp_faust demo $(ARGS)

# Each of the processes has a Kafka and an Elasticsearch of its own.
test: .venv/installed-test browser
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TESTS)

# Make the pictures of README anew.
screenshots: .venv/installed-test browser
	$(BIN)/python -m pytest tests/browser/test_screenshots.py --screenshots $(ARGS)

# What the page is tested in. Where it may be installed, it is; elsewhere a line says what to install, and those tests are skipped.
browser:
	@for name in $(BROWSERS); do if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing chromium, in which the page is tested.'; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-liberation) \
	    >/dev/null || echo 'chromium could not be installed: the tests of the page are skipped.'; \
	else \
	  echo 'No browser is installed: the tests of the page are skipped. Install Chromium (apt install chromium, brew install chromium).'; \
	fi

chaos: .venv/installed-test
	$(BIN)/python -m pytest tests/chaos --full --capture=no $(ARGS)

# For example: make bench ARGS='throughput --records 50000'
bench: .venv/installed-bench
	$(BIN)/python -m benchmarks $(ARGS)

# MkDocs counts no warnings, and so finds nothing, with --quiet.
check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir .cache/site
	$(BIN)/python -m pytest -q tests/unit

# The unit tests on each Python from 3.10 to 3.13 that is found here; PYTHONS='/a/python /another/python' names others.
PYTHONS ?= $(foreach version,3.10 3.11 3.12 3.13,$(firstword $(wildcard $(HOME)/.pyenv/versions/$(version).*/bin/python) \
	$(shell python$(version) -c 'import sys; print(sys.executable)' 2>/dev/null)))
pythons:
	@for python in $(PYTHONS); do \
		name=$$($$python -c 'import platform; print(platform.python_version())') && echo "Python $$name" && \
		$$python -m venv .cache/python-$$name && \
		.cache/python-$$name/bin/python -m pip install --quiet --disable-pip-version-check \
			--constraint constraints.lock --editable '.[test]' && \
		.cache/python-$$name/bin/python -m pytest -q tests/unit || exit 1; \
	done

# The documentation as a site, in site/.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolve anew, within setup.cfg: `make lock ARGS=--upgrade` to the newest versions, ARGS='--upgrade-package NAME' to one's.
lock: .venv/installed-dev
	$(LOCK) --all-extras --output-file constraints.lock $(ARGS) setup.cfg
	$(LOCK) --constraint constraints.lock --generate-hashes --output-file requirements.lock setup.cfg

# Look what is pinned for this Python up in the Python Packaging Advisory Database; what it does not answer is an error.
audit: .venv/installed-dev
	@PIP_AUDIT_LOGLEVEL=error $(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off --requirement constraints.lock

# Fetch the chart library's files from its npm package; takes npm.
uplot:
	folder="$$(mktemp -d)" && npm pack --silent --pack-destination "$$folder" uplot@$(UPLOT) >/dev/null && \
	tar -xzf "$$folder/uplot-$(UPLOT).tgz" -C "$$folder" && \
	cp "$$folder/package/LICENSE" "$$folder/package/dist/uPlot.esm.js" "$$folder/package/dist/uPlot.min.css" bp_faust/web/vendor/ && \
	rm -r "$$folder"

clean:
	rm -rf .venv .cache build dist site *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed-%: setup.cfg pyproject.toml constraints.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.lock --editable '.[$*]'
	@touch $@
