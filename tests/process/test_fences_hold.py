"""What keeps a zombie out and an update from being done twice: each weakened, a test turns red.

A weakening is a copy of the checkout with one text replaced; the named test is run on it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from tests.process.instance import CHECKOUT

PATIENCE_S = 60.0
TEST_FAILED = 1
"""pytest's exit code for that; others are its own troubles."""


@frozen
class Weakening:
    """Replace `old` by `new` in `file`, and `test` fails."""

    rule: str
    file: str
    old: str
    new: str
    test: str


WEAKENINGS = [
    Weakening(
        "a transaction checks its epoch (SQLite)",
        "trt/storage/fence.py",
        "if not lease.may_write(tx, self._lease_name, epoch=self._epoch):",
        "if False:",
        "tests/storage/test_fence.py::test_the_holder_writes_and_yesterdays_holder_cannot",
    ),
    Weakening(
        "a transaction checks its epoch (PostgreSQL)",
        "trt/storage/postgres_transaction.py",
        "AND epoch = {epoch} FOR SHARE;",
        "AND {epoch} = {epoch} FOR SHARE;",
        "tests/storage/test_fence.py::test_the_holder_writes_and_yesterdays_holder_cannot",
    ),
    Weakening(
        "the check locks what it has read",
        "trt/storage/postgres_transaction.py",
        "AND epoch = {epoch} FOR SHARE;",
        "AND epoch = {epoch};",
        "tests/storage/test_postgres_concurrency.py"
        "::test_a_takeover_waits_for_a_writer_that_was_let_through",
    ),
    Weakening(
        "a holder that cannot renew stops by its own clock",
        "trt/actors/held.py",
        'self.lose("not renewed in time")',
        "await trio.sleep_forever()",
        "tests/stories/test_instances.py::test_an_instance_that_hangs_is_replaced_within_3_s",
    ),
    Weakening(
        "what acts for a lease is cut off soon after the trust",
        "trt/actors/held.py",
        "scope = trio.CancelScope(deadline=self.trusted_until + self.stop_lost_s)",
        "scope = trio.CancelScope()",
        "tests/actors/test_held.py::test_a_leash_ends_a_little_after_the_trust",
    ),
    Weakening(
        "the key of an update knows it again",
        "trt/storage/inbox.py",
        '"ON CONFLICT (bot_id, update_id) DO NOTHING RETURNING update_id"',
        '"ON CONFLICT (bot_id, update_id) DO UPDATE SET cid = excluded.cid RETURNING update_id"',
        "tests/storage/test_inbox.py::test_only_new_ones_are_reported_as_stored",
    ),
    Weakening(
        "an update that has ended is not handled again",
        "trt/storage/inbox.py",
        "WHERE bot_id = :bot_id AND update_id = :update_id AND state = 'new'\n"
        '        """,\n        {\n            "bot_id": bot_id,',
        "WHERE bot_id = :bot_id AND update_id = :update_id\n"
        '        """,\n        {\n            "bot_id": bot_id,',
        "tests/storage/test_inbox.py::test_an_update_ends_once",
    ),
    Weakening(
        "a tap that a hanging holder took has its answer",
        "trt/actors/passive_responder.py",
        "nursery.start_soon(self._watch_taps, nursery)",
        "pass",
        "tests/stories/test_left_taps.py"
        "::test_a_tap_that_nobody_handles_is_answered_within_its_second_and_once",
    ),
]


def copy_to(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("trt", "tests", "migrations", "registry"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=ignored)
    shutil.copy(CHECKOUT / "pyproject.toml", folder)


def run_in(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_the_named_tests_are_green_on_an_unchanged_copy(tmp_path: Path) -> None:
    copy_to(tmp_path)
    outcome = run_in(tmp_path, *sorted({weakening.test for weakening in WEAKENINGS}))
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("weakening", WEAKENINGS, ids=[each.rule for each in WEAKENINGS])
def test_a_weakened_rule_is_noticed(weakening: Weakening, tmp_path: Path) -> None:
    copy_to(tmp_path)
    file = tmp_path / weakening.file
    text = file.read_text()
    assert text.count(weakening.old) == 1, "the text to weaken must stand there once"
    file.write_text(text.replace(weakening.old, weakening.new))
    outcome = run_in(tmp_path, weakening.test)
    assert outcome.returncode == TEST_FAILED, outcome.stdout + outcome.stderr
    assert "SyntaxError" not in outcome.stdout
    assert "NameError" not in outcome.stdout
