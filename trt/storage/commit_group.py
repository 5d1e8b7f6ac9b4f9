"""Several transactions under one commit: each in its own savepoint, all told when it is on disk."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic

from attrs import define, field

from trt.storage.database import DatabaseStatistics, Refusal, T, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.sqlite_connection import SQLiteTransaction


@define(eq=False)
class Request(Generic[T]):
    """One transaction that waits for its turn and afterwards knows how it ended."""

    work: Callable[[Transaction], T]
    results: list[T] = field(factory=list)
    error: BaseException | None = None
    when_done: Callable[[], None] = lambda: None

    @property
    def is_refused(self) -> bool:
        """Whether the work answered with a refusal."""
        return bool(self.results) and isinstance(self.results[0], Refusal)

    def unwrap(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        [result] = self.results
        return result


def commit_together(
    connection: sqlite3.Connection,
    requests: Sequence[Request[Any]],
    now: Callable[[], datetime],
) -> None:
    """Run the requests in order and commit them at once; how each ended is in the request.

    A refusal or an exception rolls back only its own request. When the commit fails, or the engine
    drops the whole transaction under way (a full disk does that), all of them have failed.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        for request in requests:
            _run_in_savepoint(connection, request, now)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - every waiting caller must learn of it
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for request in requests:
            request.error = DatabaseUnavailable(f"the commit failed: {error}")
            request.error.__cause__ = error


def _run_in_savepoint(
    connection: sqlite3.Connection, request: Request[Any], now: Callable[[], datetime]
) -> None:
    connection.execute("SAVEPOINT work")
    try:
        request.results.append(request.work(SQLiteTransaction(connection, now)))
    except BaseException as error:  # noqa: ASYNC103, BLE001 - the caller's, not this thread's
        request.error = error
    if not connection.in_transaction:
        raise DatabaseUnavailable("the transaction was dropped") from request.error
    if request.error is not None or request.is_refused:
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")


@define
class Tally:
    """The counters behind `DatabaseStatistics`."""

    transactions: int = 0
    commits: int = 0
    refused: int = 0
    failed: int = 0
    waiting: int = 0
    waiting_peak: int = 0
    group_peak: int = 0

    def count_arrival(self) -> None:
        """A caller begins to wait."""
        self.waiting += 1
        self.waiting_peak = max(self.waiting_peak, self.waiting)

    def count_departure(self) -> None:
        """A caller no longer waits."""
        self.waiting -= 1

    def count_group(self, requests: Sequence[Request[Any]]) -> None:
        """A group has ended."""
        self.transactions += len(requests)
        self.commits += 1
        self.refused += sum(r.is_refused and r.error is None for r in requests)
        self.failed += sum(r.error is not None for r in requests)
        self.group_peak = max(self.group_peak, len(requests))

    def statistics(self) -> DatabaseStatistics:
        """Return the counters as they are now."""
        return DatabaseStatistics(
            transactions=self.transactions,
            commits=self.commits,
            refused=self.refused,
            failed=self.failed,
            waiting=self.waiting,
            waiting_peak=self.waiting_peak,
            group_peak=self.group_peak,
        )
