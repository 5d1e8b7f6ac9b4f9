"""A writer whose lease has moved on can commit nothing."""

import pytest

from tests.storage.samples import EPOCH, inbox_row
from tests.storage.test_transact import stored_ids
from trt.storage import inbox, lease
from trt.storage.database import Database, Transaction
from trt.storage.errors import Fenced


def take(tx: Transaction, holder: str) -> int:
    """Take the lease, whoever has it: his time is up."""
    tx.execute("UPDATE lease SET expires_at = 0")
    taken = lease.acquire(tx, "active", holder=holder, pid=1, ttl_s=2.0)
    assert isinstance(taken, lease.Acquired)
    return taken.epoch


async def test_the_holder_writes_and_yesterdays_holder_cannot(database: Database) -> None:
    old = database.fenced("active", await database.transact(take, "old"))
    await old.transact(inbox.store, [inbox_row(1)])

    new = database.fenced("active", await database.transact(take, "new"))
    with pytest.raises(Fenced):
        await old.transact(inbox.store, [inbox_row(2)])
    await new.transact(inbox.store, [inbox_row(3)])
    assert await stored_ids(database) == [1, 3]


async def test_after_the_release_the_holder_itself_can_write_nothing(database: Database) -> None:
    epoch = await database.transact(take, "old")
    fenced = database.fenced("active", epoch)
    await database.transact(lease.release, "active", holder="old", epoch=epoch)
    with pytest.raises(Fenced):
        await fenced.transact(inbox.store, [inbox_row(1)])
    assert await stored_ids(database) == []


async def test_a_lease_that_nobody_ever_took_fences_everything(database: Database) -> None:
    with pytest.raises(Fenced):
        await database.fenced("active", EPOCH).transact(inbox.store, [inbox_row(1)])


async def test_an_expired_lease_that_nobody_took_over_still_writes(database: Database) -> None:
    """The fence is the epoch; when to stop acting is the holder's own, monotonic business."""
    fenced = database.fenced("active", await database.transact(take, "old"))
    await database.transact(lambda tx: tx.execute("UPDATE lease SET expires_at = 0"))
    await fenced.transact(inbox.store, [inbox_row(1)])
    assert await stored_ids(database) == [1]


async def test_fences_add_up(database: Database) -> None:
    epoch = await database.transact(take, "old")
    both = database.fenced("active", epoch).fenced("active", epoch + 1)
    with pytest.raises(Fenced):
        await both.transact(inbox.store, [inbox_row(1)])
