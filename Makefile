# Pixels to Boxes. `make course` for learners, `make test` and `make full` for contributors.
# Only Python >= 3.11 is needed; name another one with `make course PYTHON=python3.12`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Where the long tests find NVIDIA's Triton. It is made there where it can be; name one that stands to save the download.
COURSEKIT_TRITON ?= build/triton
# The real number of cores; more threads than cores make torch crawl.
CORES  := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)

.PHONY: course test full bench gpu gpu-carry build clean

course: $(VENV)/.course
	@$(BIN)/coursekit start $(ARGS)

# `.course` and `.dev` say what is installed: a second call has nothing to do.
# A torch that is in the environment already is kept: its pins are then left out of the constraints.
$(VENV)/.course $(VENV)/.dev: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@if $(BIN)/python -c 'import torch' 2>/dev/null; \
	then grep -vE '^(torch|torchvision|triton|nvidia-|cuda-)' constraints.txt > $(VENV)/constraints.txt; \
	else cp constraints.txt $(VENV)/constraints.txt; fi
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint $(VENV)/constraints.txt --editable ".[$(subst .,,$(@F))]"
	@touch $@

# Lint, built notebooks, unit and property tests, and every notebook in both editions by nbval (two steps of training, no bands).
test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/coursekit build --check
	$(BIN)/coursekit build
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not full" --ignore=tests/real --numprocesses $(CORES)
	$(BIN)/python -m coursekit.authoring.rehearse --level smoke
	$(BIN)/python -m coursekit.authoring.rehearse --level smoke --solved

# The long checks: both editions without a network, the solved one with metric bands at the quick budget; mutants; long tests (trainings one
# after the other, grading side by side); real data (../shared/data, where it is).
full: export COURSEKIT_TRITON := $(abspath $(COURSEKIT_TRITON))
full: $(VENV)/.dev
	$(BIN)/coursekit build
	-$(BIN)/python -m coursekit.serving.triton install $(COURSEKIT_TRITON)
	$(BIN)/python -m coursekit.authoring.rehearse --level quick --offline --solved
	$(BIN)/python -m coursekit.authoring.rehearse --level smoke --offline
	$(BIN)/python -m coursekit.authoring.mutants
	$(BIN)/python -m pytest -q -m full --ignore=tests/grading --ignore=tests/hostile
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m full tests/grading tests/hostile --numprocesses $(CORES) --dist loadfile
	$(BIN)/python -m pytest -q tests/real -m "not full"

# Side by side with what a user would pick instead: tables, and benchmarks/results/. Four to five hours; leave the machine alone meanwhile.
# Blood cells need BCCD (`coursekit data get bccd` fetches it): make bench BCCD=folder.
BCCD ?= ../shared/data/bccd
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/coco_eval.py
	$(BIN)/python benchmarks/nms.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/train.py bccd --data $(BCCD)
	$(BIN)/python benchmarks/train.py signs
	$(BIN)/python benchmarks/sliding.py
	$(BIN)/python benchmarks/detectors.py
	$(BIN)/python benchmarks/clinic.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/pack.py

# On a machine with an NVIDIA GPU: every solved notebook at the full budget, the tests for a GPU and its benchmarks, into one report. On others
# one sentence. ARGS="--limit-seconds 560 --resume" makes it in several calls, ARGS=--help lists more.
gpu: $(VENV)/.dev
	$(BIN)/python -m coursekit.authoring.gpu $(ARGS)

# What a machine needs for that which has torch but no registry, in build/carry (CONTRIBUTING.md says how it is used there).
gpu-carry: $(VENV)/.dev
	$(BIN)/coursekit build
	$(BIN)/python -m coursekit.authoring.carry build/carry $(ARGS)

build: $(VENV)/.dev
	$(BIN)/coursekit build

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
