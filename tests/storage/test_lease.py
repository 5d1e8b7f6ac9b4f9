"""Exactly one holder, and an epoch that only grows."""

from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.storage.engine import ClockedTransaction, Engine
from tests.storage.samples import NOW, later
from trt.storage import lease
from trt.storage.database import Transaction
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import LeaseRow, Takeover, TakeoverReason

NAME = "active"
TTL_S = 2.0


@pytest.fixture
def clocked(tx: Transaction) -> ClockedTransaction:
    return ClockedTransaction(tx, NOW)


def acquire(tx: ClockedTransaction, holder: str, at_s: float, **more: Any) -> Acquired | HeldBy:
    tx.now = later(at_s)
    return lease.acquire(tx, NAME, holder=holder, pid=42, ttl_s=TTL_S, **more)


def taken(tx: ClockedTransaction, holder: str, at_s: float, **more: Any) -> Acquired:
    outcome = acquire(tx, holder, at_s, **more)
    assert isinstance(outcome, Acquired)
    return outcome


def renew(tx: ClockedTransaction, holder: str, epoch: int, at_s: float) -> LeaseRow | None:
    tx.now = later(at_s)
    return lease.renew(tx, NAME, holder=holder, epoch=epoch, ttl_s=TTL_S)


def release(tx: ClockedTransaction, holder: str, epoch: int, at_s: float) -> bool:
    tx.now = later(at_s)
    return lease.release(tx, NAME, holder=holder, epoch=epoch)


def row_of(tx: Transaction) -> LeaseRow:
    row = lease.read(tx, NAME)
    assert row is not None
    return row


def takeover(at_s: float, reason: TakeoverReason, gap_s: float) -> Takeover:
    return Takeover(
        epoch=2, from_holder="a", to_holder="b", at=later(at_s), reason=reason, gap_s=gap_s
    )


def test_the_first_gets_it_and_the_second_learns_who_has_it(clocked: ClockedTransaction) -> None:
    assert lease.read(clocked, NAME) is None
    first = taken(clocked, "a", 0)
    assert (first.epoch, first.takeover) == (1, None)
    second = acquire(clocked, "b", 1)
    assert second == HeldBy(evolve(first.row, now=later(1)))
    assert row_of(clocked) == LeaseRow(
        name=NAME,
        holder="a",
        pid=42,
        epoch=1,
        acquired_at=NOW,
        renewed_at=NOW,
        expires_at=later(TTL_S),
        released_by=None,
        is_deposed=False,
        has_session_lock=False,
        takeover=None,
        now=later(1),
    )


