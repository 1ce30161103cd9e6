# A thin front: every line can be typed by hand as well (on Windows use .venv\Scripts instead of .venv/bin).
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.10 python,$(shell command -v $(name))))
VENV := $(or $(HSTMAE_VENV),.venv)
BIN := $(VENV)/bin

.PHONY: help install demo test lint docs clean

help:
	@echo "make install   virtual environment with everything needed (nothing to do the second time)"
	@echo "make demo      mask the bundled session, restore it, write pictures and figures to out/demo"
	@echo "make test      the whole test suite"
	@echo "make lint      ruff, mypy, import directions"
	@echo "make docs      the documentation as a site in site/; a warning is an error"
	@echo "make clean     remove caches and out/ (not the environment, data or runs)"

install:
	@$(PYTHON) scripts/bootstrap.py

demo: install
	@$(BIN)/hstmae demo --out out/demo --overwrite

# Compiled modules are kept whatever the environment says: tests start many processes. Assertions stay as they are
# written: to have pytest rewrite all of them takes each process ten seconds; `pytest PATH` shows what was compared.
test: install
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 -q --assert=plain

lint: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: install
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean:
	@rm -rf out site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	@find . -path './$(VENV)' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
