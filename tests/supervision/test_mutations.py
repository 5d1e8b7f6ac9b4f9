"""Each rule of the runtime, weakened by a few letters, turns a test red.

A mutant is a copy of the package with one text replaced; the named test is run on it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervision.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
# A mutant that hangs has been noticed too.
PATIENCE_S = 30.0


def run_in(folder: Path, tests: str, *names: str) -> subprocess.CompletedProcess[str]:
    calls = "; ".join(f"t.{name}()" for name in names)
    small = {"SEEDS": "4", "PROGRAMS": "200", "SCHEDULES": "200", "SHRINK": "0"}
    chosen = {f"TRT_{name}": value for name, value in small.items()}
    environment = {**os.environ, **chosen}  # noqa: TID251 - the tests' own settings
    return subprocess.run(
        [sys.executable, "-c", f"import tests.supervision.{tests} as t; {calls}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def copy_to(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("trt/supervision", "tests/supervision"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    shutil.copy(ROOT / "trt/__init__.py", folder / "trt/__init__.py")


@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS}))
def test_the_named_tests_are_green_on_an_unchanged_copy(tests: str, tmp_path: Path) -> None:
    copy_to(tmp_path)
    names = sorted({mutant.test for mutant in MUTANTS if mutant.tests == tests})
    outcome = run_in(tmp_path, tests, *names)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_a_weakened_rule_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    copy_to(tmp_path)
    module = tmp_path / "trt" / "supervision" / f"{mutant.module}.py"
    text = module.read_text()
    assert text.count(mutant.old) == 1, "the text to weaken must stand there once"
    module.write_text(text.replace(mutant.old, mutant.new))
    try:
        outcome = run_in(tmp_path, mutant.tests, mutant.test)
    except subprocess.TimeoutExpired:
        return
    assert outcome.returncode != 0, "nobody noticed"
    assert "SyntaxError" not in outcome.stderr
    assert "NameError" not in outcome.stderr
