# Every target sets up what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PY := .venv/bin/python
SITES ?= 540
PAGES ?= ../shared/pages
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)  # tests often wait for processes they started

.PHONY: help setup demo test test-long test-cluster lint format bench bench-cluster bench-links bench-reading \
	bench-score bench-probes accuracy egg lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup:  ## virtual environment, locked dependencies, Chromium and a Chinese font
	@scripts/setup

demo:  ## inspect a sample province on the embedded database (SITES=540)
	@scripts/setup --need-browser
	@$(PY) -m tests.province demo --sites $(SITES)

test: setup  ## run the tests
	@# The poison suite runs by itself: it measures that a case ends in its time.
	@status=0; $(PY) -m pytest -q -m "not long" tests/poison || status=1; \
	$(PY) -m pytest -q -m "not long" -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/poison tests || status=1; \
	exit $$status

test-long: setup  ## run the tests that take minutes each
	$(PY) -m pytest -q -m long tests

test-cluster: setup  ## three scrapyd nodes, 60 sites; nodes, crawls and the database killed in the middle
	GOVCRAWL_CLUSTER_SITES=60 $(PY) -m pytest -q tests/test_cluster.py tests/test_cluster_node.py tests/test_cluster_queue.py

lint: setup  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup  ## let ruff rewrite what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: setup  ## inspection beside a plain Scrapy crawl, renders and pictures beside a bare Playwright loop
	@$(PY) -m bench.inspection
	@$(PY) -m bench.browser

bench-links: setup  ## link checkers on the labelled farm
	@$(PY) -m bench.links

bench-reading: setup  ## processor time to read and check one page of about 50 kB
	@$(PY) -m bench.reading $(PAGES)

bench-cluster: setup  ## three scrapyd nodes against one command on the same sites; the queue at 14,000 jobs
	@$(PY) -m bench.cluster

bench-score: setup  ## the score job beside polars: 540 sites x 400 findings, 14,000 x 200
	@$(PY) -m bench.score --sites 540 --findings 400
	@$(PY) -m bench.score --sites 14000 --findings 200

bench-probes: setup  ## a round of visits beside bare aiohttp GETs
	@$(PY) -m bench.probes

accuracy: setup  ## readings against labelled pages (PAGES=../shared/pages)
	@$(PY) -m bench.accuracy $(PAGES)

egg: setup  ## dist/govcrawl.egg for scrapyd
	@mkdir -p dist
	@$(PY) -m scrapyd_client.deploy --build-egg dist/govcrawl.egg

# The index alone: folders of local wheels would add hashes that nobody else has.
COMPILE = env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null $(PY) -m piptools compile -q \
	--generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: setup  ## resolve the dependencies of pyproject.toml again, with hashes (UPGRADE=-U for newer ones)
	$(COMPILE) $(UPGRADE) -o requirements/base.txt pyproject.toml
	$(COMPILE) $(UPGRADE) -c requirements/base.txt --extra cluster -o requirements/node.txt pyproject.toml
	$(COMPILE) $(UPGRADE) -c requirements/node.txt --extra embedded --extra export --extra cluster --extra dev \
		-o requirements/dev.txt pyproject.toml

clean:  ## remove what builds and tests leave behind; results and .venv stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
