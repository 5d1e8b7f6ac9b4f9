# The commands of this project; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help run test check format lock wheel clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## run the sandbox: open http://127.0.0.1:8080 and chat with the bot
	@$(BIN)/python -m trt dev

test: .venv/dev.stamp  ## run every test
	@# Two halves side by side: most stories, and the rest. Real processes have the machine to themselves.
	@$(BIN)/python -m pytest -p no:cacheprovider tests/stories --ignore-glob "*/stories/test_[aops]*" & stories=$$!; \
	$(BIN)/python -m pytest --ignore tests/process --ignore-glob "*/stories/test_[!aops]*"; rest=$$?; \
	wait $$stories && exit $$rest
	@$(BIN)/python -m pytest tests/process

check: .venv/dev.stamp  ## the gate: format, lint, types, imports, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	git grep -lE "async (def|with|for)" -- "*.py" | xargs -P $$(nproc) -n 20 \
		$(BIN)/flake8-async --disable=$(ASYNC_RULES_LEFT_OUT) --startable-in-context-manager=run,live,watch_taps,_scoped
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell trt tests docs README.md CHANGELOG.md Makefile .ci

format: .venv/dev.stamp  ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: .venv/dev.stamp  ## build the installable package into dist/
	$(BIN)/python -m hatchling build -t wheel

lock: .venv/dev.stamp  ## resolve the dependencies again, with hashes
	$(BIN)/uv pip compile pyproject.toml --extra sandbox $(LOCK) -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --extra sandbox --group dev -c requirements/run.txt $(LOCK) -o requirements/dev.txt

clean:  ## remove what the commands made
	rm -rf .venv dist artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# 127: httpx is a fixed part of this project. 9xx: a checkpoint on every path is trio's own law, ours
# is that functions which may block are async. 124: a protocol's async method need not wait.
ASYNC_RULES_LEFT_OUT := ASYNC127,ASYNC124,ASYNC910,ASYNC911,ASYNC912,ASYNC913,ASYNC914,ASYNC915

LOCK := --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

# The environment is made anew whenever a lock changes; a half-made one has no stamp.
.venv/run.stamp: requirements/run.txt
	@$(MAKE) .venv/made
	@echo "Installing what the sandbox needs (once) ..."
	@$(PIP) -r requirements/run.txt
	@touch $@

.venv/dev.stamp: requirements/dev.txt requirements/run.txt
	@$(MAKE) .venv/made
	@echo "Installing what the checks and tests need (once) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $@ .venv/run.stamp

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv .venv || { echo "Cannot make .venv; on Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	@touch $@
