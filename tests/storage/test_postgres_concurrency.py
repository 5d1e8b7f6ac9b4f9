"""What the PostgreSQL engine promises to transactions that run side by side, and to a fence."""

import threading
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tests.storage.postgres_fixture import (
    EPOCH,
    LEASE,
    Gate,
    note,
    notes,
    open_with_tables,
    wait_for_a_lock_wait,
)
from trt.storage.database import Transaction
from trt.storage.errors import DatabaseUnavailable, Fenced
from trt.storage.postgres import PostgresDatabase, open_postgres
from trt.testing.postgres_server import PostgresServer


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_with_tables(postgres_url) as opened:
        yield opened


async def test_transactions_run_side_by_side_up_to_the_number_of_connections(
    postgres_url: str,
) -> None:
    all_inside = threading.Barrier(4)

    def meet(tx: Transaction) -> int:
        [pid] = tx.execute("SELECT pg_backend_pid()").one()
        all_inside.wait(10)
        return int(pid)

    pids: list[int] = []

    async def run(database: PostgresDatabase) -> None:
        pids.append(await database.transact(meet))

    async with open_with_tables(postgres_url, pool_max=4) as database:
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(run, database)
        assert database.statistics().waiting_peak == 12
    assert len(pids) == 12
    assert len(set(pids)) == 4


async def test_waiting_for_a_connection_can_be_cancelled_but_running_cannot(
    postgres_url: str,
) -> None:
    gate = Gate()
    ends: list[str] = []

    async def run_inside(database: PostgresDatabase, scope: trio.CancelScope) -> None:
        with scope:
            ends.append(f"kept {await database.transact(gate.note, 1)}")
            await trio.lowlevel.checkpoint()
            ends.append("never")

    async def wait_outside(database: PostgresDatabase, scope: trio.CancelScope) -> None:
        with scope:
            await database.transact(note, 2)
        ends.append("gave up")

    async with open_with_tables(postgres_url, pool_max=1) as database:
        inside, outside = trio.CancelScope(), trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_inside, database, inside)
            await gate.wait_reached()
            nursery.start_soon(wait_outside, database, outside)
            await trio.testing.wait_all_tasks_blocked()
            inside.cancel()
            outside.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert ends == ["gave up"]
            gate.opened.set()
        assert ends == ["gave up", "kept 1"]
        assert await database.transact(notes) == [1]


async def test_a_caller_that_is_already_cancelled_changes_nothing(
    database: PostgresDatabase,
) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await database.transact(note, 1)
    assert scope.cancelled_caught
    assert await database.transact(notes) == []


async def test_what_waits_at_the_end_is_finished_and_who_comes_later_is_refused(
    postgres_url: str,
) -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:
        async with open_with_tables(postgres_url, pool_max=1) as database:
            nursery.start_soon(database.transact, gate.note, 1)  # noqa: ASYNC111 - closed on it
            await gate.wait_reached()
            nursery.start_soon(database.transact, note, 2)  # noqa: ASYNC111 - and on it
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
        with pytest.raises(DatabaseUnavailable, match="was closed"):
            await database.transact(note, 3)
    async with open_postgres(postgres_url) as again:
        assert await again.transact(notes) == [1, 2]


async def test_two_that_lock_in_opposite_order_both_succeed(
    database: PostgresDatabase,
) -> None:
    """The server ends one of them, which is simply run again."""
    both_hold_one = threading.Barrier(2)
    runs: list[int] = []

    def lock(tx: Transaction, first: int, second: int) -> None:
        runs.append(first)
        tx.execute("UPDATE notes SET said = 'a' WHERE n = :n", {"n": first})
        if len(runs) <= 2:
            both_hold_one.wait(10)
        tx.execute("UPDATE notes SET said = said || 'b' WHERE n = :n", {"n": second})

    await database.transact(note, 1)
    await database.transact(note, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.transact, lock, 1, 2)
        nursery.start_soon(database.transact, lock, 2, 1)
    assert len(runs) >= 3
    assert database.statistics().failed == 0


# The fence.


def take_over(tx: Transaction) -> list[int]:
    """Become the holder, and look at what the old one has left."""
    tx.execute("UPDATE fences SET epoch = epoch + 1 WHERE name = :name", {"name": LEASE})
    return notes(tx)


async def test_a_takeover_waits_for_a_writer_that_was_let_through(
    postgres_server: PostgresServer, database: PostgresDatabase
) -> None:
    """With a weaker lock than FOR SHARE the takeover would not see what is committed after it."""
    old, gate = database.fenced(LEASE, EPOCH), Gate()
    seen: list[list[int]] = []

    async def run_takeover() -> None:
        seen.append(await database.transact(take_over))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(old.transact, gate.note, 1)
        await gate.wait_reached()
        nursery.start_soon(run_takeover)
        await wait_for_a_lock_wait(postgres_server, database)
        assert seen == []
        gate.opened.set()
    assert seen == [[1]]
    with pytest.raises(Fenced):
        await old.transact(note, 2)
    await database.fenced(LEASE, EPOCH + 1).transact(note, 3)
    assert await database.transact(notes) == [1, 3]


async def test_a_writer_that_meets_a_takeover_waits_and_is_refused(
    postgres_server: PostgresServer, database: PostgresDatabase
) -> None:
    gate, refused = Gate(), trio.Event()

    def slow_takeover(tx: Transaction) -> None:
        take_over(tx)
        gate.note(tx, 10)

    async def write_late() -> None:
        with pytest.raises(Fenced):
            await database.fenced(LEASE, EPOCH).transact(note, 1)
        refused.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.transact, slow_takeover)
        await gate.wait_reached()
        nursery.start_soon(write_late)
        await wait_for_a_lock_wait(postgres_server, database)
        assert not refused.is_set()
        gate.opened.set()
    assert await database.transact(notes) == [10]


async def test_writers_under_one_fence_do_not_wait_for_each_other(
    database: PostgresDatabase,
) -> None:
    old, gate = database.fenced(LEASE, EPOCH), Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(old.transact, gate.note, 1)
        await gate.wait_reached()
        await old.transact(note, 2)
        gate.opened.set()
    assert await database.transact(notes) == [1, 2]


async def test_fences_add_up_and_an_odd_name_is_only_a_name(database: PostgresDatabase) -> None:
    with pytest.raises(Fenced):
        await database.fenced(LEASE, EPOCH).fenced(LEASE, EPOCH + 1).transact(note, 1)
    with pytest.raises(Fenced):
        await database.fenced(LEASE, EPOCH + 1).fenced(LEASE, EPOCH).transact(note, 1)
    with pytest.raises(Fenced):
        await database.fenced("o'clock' OR true --", EPOCH).transact(note, 1)
    assert await database.transact(notes) == []
