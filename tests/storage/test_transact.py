"""What every engine promises about a transaction."""

import pytest
import trio
from attrs import frozen

from tests.storage.engine import BROKEN_CONSTRAINT
from tests.storage.samples import BOT, SHARD, inbox_row
from trt.domain.ids import UpdateId
from trt.storage import inbox
from trt.storage.database import Database, Refusal, Transaction
from trt.storage.errors import DatabaseUnavailable


@frozen
class TooLate(Refusal):
    why: str


class WorkBrokeError(Exception):
    pass


async def stored_ids(database: Database) -> list[int]:
    rows = await database.transact(inbox.unfinished, bot_id=BOT, shard=SHARD, limit=100)
    return [row.update_id for row in rows]


async def test_what_the_work_returns_comes_back_and_its_rows_stay(database: Database) -> None:
    new = await database.transact(inbox.store, [inbox_row(1), inbox_row(2)])
    assert new == {UpdateId(1), UpdateId(2)}
    assert await stored_ids(database) == [1, 2]


async def test_a_refusal_is_returned_and_keeps_nothing(database: Database) -> None:
    def refuse(tx: Transaction) -> TooLate:
        inbox.store(tx, [inbox_row(1)])
        return TooLate("closed")

    assert await database.transact(refuse) == TooLate("closed")
    assert await stored_ids(database) == []


async def test_an_exception_is_raised_as_it_is_and_keeps_nothing(database: Database) -> None:
    def break_down(tx: Transaction) -> None:
        inbox.store(tx, [inbox_row(1)])
        raise WorkBrokeError

    with pytest.raises(WorkBrokeError):
        await database.transact(break_down)
    assert await stored_ids(database) == []
    await database.transact(inbox.store, [inbox_row(2)])
    assert await stored_ids(database) == [2]


async def test_a_broken_constraint_is_a_bug_and_stays_one(database: Database) -> None:
    def insert_twice(tx: Transaction) -> None:
        for _ in range(2):
            tx.execute("INSERT INTO accounts (account_id, kind) VALUES (5, 'user')")

    with pytest.raises(BROKEN_CONSTRAINT):
        await database.transact(insert_twice)


async def test_a_transaction_that_the_engine_drops_is_not_acknowledged(database: Database) -> None:
    def lose_it(tx: Transaction) -> None:
        inbox.store(tx, [inbox_row(1)])
        tx.execute("ROLLBACK")  # what a full disk does by itself

    with pytest.raises(DatabaseUnavailable, match="was dropped"):
        await database.transact(lose_it)
    await database.transact(inbox.store, [inbox_row(2)])
    assert await stored_ids(database) == [2]


async def test_a_caller_that_is_already_cancelled_changes_nothing(database: Database) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await database.transact(inbox.store, [inbox_row(1)])
    assert scope.cancelled_caught
    assert await stored_ids(database) == []


async def test_statistics_count_how_transactions_ended(database: Database) -> None:
    def break_down(_: Transaction) -> None:
        raise WorkBrokeError

    await database.transact(lambda _: None)
    await database.transact(lambda _: TooLate("closed"))
    with pytest.raises(WorkBrokeError):
        await database.transact(break_down)
    statistics = database.statistics()
    assert statistics.transactions == 3
    assert (statistics.refused, statistics.failed, statistics.waiting) == (1, 1, 0)


# On a server they run side by side.
@pytest.mark.parametrize("database", ["file", "inline"], indirect=True)
async def test_other_tasks_get_their_turn_between_transactions(database: Database) -> None:
    order: list[str] = []

    async def work(name: str) -> None:
        for _ in range(20):
            await database.transact(lambda _: None)
            order.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, "a")
        nursery.start_soon(work, "b")
    assert "a" in order[:10]
    assert "b" in order[:10]
