"""The engines as the tests of the tables see them: a transaction on an empty database, any time."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from typing import Protocol

import psycopg
from attrs import define, field, frozen
from typing_extensions import override

from tests.storage.samples import new_connection, now
from trt.storage.database import Parameters, Rows, Transaction
from trt.storage.postgres_connection import PostgresConnection, PostgresTimeouts, connect
from trt.storage.sqlite_connection import SQLiteTransaction

BROKEN_CONSTRAINT = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""A bug of the caller, in each engine's words."""


class Engine(Protocol):
    """What a test of SQL functions needs of an engine."""

    examples_max: int
    """How many examples a property is worth, at the engine's speed."""

    def allow_any_change(self, tx: Transaction) -> None:
        """Take the guard away from the transfers."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction on a database without rows, and forget it all afterwards."""
        ...


class SQLiteEngine(Engine):
    """A database in memory; each statement stands for itself."""

    examples_max = 60

    @override
    def allow_any_change(self, tx: Transaction) -> None:
        tx.execute("DROP TRIGGER transfers_never_go")

    @override
    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with closing(new_connection()) as connection:
            yield SQLiteTransaction(connection, now)


@frozen
class PostgresEngine(Engine):
    """A migrated database whose transaction is rolled back in the end."""

    url: str
    examples_max: int = 12

    @override
    def allow_any_change(self, tx: Transaction) -> None:
        tx.execute("DROP TRIGGER transfers_never_change ON transfers")

    @override
    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        connection = connect(self.url, application_name="tests", timeouts=PostgresTimeouts())
        try:
            connection.execute("BEGIN")
            yield RolledBackTransaction(connection)
        finally:
            connection.close()


@frozen
class RolledBackTransaction(Transaction):
    """One transaction per test, in which a statement that fails undoes only itself."""

    _connection: PostgresConnection

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        if sql.startswith(("SAVEPOINT", "ROLLBACK TO", "RELEASE")):
            return self._connection.execute(sql)  # the test's own
        self._connection.execute("SAVEPOINT statement")
        try:
            return self._connection.execute(sql, parameters)
        except psycopg.Error:
            self._connection.execute("ROLLBACK TO statement")
            raise
        finally:
            self._connection.execute("RELEASE statement")

    @override
    def clock(self) -> datetime:
        return now()

    @override
    def notify(self, topic: str) -> None:
        pass


@define
class ClockedTransaction(Transaction):
    """A transaction whose clock shows what the test says, and that remembers whom it notified."""

    _tx: Transaction
    now: datetime
    notified: list[str] = field(factory=list)

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        return self._tx.execute(sql, parameters)

    @override
    def clock(self) -> datetime:
        return self.now

    @override
    def notify(self, topic: str) -> None:
        self.notified.append(topic)


@frozen
class NotingTransaction(Transaction):
    """A transaction that remembers what it was asked."""

    _tx: Transaction
    executed: list[tuple[str, Parameters]] = field(factory=list)

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        self.executed.append((sql, parameters))
        return self._tx.execute(sql, parameters)

    @override
    def clock(self) -> datetime:
        return self._tx.clock()

    @override
    def notify(self, topic: str) -> None:
        self._tx.notify(topic)
