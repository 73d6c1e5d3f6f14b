# Two commands do everything: `make audit` and `make test`. Both set up what they need first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := audit
.PHONY: audit test lint unit bench schema clean compiled

audit: $(VENV)/.audit compiled ## Audit a freshly trained agent in four worlds; the report lands in offswitch-audit/
	$(BIN)/offswitch audit --suite first

test: $(VENV)/.test browser jail lint unit ## Everything CI checks

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.test compiled
	$(BIN)/pytest -n 2 --dist worksteal -q --doctest-modules src/offswitch
	$(BIN)/pytest -n 2 --dist worksteal -q

bench: $(VENV)/.bench compiled ## Speed beside what a user would pick instead, and the tables of the spec
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

schema: $(VENV)/.audit ## Regenerate the JSON Schema of report.json after changing its types
	$(BIN)/python -c "from offswitch.report import write_schema; write_schema()"
	$(BIN)/python -c "from offswitch.report.prediction_json import write_prediction_schema as w; w()"

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "offswitch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Set PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 2; }

$(VENV)/.audit: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

# pip compiles every package but an editable one: each of many short processes would do it anew.
compiled: $(VENV)/.audit
	@$(BIN)/python -m compileall -q src/offswitch

# torch first: it must be the CPU build, or pip brings gigabytes of GPU packages with it.
$(VENV)/.test: $(VENV)/.audit scripts/install_torch.py
	$(BIN)/python scripts/install_torch.py
	$(PIP) install -q -c constraints.txt -e '.[cluster,dev,guard,llm,ops]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) install -q -c constraints.txt -e '.[bench]'
	@touch $@

# The report is tested in a real browser. Root installs it; others are told what to install.
.PHONY: browser
browser:
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing chromium for the browser tests"; \
	  (apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver) \
	    >/tmp/offswitch-apt.log 2>&1 || { tail -5 /tmp/offswitch-apt.log; exit 1; }; \
	else echo "The browser tests need chromium and chromedriver (Debian, Ubuntu: apt-get install" \
	  "chromium chromium-driver). Without them they are reported as skipped."; fi

# The guard builds its jails with bubblewrap.
.PHONY: jail
jail:
	@if command -v bwrap >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing bubblewrap for the guard"; \
	  (apt-get update && apt-get install -y --no-install-recommends bubblewrap) \
	    >/tmp/offswitch-apt.log 2>&1 || { tail -5 /tmp/offswitch-apt.log; exit 1; }; \
	else echo "The guard's tests need bubblewrap (Debian, Ubuntu: apt-get install bubblewrap;" \
	  "Fedora: dnf install bubblewrap)."; exit 2; fi
