# `make demo`, `make test`, `make reproduce`. Each sets up what it needs; all need python3.11+ and a package index.
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --disable-pip-version-check -q -c constraints.txt

# One thread a process: two threads on two busy cores are many times slower than two processes of one.
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: demo reproduce bench test test-browser test-cluster test-servers test-trackers test-live test-all docs notebook lint types clean help
help:            ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/ -/'

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "orcamath needs Python 3.11 or newer; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@
# torch first and by its exact version: a range would let pip pick a newer build with gigabytes of CUDA packages
$(VENV)/.torch: $(VENV)/.python constraints.txt
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	@touch $@
$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[student]'
	@touch $@
$(VENV)/.test: $(VENV)/.demo
	$(PIP) -e '.[student,lora,gguf,hub,storage,tensorboard,dev]'
	@touch $@

$(VENV)/.browser: $(VENV)/.test
	$(PIP) -e '.[student,lora,gguf,hub,storage,tensorboard,dev,browser]'
	@touch $@

demo: $(VENV)/.demo   ## set up, then run the whole loop on the embedded classroom
	$(PY) -m orcamath run classroom

reproduce: $(VENV)/.demo   ## the paper's rows, ablations and controls on the classroom, three seeds: about two hours
	$(PY) -m orcamath run paper-tables

test: $(VENV)/.test lint types   ## set up, then tests, lint and types
	$(PY) -m pytest -n 2 --dist worksteal -q -m "not slow and not gpu and not live and not models and not browser and not servers and not cluster"

test-browser: $(VENV)/.browser   ## report and viewer in a real browser (Chromium must be installed: apt-get install chromium)
	$(PY) -m pytest -q -m browser tests/browser

test-all: $(VENV)/.test lint types   ## the slow tests as well, the notebook's in a real kernel
	$(PIP) -e '.[student,docs]'
	$(PY) -m pytest -n 2 --dist worksteal -q

test-cluster: $(VENV)/.test   ## a Ray cluster of two nodes on this machine, with workers and nodes that are killed
	$(PIP) -e '.[student,ray]'
	$(PY) -m pytest -q -rs -m cluster tests/cluster
	$(PY) -m pytest -q -rs tests/unit/test_deploy.py

test-servers: $(VENV)/.test   ## real inference servers, each in an environment of its own (minutes to set up); NAMES="llama.cpp"
	$(PY) tests/servers/set_up.py $(NAMES)
	$(PY) -m pytest -q -rs -m servers tests/servers

test-trackers: $(VENV)/.python   ## trackio and W&B, offline, in an environment of their own: they want other versions than the rest
	$(PYTHON) -m venv $(VENV)-trackers
	$(VENV)-trackers/bin/python -m pip install --disable-pip-version-check -q -e '.[tensorboard,trackio,wandb]' pytest pytest-socket pytest-timeout
	$(VENV)-trackers/bin/python -m pytest -q -rs tests/unit/test_trackers.py

test-live: $(VENV)/.test   ## a quarter of a dollar at most, at the paid endpoint that ORCAMATH_LIVE names (tests/live)
	$(PY) -m pytest -q -rs -m live tests/live

bench: $(VENV)/.test   ## the quick benchmarks, their ratios held against docs/log.md: some minutes
	$(PY) benchmarks/quick.py

$(VENV)-docs/.docs: constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[docs]'
	@touch $@
docs: $(VENV)-docs/.docs   ## the documentation's site, in build/site; fails on a link that leads nowhere
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/python -m mkdocs build --quiet
	@echo "open build/site/index.html"

notebook: $(VENV)-docs/.docs   ## run docs/notebook.ipynb again, in an empty folder, and keep what its cells say
	$(VENV)-docs/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(VENV)-docs/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[student,docs]'
	$(VENV)-docs/bin/python docs/run_notebook.py

lint: $(VENV)/.test
	$(PY) -m ruff check src tests benchmarks
	$(PY) -m ruff format --check src tests benchmarks

types: $(VENV)/.test
	$(PY) -m mypy

clean:           ## remove the environment and caches, never runs/ or store/
	rm -rf $(VENV) $(VENV)-trackers $(VENV)-docs build .mypy_cache .ruff_cache .pytest_cache
