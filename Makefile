# The front door. `make help` lists everything.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
LOCAL := $(BIN)/python -m local
# Passed on to what a target runs: make test ARGS="-k wall", make redis-cli ARGS=dbsize
ARGS ?=
# `make DOCKER=no up` runs local processes although an engine answers.
DOCKER ?= auto

# Success while this clone's local processes run.
RUNS_LOCALLY = kill -0 "$$(cat .corkboard/run/supervisor.pid 2> /dev/null || echo x)" 2> /dev/null
# Success when Corkboard is in front of an app of the user's own, or will be: make up APP=http://127.0.0.1:5000
HAS_APP = { [ -n "$${APP-$$(sed -n 's/^ *APP *= *//p' .env 2> /dev/null)}" ] \
	|| { $(RUNS_LOCALLY) && [ -s .corkboard/run/app ]; }; }
HAS_DOCKER = [ "$(DOCKER)" != no ] && docker info > /dev/null 2>&1 && docker compose version > /dev/null 2>&1
# Success when this clone runs in Docker, or would. A container could not reach an app on this machine's loopback.
IN_DOCKER = ! $(RUNS_LOCALLY) && ! $(HAS_APP) && $(HAS_DOCKER)
NO_DOCKER = { [ "$(DOCKER)" = no ] || $(HAS_APP) \
	|| echo "no Docker engine with Compose answers: running the same services as local processes"; }
# GOAL: what the user asked for; the sub-make's own goal is a file that nobody should have to know.
INSTALL = $(MAKE) -s --no-print-directory GOAL="$(MAKECMDGOALS)"
# The demo's packages are for the demo only.
INSTALL_SERVICES = $(INSTALL) $(VENV)/local.stamp $$($(HAS_APP) || echo $(VENV)/wsgi_app.stamp)

CHECK_SETTINGS = awk -f local/check.awk .env.example $$(ls .env 2> /dev/null || echo /dev/null)
# `start_interval` and `include` of the Compose files came with these.
CHECK_DOCKER = printf '%s\n' "Engine $$(docker version --format '{{.Server.Version}}') 25.0" \
	"Compose $$(docker compose version --short) 2.20" | awk '{ \
		sub(/^v/, "", $$2); split($$2, found, "."); split($$3, least, "."); \
		if (found[1] * 1000 + found[2] < least[1] * 1000 + least[2]) { \
			print "Docker " $$1 " " $$2 " is too old: " $$3 " or newer is needed. Without Docker: make DOCKER=no $(MAKECMDGOALS)"; \
			exit 2 } }' >&2

.PHONY: help up deploy down logs status dev test lint format settings lock loadtest prove bench screenshots backup restore redis-cli stack test-swarm clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

up: ## start, and return when healthy, in Docker when it is there; APP=http://127.0.0.1:5000: around your own app
	@$(CHECK_SETTINGS)
	@if $(IN_DOCKER); then \
		$(CHECK_DOCKER) || exit; \
		docker compose up --build --wait --detach || { docker compose logs --tail 5 >&2; exit 1; }; \
		echo "http://localhost:$$(docker compose port nginx 8080 | sed 's/.*://') is ready.   make logs   make down"; \
	else \
		$(NO_DOCKER); \
		$(INSTALL_SERVICES) && $(LOCAL) up; \
	fi

deploy: ## replace what has changed, while it serves; SERVICE=wsgi, asgi, nginx or redis: that one only
	@$(CHECK_SETTINGS)
	@if $(IN_DOCKER); then \
		$(CHECK_DOCKER) || exit; \
		sh ops/deploy.sh $(SERVICE); \
	else \
		$(NO_DOCKER); \
		$(INSTALL_SERVICES) && $(LOCAL) deploy $(SERVICE); \
	fi

down: ## stop what `up` started, keep the data
	@if [ -d .corkboard/run ] && [ -x $(BIN)/python ]; then $(LOCAL) down; fi
	@if $(HAS_DOCKER) && [ -n "$$(docker compose ps --all --quiet)" ]; then docker compose down; fi

logs: ## follow the logs of all services; Ctrl-C ends it
	@if $(IN_DOCKER); then docker compose logs --follow --tail 20; else $(INSTALL) $(VENV)/local.stamp && $(LOCAL) logs $(ARGS); fi

status: ## one line per service
	@if $(IN_DOCKER); then docker compose ps --all; else $(INSTALL) $(VENV)/local.stamp && $(LOCAL) status; fi

dev: ## start with hot reload of both apps and show the logs; Ctrl-C stops it
	@if $(HAS_APP); then echo "make dev is for the demo's code; your own app's server reloads it: make up APP=..." >&2; exit 2; fi
	@$(CHECK_SETTINGS)
	@if $(IN_DOCKER); then \
		$(CHECK_DOCKER) || exit; \
		docker compose -f docker-compose.yml -f docker-compose.dev.yml up --build --watch; \
	else \
		$(NO_DOCKER); \
		$(INSTALL) $(VENV)/tests.stamp && $(LOCAL) dev; \
	fi

