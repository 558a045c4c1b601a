# The front door. `make help` lists everything.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
LOCAL := $(BIN)/python -m local
# Passed on to what a target runs: make test ARGS="-k wall", make redis-cli ARGS=dbsize
ARGS ?=
# `make DOCKER=no up` runs local processes although an engine answers.
DOCKER ?= auto

# Success when this clone runs in Docker, or would: not while its local processes run.
IN_DOCKER = ! kill -0 "$$(cat .corkboard/run/supervisor.pid 2> /dev/null || echo x)" 2> /dev/null \
	&& [ "$(DOCKER)" != no ] && docker info > /dev/null 2>&1 && docker compose version > /dev/null 2>&1
NO_DOCKER = echo "no Docker engine answers: running the same services as local processes"
RUN_LOCAL_VENV = $(MAKE) -s --no-print-directory $(VENV)/local.stamp

# Compose would show a wrong number as an error of its own in many words.
CHECK_NUMBERS = for rule in HTTP_PORT:65535 ASGI_REPLICAS:32; do \
		name=$${rule%%:*}; most=$${rule\#*:}; eval "value=\$${$$name:-}"; \
		[ -n "$$value" ] || value=$$(sed -n "s/^ *$$name *= *['\"]*\([^'\"\#]*[^'\"\# ]\).*/\1/p" .env 2> /dev/null | tail -n 1); \
		case $${value:-1} in *[!0-9]* | ??????*) bad=1 ;; *) bad=0 ;; esac; \
		if [ $$bad = 1 ] || [ "$${value:-1}" -lt 1 ] || [ "$${value:-1}" -gt $$most ]; then \
			echo "$$name='$$value' makes no sense: it must be a whole number from 1 to $$most (see .env.example)" >&2; \
			exit 2; \
		fi; \
	done

.PHONY: help up down logs status dev test lint format lock loadtest bench screenshots redis-cli clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

up: ## start, and return when healthy: with Docker when an engine answers, else as local processes
	@if $(IN_DOCKER); then \
		$(CHECK_NUMBERS); \
		docker compose up --build --wait --detach || { docker compose logs --tail 5 >&2; exit 1; }; \
		echo "http://localhost:$$(docker compose port nginx 8080 | sed 's/.*://') is ready.   make logs   make down"; \
	else \
		[ "$(DOCKER)" = no ] || $(NO_DOCKER); \
		$(RUN_LOCAL_VENV) && $(LOCAL) up; \
	fi

down: ## stop what `up` started, keep the data
	@if [ -d .corkboard/run ] && [ -x $(BIN)/python ]; then $(LOCAL) down; fi
	@if $(IN_DOCKER) && [ -n "$$(docker compose ps --all --quiet)" ]; then docker compose down; fi

logs: ## follow the logs of all services; Ctrl-C ends it
	@if $(IN_DOCKER); then docker compose logs --follow --tail 20; else $(RUN_LOCAL_VENV) && $(LOCAL) logs $(ARGS); fi

status: ## one line a service
	@if $(IN_DOCKER); then docker compose ps --all; else $(RUN_LOCAL_VENV) && $(LOCAL) status; fi

dev: ## start with hot reload of both apps and show the logs; Ctrl-C stops it
	@if $(IN_DOCKER); then \
		$(CHECK_NUMBERS); \
		docker compose -f docker-compose.yml -f docker-compose.dev.yml up --build --watch; \
	else \
		[ "$(DOCKER)" = no ] || $(NO_DOCKER); \
		$(MAKE) -s --no-print-directory $(VENV)/tests.stamp && $(LOCAL) dev; \
	fi

test: $(VENV)/tests.stamp ## every test that can run here; what cannot is listed with the reason
	@$(BIN)/python -m pytest -n 2 $(ARGS)

# It checks the types in the scripts' comments. npm brings it, into a folder of its own and without a lock file.
TYPESCRIPT := 7.0.2
TSC := $(VENV)/typescript-$(TYPESCRIPT)/node_modules/.bin/tsc
SHELL_FILES = { git ls-files '*.sh' '*.envsh'; \
	git ls-files | xargs awk 'FNR == 1 && /^\#!.*sh( |$$)/ { print FILENAME } { nextfile }'; } | sort -u

lint: $(VENV)/tests.stamp ## ruff, mypy, tsc, shellcheck, nginx -t
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@if command -v npm > /dev/null; then $(MAKE) -s --no-print-directory $(TSC) && echo "tsc" && $(TSC); \
	else echo "tsc: skipped, because there is no npm on PATH; it comes with Node.js"; [ -z "$$REQUIRE_ALL" ]; fi
	$(BIN)/shellcheck $$($(SHELL_FILES))
	$(LOCAL) check

$(TSC):
	@npm install --prefix $(VENV)/typescript-$(TYPESCRIPT) --no-save --no-package-lock --no-audit --no-fund \
		--ignore-scripts --loglevel=error --silent typescript@$(TYPESCRIPT)

format: $(VENV)/tests.stamp ## let ruff format and sort what it can
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml
lock: $(VENV)/tests.stamp ## write the requirements files anew from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(COMPILE) $(UPGRADE) --extra wsgi -o wsgi_app/requirements.txt
	$(COMPILE) $(UPGRADE) --extra asgi -o asgi_app/requirements.txt
	$(COMPILE) $(UPGRADE) --extra loadtest -o loadtest/requirements.txt
	$(COMPILE) $(UPGRADE) --extra wsgi --extra asgi --extra local -o local/requirements.txt
	$(COMPILE) $(UPGRADE) --extra dev -o tests/requirements.txt

loadtest: $(VENV)/tests.stamp ## Locust without a browser; fails when a threshold is missed
	@$(BIN)/python -m loadtest.run $(ARGS)

bench: $(VENV)/tests.stamp ## the benchmarks; writes a table and plots
	@$(BIN)/python -m bench $(ARGS)

screenshots: $(VENV)/tests.stamp ## take the pictures of the README from what runs (ARGS=URL: from elsewhere)
	@$(BIN)/python -m tests.harness.screenshots $(ARGS)

redis-cli: ## talk to Redis as the operator (ARGS="xlen ...", or nothing for a prompt)
	@if $(IN_DOCKER); then \
		docker compose exec redis sh -c \
			'REDISCLI_AUTH=$$(cat /run/secrets/admin_password) exec redis-cli --user admin "$$@"' sh $(ARGS); \
	else \
		$(RUN_LOCAL_VENV) && $(LOCAL) redis-cli $(ARGS); \
	fi

clean: down ## stop, remove what was built; the data stays, unless DATA=remove
	@if [ "$(DATA)" = remove ]; then \
		if $(IN_DOCKER); then docker compose down --volumes; fi; \
		rm -rf .corkboard; \
	fi
	@rm -rf $(VENV) .corkboard/run .corkboard/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest Python that is new enough makes the environment; PYTHON=/path/to/python chooses another.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
			echo "making $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv $(VENV) && exit; \
			rm -rf $(VENV); exit 1; \
		fi; \
	done; \
	echo "Corkboard needs Python >= 3.11, and there is none on PATH: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	exit 1

# Installed again whenever the lock file is newer than the stamp. The stamp is made only when pip succeeds;
# the status of a pipe is that of its last command.
$(VENV)/%.stamp: %/requirements.txt | $(BIN)/python
	@echo "installing the packages of $< into $(VENV), once"
	@{ $(BIN)/pip install --disable-pip-version-check --require-hashes -r $< && touch $@; } \
		| awk '/^Collecting/ { printf "\r  %d packages", ++n; fflush() } END { print "" }'
	@test -e $@ && ! test $< -nt $@
