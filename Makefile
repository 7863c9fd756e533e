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

# Until the first release, the first migration is what the init files make; from then on it is frozen. The container's
# build cannot reach src/: it has copies, and a ledger of the migrations with their hashes.
sql:
	@cd src/postroom/sql && { echo "-- The first schema: what the three init files make. Written by make sql."; \
	  cat init-email-service.sql init-indexes.sql init-connection-pooling.sql; } > migrations/0001_first_schema.sql
	@cd src/postroom/sql && container=../../../deployment/docker/postgres && \
	  cp init-email-service.sql $$container/initdb/10-init-email-service.sql && \
	  cp init-indexes.sql $$container/initdb/20-init-indexes.sql && \
	  cp init-connection-pooling.sql $$container/initdb/30-init-connection-pooling.sql && \
	  mkdir -p $$container/migrations && rm -f $$container/migrations/* && \
	  { ls migrations/*.sql | tail -n +2 | xargs -r cp -t $$container/migrations; } && \
	  for each in migrations/*.sql; do \
	    name=$${each##*/}; number=$${name%%_*}; \
	    printf "%d %s %s\n" "$$(expr $$number + 0)" "$$name" "$$(sha256sum < "$$each" | cut -d ' ' -f 1)"; \
	  done > $$container/migrations/ledger

# The client's operations and values follow from the document of the service; a test says when they do not.
client:
	@$(RUN) python -m tests.api.client_source