# Three side by side, also on two cores: they wait more than they compute.
test: $(VENV)/tests.stamp ## every test that can run here; what cannot is listed with the reason
	@$(BIN)/python -m pytest -n 3 $(ARGS)

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

settings: $(VENV)/tests.stamp ## write .env.example and docs/reference/settings.md anew from the code
	$(LOCAL) settings

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml
lock: $(VENV)/tests.stamp ## write the requirements files anew from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(COMPILE) $(UPGRADE) --extra wsgi -o wsgi_app/requirements.txt
	$(COMPILE) $(UPGRADE) --extra asgi -o asgi_app/requirements.txt
	$(COMPILE) $(UPGRADE) --extra loadtest -o loadtest/requirements.txt
	$(COMPILE) $(UPGRADE) --extra asgi --extra local -o local/requirements.txt
	$(COMPILE) $(UPGRADE) --extra dev -o tests/requirements.txt

loadtest: $(VENV)/tests.stamp ## Locust without a browser; fails when a threshold is missed
	@$(CHECK_SETTINGS)
	@$(BIN)/python -m loadtest.run $(ARGS)

prove: ## kill, freeze, cut off and restart each part under traffic, and say what was lost; ONLY=kill ROUNDS=3
	@if $(IN_DOCKER); then where=docker; else where=local; fi; \
	$(INSTALL) $(VENV)/local.stamp && $(INSTALL) $(VENV)/wsgi_app.stamp && $(BIN)/python -m prove $$where $(ARGS)

bench: $(VENV)/tests.stamp ## the benchmarks; writes a table and plots
	@$(BIN)/python -m bench $(ARGS)

screenshots: $(VENV)/tests.stamp ## take the pictures of the README from what runs (ARGS=URL: from elsewhere)
	@$(BIN)/python -m tests.harness.screenshots $(ARGS)

backup: ## copy what Redis holds into backups/, while everything runs (TO=FOLDER: elsewhere)
	@if $(IN_DOCKER); then sh ops/backup.sh $(if $(TO),"$(TO)"); \
	else $(INSTALL) $(VENV)/local.stamp && $(LOCAL) backup $(if $(TO),--to "$(TO)"); fi

restore: ## replace what Redis holds by a backup, FILE=...; asks first (FORCE=yes: does not)
	@if [ -z "$(FILE)" ]; then \
		echo "which backup? As in: make restore FILE=backups/corkboard-20260131T030000Z.rdb" >&2; exit 2; \
	elif $(IN_DOCKER); then sh ops/restore.sh "$(FILE)" $(if $(TO),"$(TO)"); \
	else $(INSTALL) $(VENV)/local.stamp && $(LOCAL) restore "$(FILE)" $(if $(TO),--to "$(TO)"); fi

redis-cli: ## talk to Redis as the operator (ARGS="xlen ...", or nothing for a prompt)
	@if $(IN_DOCKER); then \
		docker compose exec redis sh -c \
			'REDISCLI_AUTH=$$(cat /run/secrets/admin_password) exec redis-cli --user admin "$$@"' sh $(ARGS); \
	else \
		$(INSTALL) $(VENV)/local.stamp && $(LOCAL) redis-cli $(ARGS); \
	fi

stack: | $(BIN)/python ## Docker Swarm: build, push to REGISTRY, deploy (FILES="my.yml": with further Compose files)
	@$(CHECK_SETTINGS)
	@$(CHECK_DOCKER)
	@$(BIN)/python -m ops.swarm push $(FILES) && $(BIN)/python -m ops.swarm deploy $(FILES)

test-swarm: $(VENV)/tests.stamp ## the stack on three nested engines, which are killed under traffic; some minutes
	@$(BIN)/python -m pytest -s $(ARGS) tests/swarm/three_nodes.py

clean: down ## stop, remove what was built; the data stays, unless DATA=remove
	@if [ "$(DATA)" = remove ]; then \
		if $(HAS_DOCKER); then docker compose down --volumes; fi; \
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
	echo "Corkboard needs Python >= 3.11, and there is none on PATH: make PYTHON=/path/to/python3.11 $(or $(GOAL),$(MAKECMDGOALS))" >&2; \
	exit 1

# Installed again whenever the lock file is newer than the stamp. The stamp is made only when pip succeeds;
# the status of a pipe is that of its last command. What pip says is shown when it fails.
$(VENV)/%.stamp: %/requirements.txt | $(BIN)/python
	@echo "installing the packages of $< into $(VENV), once"
	@{ $(BIN)/pip install --disable-pip-version-check --require-hashes -r $< 2>&1 && touch $@ && echo done; } \
		| awk '{ said = said $$0 "\n"; last = $$0 } /^Collecting/ { printf "\r  %d packages", ++n; fflush() } \
			END { print ""; if (last != "done") printf "%s", said > "/dev/stderr" }'
	@test -e $@ && ! test $< -nt $@
