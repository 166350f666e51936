# Two commands for a newcomer: `make demo` and `make test`. Both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check test-all bench docs clean

demo: $(READY)  ## linked synthetic patients from the embedded cardiac phantom
	$(BIN)/casemix run linked-patients --out runs/demo

test: $(READY)  ## the fast suite: what CI runs
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2

check: $(READY)  ## formatting, lint, types, import layers, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py tests/unit/test_docs.py

test-all: $(READY)  ## also the slow tests and those on the real development data
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m "not gpu"

bench: $(READY)  ## timings and figures quoted in the docs
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(READY)  ## build the documentation site into site/
	$(BIN)/pip install -q -e ".[docs]"
	$(BIN)/python -c "from casemix.recipes.inventory import metrics_page as p; print(p(), end='')" > docs/metrics.md
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv runs site

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "casemix needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e ".[dev,sdv]"
	@touch $@
