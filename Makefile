# Two commands on a fresh machine: `make run` chats through the mock provider, `make test` runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: run test check lint install lock format clean matrix matrix-docs matrix-lock

run: $(VENV)/installed-base
	@$(BIN)/gateway keys ensure --name quickstart
	@$(BIN)/gateway serve

# The types and the rules of imports take long enough to be looked at beside the tests, as two of them. What fails while three
# workers share the machine runs again by itself: a fault fails twice, and what failed once is in the output, to be mended.
test: lint
	$(BIN)/python -m pytest -n 3 --dist worksteal || \
	  { [ $$? -eq 1 ] && $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

check: lint
	$(BIN)/python -m pytest -n 2 tests/analysis

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# Every client of docs/matrix.md, each in an environment of its own under .matrix.
matrix: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 tests/matrix -m "matrix or not matrix"

matrix-docs: $(VENV)/installed-dev
	$(BIN)/python -m tests.matrix.write

# As `lock`, for the environments of the matrix. Needs npm.
matrix-lock: $(VENV)/installed-dev
	$(PIP) install pip-tools
	cd tests/matrix/requirements && for name in *.in; do \
	  $(abspath $(BIN))/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options \
	    --allow-unsafe --no-header --annotation-style=line --output-file=$${name%.in}.txt $$name || exit 1; done
	cd tests/matrix/requirements && npm install --package-lock-only --omit-lockfile-registry-resolved

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/installed-dev

# Locked with hashes, and without the address of any index.
lock: $(VENV)/installed-dev
	$(PIP) install pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options \
	  --allow-unsafe --no-header --annotation-style=line --output-file=requirements/base.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options \
	  --allow-unsafe --no-header --annotation-style=line --extra=postgres --extra=testing --extra=dev --output-file=requirements/dev.txt pyproject.toml

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed-base: requirements/base.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(PIP) install --require-hashes -r requirements/base.txt
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/installed-dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV), with all that the tests need …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --editable .
	@touch $@ $(VENV)/installed-base

clean:
	rm -rf $(VENV) .matrix build dist
