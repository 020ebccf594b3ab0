# `make run` opens Nominal on its demo category, `make test` runs every check. Both set up all they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SYSTEM := $(VENV)/.system
# What Qt, VTK and open3d need of Debian and Ubuntu; python3-venv because Debian ships Python without it.
DEBS   := python3-venv xvfb xauth libgl1 libegl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 \
          libxcb-keysyms1 libxcb-shape0 libxcb-image0 libxcb-render-util0 libxcb-xinerama0 libdbus-1-3 \
          libusb-1.0-0 libgomp1 libx11-6 libxext6 libxrender1 libsm6 libfontconfig1 fonts-dejavu-core

# A display to draw on where there is none.
SCREEN := $(if $(DISPLAY),,xvfb-run -a -s "-screen 0 1600x1000x24") env QT_QPA_PLATFORM=xcb

.PHONY: run test lint bench screenshots clean
.DELETE_ON_ERROR:

run: $(READY)
	@$(BIN)/python main.py

test: $(READY) lint
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The suite keeps its figures in benchmarks/results and puts them into docs/benchmarks.md; the others print theirs.
# Figures of a machine that does other work at the time mean little. BENCH="--parts geometry --points 20000" runs less.
bench: $(READY)
	@$(BIN)/python -m benchmarks.suite $(BENCH)
	@$(BIN)/python -m benchmarks.thresholds
	@for script in viewer window; do $(SCREEN) $(BIN)/python -m benchmarks.$$script || exit 1; done

screenshots: $(READY)
	@$(SCREEN) $(BIN)/python -m benchmarks.screenshots docs

$(SYSTEM): Makefile .ci/system-libraries
	@bash .ci/system-libraries $(DEBS)
	@$(PYTHON) -c 'import sys; sys.exit("Nominal needs Python 3.11 or later; name one: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and pinned: a bare requirement from another package could bring another build of it.
$(READY): pyproject.toml constraints.txt $(SYSTEM)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,las,e57]'
	@touch $@

clean:
	@rm -rf $(VENV)
