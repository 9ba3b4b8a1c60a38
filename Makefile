# Short names for commands of npm and compose. `make` alone lists them.

COMPOSE := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
PRODUCERS ?= 3
OPEN := $(shell command -v xdg-open || command -v open || echo echo open)

.DEFAULT_GOAL := help
.PHONY: help service-build service-up service-logs service-down test test-coverage test-coverage-detailed test-coverage-visualize

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 26

service-build: ## build the images
	$(COMPOSE) build

service-up: ## start Redis, the gateway and PRODUCERS=3 producers in the background, then http://localhost:8000
	$(COMPOSE) up --detach --scale producer=$(PRODUCERS)

service-logs: ## follow the containers' own logs
	$(COMPOSE) logs --follow --tail=100

service-down: ## stop and remove the containers; the log stays in its volume
	$(COMPOSE) down

test: ## lint, types, build and every test, as CI does
	npm test

test-coverage: ## run the tests and write the coverage report to coverage/
	npm run --silent pretest
	npm run coverage -- --coverage.reporter=text-summary --coverage.reporter=html

test-coverage-detailed: ## the same, with a table of every file and its uncovered lines
	npm run --silent pretest
	npm run coverage -- --coverage.reporter=text

test-coverage-visualize: test-coverage ## the same, then open it in the browser
	$(OPEN) coverage/index.html
