.DEFAULT_GOAL := check
.PHONY: setup demo test check bench docs sql client
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --locked --quiet
# Compiled once, or every command would begin by compiling all that it imports.
unexport PYTHONDONTWRITEBYTECODE

setup:
	@command -v uv >/dev/null || test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet uv; }
	@$(UV) sync --locked --quiet $(if $(wildcard .venv),,--python "$$($(PYTHON) -c 'import sys; print(sys.executable)')")

demo: setup
	@$(RUN) bash examples/demo.sh

test: setup
	@bash tests/packages.sh
	@$(RUN) pytest -n 2

check: setup
	@$(RUN) ruff format --check . && $(RUN) ruff check .
	@$(RUN) basedpyright
	@$(RUN) lint-imports --no-logo
	@$(RUN) squawk src/postroom/sql/migrations/*.sql
	@$(RUN) pytest tests/rules

bench: setup
	@bash tests/packages.sh
	@bash benchmarks/packages.sh
	@$(RUN) python -m benchmarks

docs: setup
	@$(RUN) pytest tests/rules/test_docs.py

# Until the first release, the first migration is what the init files make; from then on it is frozen.
sql:
	@cd src/postroom/sql && { echo "-- The first schema: what the three init files make. Written by make sql."; \
	  cat init-email-service.sql init-indexes.sql init-connection-pooling.sql; } > migrations/0001_first_schema.sql

# The client's operations and values follow from the document of the service; a test says when they do not.
client:
	@$(RUN) python -m tests.api.client_source
