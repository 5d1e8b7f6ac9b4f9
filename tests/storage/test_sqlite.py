"""What only the file engine has: a writer thread, group commit, and a file that can go wrong."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import frozen

from tests.storage.samples import BOT, SHARD, inbox_row, new_file, now
from tests.storage.test_transact import TooLate, WorkBrokeError, stored_ids
from trt.storage import inbox
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable
from trt.storage.sqlite import open_sqlite, open_sqlite_inline, open_sqlite_reader
from trt.storage.sqlite_connection import connect

REPOSITORY = Path(__file__).parents[2]


@frozen
class Gate:
    """Work that keeps the writer busy until the test lets it go on."""

    reached: threading.Event
    opened: threading.Event

    def work(self, tx: Transaction) -> str:
        inbox.store(tx, [inbox_row(1000)])
        self.reached.set()
        assert self.opened.wait(10)
        return "through"


@asynccontextmanager
async def busy_writer(database: Database) -> AsyncIterator[Gate]:
    """Everything asked for inside waits; it is taken as one group once the gate is opened."""
    gate = Gate(threading.Event(), threading.Event())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.transact, gate.work)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        yield gate
        await trio.testing.wait_all_tasks_blocked()
        gate.opened.set()


async def failure_of(database: Database, store: list[int], *, sql: str = "") -> type | None:
    def work(tx: Transaction) -> None:
        inbox.store(tx, [inbox_row(n) for n in store])
        if sql:
            tx.execute(sql)

    try:
        await database.transact(work)
    except Exception as error:  # noqa: BLE001 - the test looks at whatever it is
        return type(error)
    return None


async def test_transactions_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    async with open_sqlite(new_file(tmp_path), now=now) as database:
        async with busy_writer(database) as gate, trio.open_nursery() as nursery:
            for n in range(50):
                nursery.start_soon(database.transact, inbox.store, [inbox_row(n)])
            await trio.testing.wait_all_tasks_blocked()
            assert database.statistics().waiting == 51
            gate.opened.set()
        statistics = database.statistics()
        assert len(await stored_ids(database)) == 51
    assert statistics.transactions == 51
    assert statistics.commits == 2
    assert statistics.group_peak == 50


async def test_a_group_is_bounded(tmp_path: Path) -> None:
    async with open_sqlite(new_file(tmp_path), now=now, group_max=4) as database:
        async with busy_writer(database) as gate, trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(database.transact, inbox.store, [inbox_row(n)])
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
        assert database.statistics().group_peak == 4
        assert database.statistics().commits == 1 + 3


async def test_a_refusal_or_an_exception_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    def refuse(tx: Transaction) -> TooLate:
        inbox.store(tx, [inbox_row(2)])
        return TooLate("closed")

    def break_down(tx: Transaction) -> None:
        inbox.store(tx, [inbox_row(4)])
        raise WorkBrokeError

    async def expect_break_down(database: Database) -> None:
        with pytest.raises(WorkBrokeError):
            await database.transact(break_down)

    async with open_sqlite(new_file(tmp_path), now=now) as database:
        async with busy_writer(database) as gate, trio.open_nursery() as nursery:
            for number in (1, 3, 5):
                nursery.start_soon(database.transact, inbox.store, [inbox_row(number)])
                nursery.start_soon(database.transact, refuse)
                nursery.start_soon(expect_break_down, database)
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
        assert database.statistics().group_peak == 9
        assert await stored_ids(database) == [1, 3, 5, 1000]


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("ROLLBACK", id="dropped under way"),
        pytest.param("INSERT INTO orphan VALUES (1)", id="refused at the commit"),
    ],
)
async def test_a_commit_that_fails_has_failed_for_all_of_the_group(
    tmp_path: Path, sql: str
) -> None:
    path = new_file(tmp_path)
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE orphan (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
    failures: dict[int, type | None] = {}
    async with open_sqlite(path, now=now) as database:

        async def attempt(number: int) -> None:
            bad = sql if number == 2 else ""
            failures[number] = await failure_of(database, [number], sql=bad)

        async with busy_writer(database) as gate, trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(attempt, number)
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
        assert failures == dict.fromkeys((1, 2, 3), DatabaseUnavailable)
        assert await stored_ids(database) == [1000]
        assert database.statistics().failed == 3
        assert await failure_of(database, [4]) is None


async def test_a_caller_cancelled_in_the_middle_still_learns_that_it_was_committed(
    tmp_path: Path,
) -> None:
    learned: list[str] = []
    async with open_sqlite(new_file(tmp_path), now=now) as database:
        gate = Gate(threading.Event(), threading.Event())

        async def caller(scope: trio.CancelScope) -> None:
            with scope:
                learned.append(await database.transact(gate.work))
                await trio.lowlevel.checkpoint()
                learned.append("never cancelled")

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(caller, scope)
            await trio.to_thread.run_sync(gate.reached.wait, 10)
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert learned == []
            gate.opened.set()
        assert scope.cancelled_caught
        assert learned == ["through"]
        assert await stored_ids(database) == [1000]


async def test_a_full_queue_makes_callers_wait_outside_where_they_can_be_cancelled(
    tmp_path: Path,
) -> None:
    async with open_sqlite(new_file(tmp_path), now=now, group_max=1, waiting_max=2) as database:
        async with busy_writer(database) as gate, trio.open_nursery() as nursery:
            nursery.start_soon(database.transact, inbox.store, [inbox_row(1)])
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.01) as scope:
                await database.transact(inbox.store, [inbox_row(2)])
            assert scope.cancelled_caught
            gate.opened.set()
        assert await stored_ids(database) == [1, 1000]
        assert database.statistics().waiting_peak == 3
        assert database.statistics().waiting == 0


async def test_a_file_locked_by_another_process_is_unavailable_and_then_available(
    tmp_path: Path,
) -> None:
    path = new_file(tmp_path)
    async with open_sqlite(path, now=now, busy_timeout_s=0.01) as database:
        with closing(connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await failure_of(database, [1]) is DatabaseUnavailable
            other.execute("ROLLBACK")
        assert await failure_of(database, [2]) is None
        assert await stored_ids(database) == [2]


async def test_a_look_waits_for_no_writer_not_even_our_own(tmp_path: Path) -> None:
    path = new_file(tmp_path)
    async with (
        open_sqlite(path, now=now) as database,
        open_sqlite_reader(path, now=now) as read,
    ):
        async with busy_writer(database):
            with trio.fail_after(5):  # the writer would keep it for twice as long
                assert await read(ids) == []
        assert await read(ids) == [1000]


async def test_a_look_sees_one_moment_and_keeps_nothing(tmp_path: Path) -> None:
    path = new_file(tmp_path)

    def look_twice(tx: Transaction) -> tuple[list[int], list[int]]:
        before = ids(tx)
        with closing(connect(path)) as other:
            other.execute("DELETE FROM inbox")
        return before, ids(tx)

    async with open_sqlite(path, now=now) as database, open_sqlite_reader(path, now=now) as read:
        await database.transact(inbox.store, [inbox_row(1)])
        assert await read(look_twice) == ([1], [1])
        assert await read(ids) == []
        await read(inbox.store, [inbox_row(2)])
        assert await read(ids) == []
        with pytest.raises(WorkBrokeError):
            await read(break_off)
        assert await read(ids) == []


async def test_a_file_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    path = new_file(tmp_path)
    async with open_sqlite_reader(path, now=now, busy_timeout_s=0.01) as read:
        path.write_bytes(b"no database" * 1000)
        with pytest.raises(DatabaseUnavailable):
            await read(ids)


def ids(tx: Transaction) -> list[int]:
    return [update_id for (update_id,) in tx.execute("SELECT update_id FROM inbox ORDER BY 1")]


def break_off(tx: Transaction) -> None:
    ids(tx)
    raise WorkBrokeError


async def test_a_full_disk_loses_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    path = new_file(tmp_path)
    failures: dict[int, type | None] = {}
    async with open_sqlite(path, now=now) as database:
        [pages] = (await database.transact(lambda tx: tx.execute("PRAGMA page_count"))).one()
        await database.transact(lambda tx: tx.execute(f"PRAGMA max_page_count = {pages + 4}"))

        async def attempt(number: int) -> None:
            numbers = list(range(number * 200, number * 200 + (200 if number % 2 else 1)))
            failures[number] = await failure_of(database, numbers)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(attempt, number)
        stored = set(await stored_ids_of_many(database))
    assert DatabaseUnavailable in failures.values()
    assert set(failures.values()) <= {DatabaseUnavailable, None}
    for number, failure in failures.items():
        assert (number * 200 in stored) == (failure is None)


async def stored_ids_of_many(database: Database) -> list[int]:
    rows = await database.transact(inbox.unfinished, bot_id=BOT, shard=SHARD, limit=10_000)
    return [row.update_id for row in rows]


def test_a_read_only_file_is_unavailable() -> None:
    with closing(connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA query_only = ON")
        with (
            open_sqlite_inline(connection, now=now) as database,
            pytest.raises(DatabaseUnavailable),
        ):
            trio.run(database.transact, lambda tx: tx.execute("INSERT INTO t VALUES (1)"))


async def test_closing_commits_what_waits_and_refuses_what_comes_after(tmp_path: Path) -> None:
    path = new_file(tmp_path)
    async with open_sqlite(path, now=now) as database, trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(database.transact, inbox.store, [inbox_row(n)])
    assert await failure_of(database, [9]) is DatabaseUnavailable
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (5,)


async def test_a_path_that_cannot_be_a_database_is_named_with_the_mend(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("dear diary, " * 500)
    for path, mend in [
        (tmp_path / "missing" / "trt.sqlite3", "make the folder exist"),
        (tmp_path, "make the folder exist"),
        (text, "move it away"),
    ]:
        with pytest.raises(DatabaseUnopenable) as raised:
            async with open_sqlite(path, now=now):
                pass
        assert str(path) in str(raised.value)
        assert mend in str(raised.value)


def test_every_connection_is_durable_and_checks_foreign_keys(tmp_path: Path) -> None:
    with closing(connect(new_file(tmp_path))) as connection:
        for pragma, value in [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]:
            assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


WRITER = """
import sys, trio
from tests.storage.samples import inbox_row, now
from trt.storage import inbox
from trt.storage.sqlite import open_sqlite

async def write(database, start):
    for n in range(start, 1_000_000, 4):
        await database.transact(inbox.store, [inbox_row(n)])
        print(n, flush=True)

async def main():
    async with open_sqlite(sys.argv[1], now=now) as database, trio.open_nursery() as nursery:
        for start in range(4):
            nursery.start_soon(write, database, start)

trio.run(main)
"""


def test_what_was_acknowledged_before_a_kill_is_there_afterwards(tmp_path: Path) -> None:
    path = new_file(tmp_path)
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(100)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {n for (n,) in connection.execute("SELECT update_id FROM inbox")}
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= stored
