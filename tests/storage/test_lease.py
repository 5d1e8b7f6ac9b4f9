"""Exactly one holder, and an epoch that only grows."""

from hypothesis import given
from hypothesis import strategies as st

from tests.storage.samples import NOW, later, new_connection
from trt.storage import lease
from trt.storage.database import Transaction
from trt.storage.lease import Acquired, HeldBy, Takeover, TakeoverReason
from trt.storage.sqlite_connection import SQLiteTransaction

NAME = "active"


def acquire(tx: Transaction, holder: str, at_s: float) -> Acquired | HeldBy:
    return lease.acquire(tx, NAME, holder=holder, pid=42, ttl_s=2.0, now=later(at_s))


def test_the_first_gets_it_and_the_second_learns_who_has_it(tx: Transaction) -> None:
    assert lease.read(tx, NAME) is None
    assert acquire(tx, "a", 0) == Acquired(epoch=1, takeover=None)
    assert acquire(tx, "b", 1) == HeldBy(holder="a", epoch=1, expires_at=later(2))
    row = lease.read(tx, NAME)
    assert row is not None
    assert (row.holder, row.pid, row.epoch, row.takeover) == ("a", 42, 1, None)
    assert (row.acquired_at, row.renewed_at, row.expires_at) == (NOW, NOW, later(2))


def test_a_renewal_extends_it(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    assert lease.renew(tx, NAME, holder="a", epoch=1, ttl_s=2.0, now=later(1.5))
    assert acquire(tx, "b", 3) == HeldBy(holder="a", epoch=1, expires_at=later(3.5))


def test_an_expired_one_is_taken_over_and_the_old_holder_cannot_renew(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    takeover = Takeover(
        from_holder="a", to_holder="b", at=later(5), reason=TakeoverReason.EXPIRED, gap_s=5.0
    )
    assert acquire(tx, "b", 5) == Acquired(epoch=2, takeover=takeover)
    assert not lease.renew(tx, NAME, holder="a", epoch=1, ttl_s=2.0, now=later(5))
    assert not lease.release(tx, NAME, holder="a", epoch=1, now=later(5))
    row = lease.read(tx, NAME)
    assert row is not None
    assert (row.holder, row.epoch, row.takeover) == ("b", 2, takeover)


def test_a_stolen_row_cannot_be_renewed(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    tx.execute("UPDATE lease SET holder = 'thief', epoch = epoch + 1")
    assert not lease.renew(tx, NAME, holder="a", epoch=1, ttl_s=2.0, now=later(1))
    assert not lease.renew(tx, NAME, holder="thief", epoch=1, ttl_s=2.0, now=later(1))


def test_a_released_one_is_free_at_once(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    assert lease.release(tx, NAME, holder="a", epoch=1, now=later(1))
    row = lease.read(tx, NAME)
    assert row is not None
    assert (row.holder, row.pid, row.epoch, row.expires_at) == (None, None, 1, later(1))
    assert not lease.is_held(tx, NAME, epoch=1)
    assert not lease.renew(tx, NAME, holder="a", epoch=1, ttl_s=2.0, now=later(1))
    taken = acquire(tx, "b", 1.25)
    assert isinstance(taken, Acquired)
    assert taken.takeover == Takeover(
        from_holder="a", to_holder="b", at=later(1.25), reason=TakeoverReason.RELEASED, gap_s=0.25
    )


def test_the_living_holder_may_ask_again_without_a_new_epoch(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    assert acquire(tx, "a", 1) == Acquired(epoch=1, takeover=None)
    assert acquire(tx, "b", 2.5) == HeldBy(holder="a", epoch=1, expires_at=later(3))


def test_a_holder_that_let_it_expire_starts_a_new_epoch(tx: Transaction) -> None:
    acquire(tx, "a", 0)
    again = acquire(tx, "a", 9)
    assert isinstance(again, Acquired)
    assert again.epoch == 2


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "renew", "release"]),
        st.sampled_from(["a", "b", "c"]),
        st.floats(0, 3),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_two_holders_ever_believe_in_it_at_once(steps: list[tuple[str, str, float]]) -> None:
    connection = new_connection()
    tx = SQLiteTransaction(connection)
    believes: dict[str, tuple[int, float]] = {}
    epoch_max = 0
    at_s = 0.0
    for step, holder, pause_s in steps:
        at_s += pause_s
        epoch = believes.get(holder, (0, 0.0))[0]
        if step == "acquire":
            taken = acquire(tx, holder, at_s)
            if isinstance(taken, Acquired):
                assert taken.epoch > epoch_max or taken.epoch == epoch
                epoch_max = max(epoch_max, taken.epoch)
                believes[holder] = (taken.epoch, at_s + 2.0)
        elif step == "renew":
            if lease.renew(tx, NAME, holder=holder, epoch=epoch, ttl_s=2.0, now=later(at_s)):
                believes[holder] = (epoch, at_s + 2.0)
        elif lease.release(tx, NAME, holder=holder, epoch=epoch, now=later(at_s)):
            believes[holder] = (epoch, at_s)
        assert sum(until_s > at_s for _, until_s in believes.values()) <= 1
    connection.close()
