"""The SQLite engine: a file with one writer thread, and the same inline for virtual time."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Concatenate

import trio
from typing_extensions import override

from trt.storage.commit_group import Request, Tally, commit_together
from trt.storage.database import Database, DatabaseStatistics, P, Read, T, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.fence import FencedDatabase
from trt.storage.sqlite_connection import connect, read_with

# Large enough that the sync is shared by a burst, small enough that its first one need not wait
# more than some ten milliseconds.
GROUP_MAX = 128
# Callers beyond this wait outside, where they can still be cancelled.
WAITING_MAX = 1024


@asynccontextmanager
async def open_sqlite(
    path: Path | str,
    *,
    now: Callable[[], datetime],
    busy_timeout_s: float = 5.0,
    group_max: int = GROUP_MAX,
    waiting_max: int = WAITING_MAX,
) -> AsyncIterator[Database]:
    """Open a migrated database file; on the way out, what still waits is committed.

    Args:
        path: The file; its folder must exist.
        now: The clock of `Transaction.clock`; it is asked in the writer's thread.
        busy_timeout_s: How long to wait for another process that writes.
        group_max: The most transactions that share one commit.
        waiting_max: The most transactions that wait for the writer; more wait for room.

    Raises:
        DatabaseUnopenable: The path cannot be written or is no database.
    """
    assert 1 <= group_max <= waiting_max
    connection = await trio.to_thread.run_sync(lambda: connect(path, busy_timeout_s=busy_timeout_s))
    database = SQLiteDatabase(connection, now=now, group_max=group_max, waiting_max=waiting_max)
    try:
        yield database
    finally:
        await database.aclose()


@asynccontextmanager
async def open_sqlite_reader(
    path: Path | str, *, now: Callable[[], datetime], busy_timeout_s: float = 5.0
) -> AsyncIterator[Read]:
    """Open a migrated database file for looks, which wait for no writer, not even our own.

    Args:
        path: The file.
        now: The clock of `Transaction.clock`; it is asked in a thread.
        busy_timeout_s: How long to wait for a process that repairs the file after a crash.

    Raises:
        DatabaseUnopenable: The path cannot be written or is no database.
    """
    connection = await trio.to_thread.run_sync(lambda: connect(path, busy_timeout_s=busy_timeout_s))
    one_at_a_time = trio.CapacityLimiter(1)

    async def read(
        work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await trio.to_thread.run_sync(
            lambda: read_with(connection, now, lambda tx: work(tx, *args, **kwargs)),
            limiter=one_at_a_time,
        )

    try:
        yield read
    finally:
        connection.close()


@contextmanager
def open_sqlite_inline(
    source: Path | str | sqlite3.Connection = ":memory:", *, now: Callable[[], datetime]
) -> Iterator[Database]:
    """Open a database whose transactions run in the calling task: deterministic in virtual time.

    Args:
        source: A path, or a connection made by `connect`, which then stays open on the way out.
        now: The clock of `Transaction.clock`.
    """
    if isinstance(source, sqlite3.Connection):
        yield InlineSQLiteDatabase(source, now)
        return
    connection = connect(source)
    try:
        yield InlineSQLiteDatabase(connection, now)
    finally:
        connection.close()


class InlineSQLiteDatabase(Database):
    """Runs each transaction at once, as a group of one, followed by a checkpoint."""

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now
        self._tally = Tally()

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        request = Request(lambda tx: work(tx, *args, **kwargs))
        commit_together(self._connection, [request], self._now)
        self._tally.count_group([request])
        # Others get their turn, and the caller learns the outcome even when cancelled meanwhile.
        await trio.lowlevel.cancel_shielded_checkpoint()
        return request.unwrap()

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return FencedDatabase(self, lease_name, epoch)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._tally.statistics()


class SQLiteDatabase(Database):
    """Hands transactions to the one thread that owns the connection, which commits in groups.

    Must be made inside trio. The thread is a daemon: a process that dies without closing loses
    nothing that was acknowledged.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        now: Callable[[], datetime],
        group_max: int,
        waiting_max: int,
    ) -> None:
        self._connection = connection
        self._now = now
        self._group_max = group_max
        self._room = trio.Semaphore(waiting_max)
        self._queue: SimpleQueue[Request[Any] | None] = SimpleQueue()
        self._tally = Tally()
        self._token = trio.lowlevel.current_trio_token()
        self._is_closed = False
        self._ended = trio.Event()
        threading.Thread(target=self._write, name="sqlite-writer", daemon=True).start()

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        request = Request(lambda tx: work(tx, *args, **kwargs))
        self._tally.count_arrival()
        try:
            async with self._room:
                await self._wait_for(request)
        finally:
            self._tally.count_departure()
        return request.unwrap()

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return FencedDatabase(self, lease_name, epoch)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._tally.statistics()

    async def aclose(self) -> None:
        """Commit what waits for the writer, then close the file; later callers are refused."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        # Bounded by the commits that are already queued.
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    async def _wait_for(self, request: Request[Any]) -> None:
        """Queue the request and sleep, deaf to cancellation, until it is committed or failed."""
        if self._is_closed:
            raise DatabaseUnavailable("the database was closed")
        task = trio.lowlevel.current_task()
        request.when_done = lambda: trio.lowlevel.reschedule(task)
        self._queue.put(request)
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)

    def _settle(self, group: Sequence[Request[Any]]) -> None:
        self._tally.count_group(group)
        for request in group:
            request.when_done()

    # The writer thread.

    def _write(self) -> None:
        while group := self._take_group():
            commit_together(self._connection, group, self._now)
            self._token.run_sync_soon(self._settle, group)
        self._connection.close()
        self._token.run_sync_soon(self._ended.set)

    def _take_group(self) -> list[Request[Any]]:
        """Wait for one request and take all that came with it; nothing when it is time to end."""
        group: list[Request[Any]] = []
        request = self._queue.get()
        while request is not None:
            group.append(request)
            if len(group) == self._group_max:
                return group
            try:
                request = self._queue.get_nowait()
            except Empty:
                return group
        if group:
            self._queue.put(None)
        return group
