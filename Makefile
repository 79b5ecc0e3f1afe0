# `make demo` and `make test` do all their own set-up; nothing but Python >= 3.11 and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The suite runs the formulas on TensorFlow and JAX too; the CPU wheel is half the download where it exists.
TENSORFLOW := $(shell uname -sm | grep -q '^Linux x86_64' && echo tensorflow-cpu || echo tensorflow)
# Compiled .pyc files are worth several seconds at every start of TensorFlow, whatever the caller's environment says.
PIP := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip --disable-pip-version-check install --quiet --compile

.PHONY: app demo docs test test-browser lint study clean help

help:
	@echo "make demo   recolour a sample picture, write kpalette-demo.png and print its figures"
	@echo "make app    the compare page, in the browser"
	@echo "make test   the whole test suite"
	@echo "make test-browser  the page's tests in Chromium"
	@echo "make lint   ruff and mypy"
	@echo "make docs   the documents as a site, site/index.html"
	@echo "make study  the tables and figures of docs/study.md"
	@echo "make clean  remove the virtual environment and caches"

demo: $(VENV)/.base
	@$(BIN)/kpalette demo --force

app: $(VENV)/.app
	$(BIN)/streamlit run streamlit_app.py

test: $(VENV)/.test
	KPALETTE_REQUIRE_BACKENDS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

study: $(VENV)/.test
	$(BIN)/kpalette evaluate -m palettenet -m ablated -m soft -m fitted -m baseline --lightness 0 --lightness auto --lightness 1 -o docs/study/photographs --into docs/study.md --force

# KPALETTE_SCREENSHOTS=1 makes docs/pictures anew.
test-browser: $(VENV)/.browser
	KPALETTE_BROWSER=1 $(BIN)/python -m pytest tests/browser

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Not --quiet: warnings, by which a strict build fails, would not be counted.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kpalette needs Python >= 3.11: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/.base: $(VENV)/bin/python pyproject.toml
	@echo "installing kpalette" >&2
	@$(PIP) --editable .
	@touch $@

$(VENV)/.app: $(VENV)/.base
	@echo "installing Streamlit" >&2
	@$(PIP) --editable '.[app]'
	@touch $@

$(VENV)/.docs: $(VENV)/.base
	@echo "installing MkDocs" >&2
	@$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@echo "installing what the tests need (TensorFlow and JAX: some 600 MB)" >&2
	@$(PIP) --editable '.[test,$(TENSORFLOW),jax,export,fast,tuning]'
	@touch $@

# Debian's Chromium where apt can be used, else the one that Playwright fetches.
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq
$(VENV)/.browser: $(VENV)/.test
	@echo "installing a browser" >&2
	@$(PIP) --editable '.[browser]'
	@command -v chromium >/dev/null \
		|| { $(APT) update && $(APT) install -y --no-install-recommends chromium >/dev/null; } \
		|| $(BIN)/playwright install chromium
	@touch $@

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
