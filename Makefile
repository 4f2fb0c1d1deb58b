# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE = 1

.PHONY: setup demo test check faults fuzz mutants lint types zoo studies bench bench-tuning gpu calibrate clean-demo

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes the first time)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/ready
	$(BIN)/study run runs/demo
	$(BIN)/study analyze runs/demo

test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Before a commit: lint, types, and the tests of single modules. Whole studies, clusters, training and
# documentation are left to `make test`.
MODULES := cli config models results scorers tasks zoo
FAST := tests/analysis tests/test_doctests.py tests/test_packaging.py tests/study/test_*.py \
  $(addprefix tests/study/,$(MODULES))
check: lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(FAST)

# What takes minutes each: processes killed at random moments, clocks that jump, full
# disks, a cluster whose controller and nodes die.
faults: .venv/ready
	$(BIN)/python -m pytest -m slow

# Mutants of every kind of input: 2,000 of each, with one table of counts. SEED=1 makes others.
fuzz: .venv/ready
	$(BIN)/python -m tests.fuzz --seed $(or $(SEED),0) --mutants $(or $(MUTANTS),2000)

# Small changes of the code that a test must notice: 200 in each of four packages, hours on one
# core. The same command resumes.
mutants: .venv/ready
	OMP_NUM_THREADS=1 nice -n 19 $(BIN)/python -m tests.mutants --seed $(or $(SEED),14) \
	  --sample $(or $(MUTANTS),200) $(PACKAGES)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

zoo: .venv/ready
	$(BIN)/study zoo build

# The three studies of tuning, whole: about an hour on two cores. Kept: docs/results.
studies: .venv/ready
	for name in limits indicator loss; do \
	  $(BIN)/study run runs/$$name && $(BIN)/study analyze runs/$$name || exit 1; \
	  mkdir -p docs/results/$$name && cp runs/$$name/tables/*.csv docs/results/$$name && \
	  gzip -9nf docs/results/$$name/*scores.csv || exit 1; \
	done

# Benchmarks against lm-eval's own model and scipy; about three quarters of an hour.
bench: .venv/ready
	$(BIN)/python benchmarks/scoring_speed.py
	$(BIN)/python benchmarks/demo_time.py
	$(BIN)/python benchmarks/analysis_speed.py
	$(BIN)/python benchmarks/analysis_command.py
	$(BIN)/python benchmarks/runner_overhead.py
	$(BIN)/python benchmarks/cost_estimate.py
	$(BIN)/python benchmarks/token_growth.py
	$(BIN)/python benchmarks/window_speed.py

# Benchmarks against transformers' Trainer and TRL, which these targets install.
bench-tuning: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt trl==1.16.0
	$(BIN)/python benchmarks/tuning_speed.py

# The first minutes of a machine with a GPU: its tests, agreement, speed; writes docs/gpu.md.
gpu: .venv/ready
	$(BIN)/python benchmarks/gpu.py

# Coverage of intervals and level of tests, by simulation; writes docs/calibration.md.
calibrate: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/calibration.py

clean-demo:
	rm -rf runs/demo/results runs/demo/tables runs/demo/figures
