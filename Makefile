# Everything that one does with a clone.  `make help` lists it.
# Needs Python 3.11 to 3.14, make and git; whatever else is needed comes into .venv, by version and hash.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
# What was compiled is kept: tests start hundreds of processes, which would compile it all anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := .venv/bin/python -m pip -qq --disable-pip-version-check
GENERATED := make_config_docs make_command_docs make_event_docs make_metrics_docs make_message_catalogs \
    make_advice_docs make_json_docs

.PHONY: help run test check bench lock docs man site deb clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1	\2/' | expand -t 16

run: .venv/.ready-to-run ## a mail organization on this machine, and how its trust breaks and mends
	@.venv/bin/mailtrust lab --story 12012 $(LAB)

test: .venv/.ready-to-test ## everything that must hold: system packages if it may, check, all tests
	@tools/system_packages.sh
	@$(MAKE) check
	@echo "Testing the core, every branch of it"
	@.venv/bin/python -m pytest tests/core -q -n 2 --dist loadgroup --no-header \
	    --cov=mailtrust.core --cov-branch --cov-fail-under=100 --cov-report=term-missing:skip-covered
	@echo "Testing everything else"
	@tools/test_everything.sh

check: .venv/.ready-to-test ## form, types, layers, sizes, generated pages; no test is run
	@.venv/bin/ruff format --check --quiet . || { .venv/bin/ruff format --check . ; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache > .venv/layers.log 2>&1 || { cat .venv/layers.log; exit 1; }
	@.venv/bin/python -m tools.check_size
	@for pages in $(GENERATED); do .venv/bin/python -m tools.$$pages --check; done
	@.venv/bin/python -m tools.make_mutation_table --check
	@echo "Form, types, layers, sizes and pages are in order"

bench: .venv/.ready-to-test ## what it costs, measured here beside what one would use instead
	@for one in benchmarks/*/run.py; do \
	    .venv/bin/python -m "benchmarks.$$(basename "$$(dirname "$$one")").run"; done

docs: .venv/.ready-to-test ## the generated pages, written anew
	@for pages in $(GENERATED); do .venv/bin/python -m tools.$$pages; done

man: .venv/.ready-to-test ## manual pages and the shells' completions, below man/
	@.venv/bin/python -m tools.make_man man

site: .venv/.ready-to-test ## the documentation as a site, in dist/site; nothing in it comes from elsewhere
	@.venv/bin/python -m tools.make_site

deb: .venv/.ready-to-test ## a Debian package, in dist/, for this Python and this machine
	@.venv/bin/python -m tools.make_deb

lock: .venv/bin/python ## requirements/*.txt, resolved anew
	@$(PIP) install --require-hashes -r requirements/lock.txt
	@tools/lock.sh
	@echo "Locked; look at the difference, then run make test"

clean: ## remove what was made here
	@rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* dist man
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@tools/make_venv.sh

# Stamps: what is installed already costs nothing the second time.
.venv/.ready-to-run: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing what mailtrust needs into .venv (once)"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.ready-to-test: requirements/dev.txt .venv/.ready-to-run
	@echo "Installing what its tests need into .venv (once)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
