"""What the doctor makes of each fact: well below a bound, a warning above, a failure far above."""

from datetime import timedelta
from typing import Any

import pytest

from tests.ops.samples import NOW
from trt.domain.ids import Cid
from trt.ops.database_checks import (
    TAKEOVERS_PER_HOUR_MAX,
    check_backlog,
    check_books,
    check_clocks,
    check_disk,
    check_lock,
    check_pooler,
    check_schema,
    check_shards,
    check_takeovers,
)
from trt.ops.database_facts import Backlog, Clocks, Disk
from trt.ops.finding import Finding, Verdict
from trt.ops.lock_state import Leadership, LockState
from trt.ops.schema_state import SchemaAge, SchemaState
from trt.storage.books import Audit
from trt.storage.lease_row import Takeover, TakeoverReason
from trt.storage.outbox import OutboxDepth

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL


def backlog(**changed: Any) -> Backlog:
    usual: dict[str, Any] = {
        "inbox": 0,
        "inbox_oldest_s": 0.0,
        "outbox": OutboxDepth(pending=0, oldest_age_s=0.0),
        "jobs": 0,
        "jobs_late": (),
        "dead": (),
    }
    return Backlog(**(usual | changed))


def of_check(found: list[Finding], check: str) -> Finding:
    [one] = [finding for finding in found if finding.check == check]
    return one


@pytest.mark.parametrize(
    ("age", "verdict", "word"),
    [
        (SchemaAge.CURRENT, OK, "up to date"),
        (SchemaAge.OLDER, WARN, "trt migrate"),
        (SchemaAge.EMPTY, WARN, "trt run"),
        (SchemaAge.NEWER, FAIL, "newer release"),
        (SchemaAge.BROKEN, FAIL, "as they were released"),
    ],
)
def test_schema(age: SchemaAge, verdict: Verdict, word: str) -> None:
    found = check_schema(SchemaState(age=age, detail="0002_two.sql"))
    assert found.verdict is verdict
    assert word in found.what + found.mend


def test_shards_must_be_what_the_database_was_set_up_for() -> None:
    assert check_shards(settled=2, configured=2).verdict is OK
    assert check_shards(settled=None, configured=2).verdict is OK
    assert check_shards(settled=2, configured=None).verdict is OK
    found = check_shards(settled=2, configured=1)
    assert found.verdict is FAIL
    assert "SHARDS=2" in found.mend


@pytest.mark.parametrize(
    ("leadership", "verdict"),
    [
        (Leadership.LED, OK),
        (Leadership.FREE, WARN),
        (Leadership.NEVER_HELD, WARN),
        (Leadership.SILENT, FAIL),
    ],
)
def test_lock(leadership: Leadership, verdict: Verdict) -> None:
    assert check_lock(LockState(name="shard-0", leadership=leadership)).verdict is verdict


def test_a_lease_that_changes_hands_all_the_time_is_flapping() -> None:
    lock = LockState(name="shard-0", leadership=Leadership.LED)
    done = Takeover(
        epoch=2,
        from_holder="a",
        to_holder="b",
        at=NOW - timedelta(minutes=5),
        reason=TakeoverReason.EXPIRED,
        gap_s=2.0,
    )
    calm = check_takeovers(lock, [done] * TAKEOVERS_PER_HOUR_MAX)
    flapping = check_takeovers(lock, [done] * (TAKEOVERS_PER_HOUR_MAX + 1))
    assert calm is not None
    assert flapping is not None
    assert (calm.verdict, flapping.verdict) == (OK, WARN)
    assert "7 takeovers in the last hour (7 expired)" in flapping.what


def test_a_pooler_is_named_with_what_it_costs() -> None:
    assert check_pooler(is_pooled=False).verdict is OK
    found = check_pooler(is_pooled=True)
    assert found.verdict is WARN
    assert "LEASE_TTL_S" in found.what
    assert "one short poll" in found.what


@pytest.mark.parametrize(
    ("ahead_s", "uncertain_s", "verdict"),
    [
        (0.4, 0.0, OK),
        (1.4, 0.5, OK),
        (1.6, 0.5, WARN),
        (-1.6, 0.5, WARN),
        (61.0, 0.5, FAIL),
        (-61.0, 0.5, FAIL),
    ],
)
def test_clocks(ahead_s: float, uncertain_s: float, verdict: Verdict) -> None:
    assert check_clocks(Clocks(ahead_s=ahead_s, uncertain_s=uncertain_s)).verdict is verdict


@pytest.mark.parametrize(("free", "verdict"), [(2 << 30, OK), (500 << 20, WARN), (9 << 20, FAIL)])
def test_disk(free: int, verdict: Verdict) -> None:
    assert check_disk(Disk(free_bytes=free, database_bytes=1)).verdict is verdict


def test_books_that_do_not_agree_are_failures_and_not_more_than_a_page_of_them() -> None:
    assert [found.verdict for found in check_books(Audit(is_balanced=True, problems=()))] == [OK]
    problems = tuple(f"account {number}: overdrawn" for number in range(7))
    found = check_books(Audit(is_balanced=False, problems=problems))
    assert {finding.verdict for finding in found} == {FAIL}
    assert [finding.what for finding in found[:2]] == list(problems[:2])
    assert found[-1].what == "and 2 more problems"


@pytest.mark.parametrize(("age_s", "verdict"), [(0.0, OK), (9.0, OK), (11.0, WARN), (61.0, FAIL)])
def test_inbox(age_s: float, verdict: Verdict) -> None:
    found = check_backlog(backlog(inbox=3, inbox_oldest_s=age_s))
    assert of_check(found, "inbox").verdict is verdict


@pytest.mark.parametrize(("age_s", "verdict"), [(59.0, OK), (61.0, WARN), (601.0, FAIL)])
def test_outbox(age_s: float, verdict: Verdict) -> None:
    found = check_backlog(backlog(outbox=OutboxDepth(pending=2, oldest_age_s=age_s)))
    assert of_check(found, "outbox").verdict is verdict


def test_a_job_past_its_deadline_is_a_failure_with_its_cid() -> None:
    found = of_check(check_backlog(backlog(jobs=2, jobs_late=(Cid("1a2b3c4d"),))), "jobs")
    assert found.verdict is FAIL
    assert "trt ops trace 1a2b3c4d" in found.mend
    assert of_check(check_backlog(backlog(jobs=2)), "jobs").verdict is OK


def test_a_crashed_tap_is_a_warning_with_the_first_cids() -> None:
    cids = tuple(Cid(f"{number:08x}") for number in range(5))
    found = of_check(check_backlog(backlog(dead=cids)), "crashed taps")
    assert found.verdict is WARN
    assert "00000002" in found.mend
    assert "00000003" not in found.mend


def test_whatever_is_not_well_has_a_mend() -> None:
    late = backlog(
        inbox=1,
        inbox_oldest_s=99.0,
        outbox=OutboxDepth(pending=1, oldest_age_s=9999.0),
        jobs_late=(Cid("1a2b3c4d"),),
        dead=(Cid("1a2b3c4d"),),
    )
    locks = [LockState(name="shard-0", leadership=leadership) for leadership in Leadership]
    found = [
        *check_backlog(late),
        *map(check_lock, locks),
        *(check_schema(SchemaState(age=age, detail="x")) for age in SchemaAge),
        *check_books(Audit(is_balanced=False, problems=("x",))),
    ]
    for finding in found:
        assert (finding.verdict is OK) == (not finding.mend), finding
