# Every target sets up the virtual environment that it runs in; `make help` lists them.

PYTHON ?= python3
FUZZ_ARGS ?= --definitions 100 --configurations 100
LADDER_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
BENCH_JSON ?= benchmarks.json
PROFILE_ENV ?= CartPole-v1
SANITIZERS ?=
SOAK_ARGS ?=

# Threads of torch's OpenMP library would otherwise spin while they wait, and hold the cores that
# others need. The ladder goes without: its numba-parallel rung is meant to run as Numba ships.
test test-rllib bench soak: export OMP_WAIT_POLICY ?= passive

# Tests, benchmarks and the ladder start hundreds of processes: each would compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
RUN := $(VENV)/bin/python

# The ladder needs few packages and is set up soonest; to everything else belong those of ci.txt.
LADDER_REQUIREMENTS := $(VENV)/ladder.stamp
REQUIREMENTS := $(VENV)/ci.stamp
RELEASE_REQUIREMENTS := $(VENV)/release.stamp

# RLlib excludes the Gymnasium that everything else is tested with.
RLLIB := .venv-rllib

# An installation with other build options (see setup.py) replaces the one before.
INSTALLATION := $(VENV)/batchsim-$(BATCHSIM_CYTHON_CHECKS)-$(BATCHSIM_CYTHON_PROFILE).stamp
NATIVE_SOURCES := $(shell find batchsim -name '*.pyx' -o -name '*.pxd' -o -name '*.hpp')

.PHONY: help ladder test test-rllib fuzz sanitize soak bench profile lint docs wheel test-wheel clean
# Two at a time would install into one environment at once.
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

ladder: $(INSTALLATION) ## measure the table of improvements (LADDER_ARGS="--env … --seconds …")
	$(RUN) -m batchsim ladder $(LADDER_ARGS)

test: $(REQUIREMENTS) $(INSTALLATION) ## run the tests on all processors (PYTEST_ARGS="-k … -x -n 0")
	$(RUN) -m pytest tests --numprocesses auto --dist worksteal $(PYTEST_ARGS)

test-rllib: $(RLLIB)/batchsim.stamp ## run RLlib's tests, in the environment of its own that they need
	$(RLLIB)/bin/python -m pytest tests/test_rllib.py $(PYTEST_ARGS)

fuzz: $(REQUIREMENTS) $(INSTALLATION) ## compare random definitions (FUZZ_ARGS="--definitions … --seed …")
	$(RUN) -m tests.fuzz $(FUZZ_ARGS)

sanitize: $(REQUIREMENTS) $(INSTALLATION) ## stress builds with GCC's sanitizers (SANITIZERS="thread address undefined")
	$(RUN) tests/sanitize.py $(SANITIZERS)

soak: $(REQUIREMENTS) $(INSTALLATION) ## step every id 10^9 steps in all, between canaries (SOAK_ARGS="--steps 1e7 …")
	$(RUN) tests/soak.py $(SOAK_ARGS)

bench: $(REQUIREMENTS) $(INSTALLATION) ## run the benchmarks, write $BENCH_JSON (BENCH_ARGS="--full -k …")
	$(RUN) -m pytest benchmarks --benchmark-json=$(BENCH_JSON) $(BENCH_ARGS)

profile: $(REQUIREMENTS) $(INSTALLATION) ## write the reports of $PROFILE_ENV into profiling/reports
	$(RUN) -m profiling.baseline $(PROFILE_ENV)
	$(RUN) -m profiling.host $(PROFILE_ENV)
	$(RUN) -m profiling.environment $(PROFILE_ENV)
	$(RUN) -m profiling.ppo $(PROFILE_ENV)
	$(RUN) -m profiling.kernel $(PROFILE_ENV) --perf
	$(RUN) -m profiling.kernel $(PROFILE_ENV) --precision fast --perf

lint: $(REQUIREMENTS) ## check style, formatting and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(REQUIREMENTS) $(INSTALLATION) ## build the documentation into docs/_build/html
	$(RUN) -m sphinx -W --keep-going -b html docs docs/_build/html

wheel: $(RELEASE_REQUIREMENTS) ## build the sdist and, of it, the wheel for this Python, into dist
	rm -rf dist
	$(RUN) -m build --no-isolation
	case $$(uname) in Linux) PATH="$$PWD/$(VENV)/bin:$$PATH" $(RUN) -m auditwheel repair \
		--wheel-dir dist dist/*-linux_*.whl && rm dist/*-linux_*.whl;; esac

test-wheel: $(LADDER_REQUIREMENTS) ## try the wheel in dist: without a compiler, with the oldest dependencies
	$(RUN) tests/wheel.py

clean: ## remove everything built, but keep the virtual environment
	rm -rf build dist batchsim.egg-info docs/_build docs/environments docs/reference $(BENCH_JSON)
	rm -rf .benchmarks .mypy_cache .pytest_cache .ruff_cache $(VENV)/batchsim-*.stamp \
		$(RLLIB)/batchsim.stamp
	find batchsim -name '*.so' -delete -o -name '*.cpp' -delete -o -name '*.html' -delete
	find batchsim tests docs -name __pycache__ -prune -exec rm -rf {} +

$(LADDER_REQUIREMENTS): requirements/ladder.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'batchsim needs Python 3.11 or newer; name one, as in: make PYTHON=python3.12 test'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo '$(PYTHON) cannot create virtual environments: ensurepip is missing (Debian and Ubuntu: apt install python3-venv).'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --requirement $<
	@touch $@

$(REQUIREMENTS): requirements/ci.txt $(LADDER_REQUIREMENTS)
	$(RUN) -m pip install --requirement $<
	@touch $@

$(RELEASE_REQUIREMENTS): requirements/release.txt $(LADDER_REQUIREMENTS)
	$(RUN) -m pip install --requirement $<
	@touch $@

# Editable: Python sources need no installation. The versions are those of the requirements alone.
# An editable installation has no place for the .pth file that a wheel installs.
define INSTALL
$(1) -m pip install --no-build-isolation --no-deps --editable .
@cp batchsim/gymnasium_plugin.pth "$$($(1) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/batchsim_gymnasium_plugin.pth"
@touch $@
endef

$(INSTALLATION): $(LADDER_REQUIREMENTS) pyproject.toml setup.py $(NATIVE_SOURCES)
	@rm -f $(VENV)/batchsim-*.stamp
	$(call INSTALL,$(RUN))

$(RLLIB)/batchsim.stamp: requirements/rllib.txt pyproject.toml setup.py $(NATIVE_SOURCES)
	$(PYTHON) -m venv $(RLLIB)
	$(RLLIB)/bin/python -m pip install --requirement requirements/rllib.txt
	$(call INSTALL,$(RLLIB)/bin/python)