def test_a_renewal_extends_it_and_returns_it(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    renewed = renew(clocked, "a", 1, 1.5)
    assert renewed is not None
    assert renewed == row_of(clocked)
    assert (renewed.renewed_at, renewed.expires_at) == (later(1.5), later(3.5))
    assert isinstance(acquire(clocked, "b", 3), HeldBy)


def test_an_expired_one_is_taken_over_and_the_old_holder_is_out(
    clocked: ClockedTransaction,
) -> None:
    taken(clocked, "a", 0)
    expected = takeover(5, TakeoverReason.EXPIRED, 5.0)
    second = taken(clocked, "b", 5)
    assert (second.epoch, second.takeover) == (2, expected)
    assert second.row == row_of(clocked)
    assert renew(clocked, "a", 1, 5) is None
    assert not release(clocked, "a", 1, 5)
    assert row_of(clocked).takeover == expected
    assert lease.history(clocked, NAME) == [expected]


def test_a_stolen_row_cannot_be_renewed(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    clocked.execute("UPDATE lease SET holder = 'thief', epoch = epoch + 1")
    assert renew(clocked, "a", 1, 1) is None
    assert renew(clocked, "thief", 1, 1) is None


def test_a_released_one_is_free_at_once_and_who_waits_is_woken(
    clocked: ClockedTransaction,
) -> None:
    taken(clocked, "a", 0)
    assert release(clocked, "a", 1, 1)
    assert clocked.notified == [lease.topic(NAME)]
    row = row_of(clocked)
    assert (row.holder, row.pid, row.epoch, row.expires_at) == (None, None, 1, later(1))
    assert row.released_by == "a"
    assert renew(clocked, "a", 1, 1) is None
    assert not release(clocked, "a", 1, 1)
    second = taken(clocked, "b", 1.25)
    assert second.takeover == takeover(1.25, TakeoverReason.RELEASED, 0.25)
    assert row_of(clocked).released_by is None


def test_an_operator_can_depose_the_holder(clocked: ClockedTransaction) -> None:
    assert not lease.depose(clocked, NAME, epoch=1)
    taken(clocked, "a", 0)
    clocked.now = later(1)
    assert not lease.depose(clocked, NAME, epoch=0)
    assert lease.depose(clocked, NAME, epoch=1)
    assert clocked.notified == [lease.topic(NAME)]
    assert not lease.depose(clocked, NAME, epoch=1)
    assert renew(clocked, "a", 1, 1) is None
    assert row_of(clocked).is_deposed
    second = taken(clocked, "b", 1.5)
    assert second.takeover == takeover(1.5, TakeoverReason.DEPOSED, 0.5)
    assert not second.row.is_deposed
    assert not row_of(clocked).is_deposed


def test_the_living_holder_may_ask_again_without_a_new_epoch(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    again = taken(clocked, "a", 1)
    assert (again.epoch, again.row.expires_at) == (1, later(3))
    assert isinstance(acquire(clocked, "b", 2.5), HeldBy)


def test_a_holder_that_let_it_expire_starts_a_new_epoch(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    assert taken(clocked, "a", 9).epoch == 2


def test_a_holder_whose_session_is_gone_has_crashed(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0, has_session_lock=True)
    assert isinstance(acquire(clocked, "b", 0.5), HeldBy)
    second = taken(clocked, "b", 0.5, is_holder_gone=True)
    assert second.takeover == takeover(0.5, TakeoverReason.CRASHED, 0.5)
    assert not second.row.has_session_lock


def test_a_holder_for_whom_no_session_ever_vouched_is_not_known_to_be_gone(
    clocked: ClockedTransaction,
) -> None:
    """One behind a pooler has no session of its own: its silence alone deposes it."""
    taken(clocked, "a", 0)
    assert isinstance(acquire(clocked, "b", 1, is_holder_gone=True), HeldBy)
    second = taken(clocked, "b", 2, is_holder_gone=True)
    assert second.takeover == takeover(2, TakeoverReason.EXPIRED, 2.0)


def test_an_expired_lease_is_still_the_holders_own_until_somebody_takes_it(
    clocked: ClockedTransaction,
) -> None:
    taken(clocked, "a", 0)
    assert renew(clocked, "a", 1, 60) is not None
    assert isinstance(acquire(clocked, "b", 61), HeldBy)


def may_write(tx: Transaction, *epochs: int) -> list[int]:
    return [epoch for epoch in epochs if lease.may_write(tx, NAME, epoch=epoch)]


def test_one_epoch_at_a_time_may_write(clocked: ClockedTransaction) -> None:
    assert may_write(clocked, 0, 1) == []
    taken(clocked, "a", 0)
    assert may_write(clocked, 0, 1, 2) == [1]
    taken(clocked, "b", 9)
    assert may_write(clocked, 0, 1, 2, 3) == [2]
    release(clocked, "b", 2, 9)
    assert may_write(clocked, 0, 1, 2, 3) == []
    taken(clocked, "c", 9)
    assert may_write(clocked, 1, 2, 3) == [3]
    lease.depose(clocked, NAME, epoch=3)
    assert may_write(clocked, 1, 2, 3) == []


def test_the_fence_follows_a_lease_that_is_moved_by_hand(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    clocked.execute("UPDATE lease SET epoch = epoch + 1")
    assert may_write(clocked, 1, 2) == [2]
    clocked.execute("UPDATE lease SET holder = NULL")
    assert may_write(clocked, 1, 2) == []


def test_each_lease_is_its_own(clocked: ClockedTransaction) -> None:
    taken(clocked, "a", 0)
    other = lease.acquire(clocked, "other", holder="b", pid=1, ttl_s=TTL_S)
    assert isinstance(other, Acquired)
    assert (other.epoch, other.takeover) == (1, None)
    assert row_of(clocked).holder == "a"
    assert lease.history(clocked, "other") == []


@pytest.mark.parametrize("is_released", [False, True])
def test_the_epoch_grows_even_after_somebody_deleted_the_row(
    clocked: ClockedTransaction, *, is_released: bool
) -> None:
    taken(clocked, "a", 0)
    taken(clocked, "b", 9)
    if is_released:
        release(clocked, "b", 2, 9)
    clocked.execute("DELETE FROM lease")
    third = taken(clocked, "c", 9)
    assert (third.epoch, third.takeover) == (3, None)
    assert may_write(clocked, 1, 2, 3) == [3]
    assert taken(clocked, "d", 99).epoch == 4


def test_the_history_is_kept_newest_first_and_bounded(clocked: ClockedTransaction) -> None:
    for number in range(lease.TAKEOVERS_KEPT + 6):
        taken(clocked, f"h{number}", number * 10.0)
    history = lease.history(clocked, NAME)
    kept = clocked.execute("SELECT count(*) FROM lease_takeovers").one()
    assert kept == (lease.TAKEOVERS_KEPT,)
    assert [turn.epoch for turn in lease.history(clocked, NAME, limit=2)] == [206, 205]
    assert history[0].to_holder == "h205"
    assert history[-1].epoch == 7


@define
class Believer:
    """What an instance knows by itself: its epoch, and until when it trusts it."""

    epoch: int = 0
    until_s: float = 0.0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "crash", "renew", "release", "depose"]),
        st.sampled_from(["a", "b", "c"]),
        st.floats(0, 3),
    ),
    max_size=40,
)


# The engine is only a way to open databases: every example has one of its own.
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_no_two_holders_ever_may_write_and_the_epoch_only_grows(
    engine: Engine, steps: list[tuple[str, str, float]]
) -> None:
    """Against a model: one holder, one epoch, one moment of expiry."""
    with engine.transaction() as plain:
        tx = ClockedTransaction(plain, NOW)
        known = {name: Believer() for name in "abc"}
        holder: str | None = None
        epoch, expires_s, at_s = 0, 0.0, 0.0
        for step, name, pause_s in steps:
            at_s += pause_s
            believer = known[name]
            is_ours = holder == name and believer.epoch == epoch
            match step:
                case "acquire" | "crash":
                    is_free = holder is None or expires_s <= at_s or step == "crash"
                    outcome = acquire(
                        tx, name, at_s, has_session_lock=True, is_holder_gone=step == "crash"
                    )
                    is_retry = holder == name and expires_s > at_s
                    assert isinstance(outcome, Acquired) == (is_free or is_retry)
                    if isinstance(outcome, Acquired):
                        epoch += not is_retry
                        assert outcome.epoch == epoch
                        holder, expires_s = name, at_s + TTL_S
                        believer.epoch = epoch
                case "renew":
                    assert (renew(tx, name, believer.epoch, at_s) is not None) == is_ours
                    if is_ours:
                        expires_s = at_s + TTL_S
                        # A renewal without the lock: from now on only silence deposes.
                        tx.execute("UPDATE lease SET has_session_lock = 1")
                case "release":
                    assert release(tx, name, believer.epoch, at_s) == is_ours
                    holder = None if is_ours else holder
                case _:
                    tx.now = later(at_s)
                    assert lease.depose(tx, NAME, epoch=epoch) == (holder is not None)
                    holder = None
            assert may_write(tx, *range(epoch + 2)) == ([] if holder is None else [epoch])
