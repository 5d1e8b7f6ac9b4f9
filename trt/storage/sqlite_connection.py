"""One connection to a SQLite file: how it is opened, and how its errors are translated."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from typing_extensions import override

from trt.storage.database import Parameters, Rows, T, Transaction
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable

# Primary result codes that say "not now" or "not here" (sqlite.org, Result and Error Codes). All
# others, such as a wrong statement or a broken constraint, are bugs and stay as they are.
_UNAVAILABLE = frozenset({
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
})  # fmt: skip


def connect(path: Path | str, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """Open a database file (or `:memory:`) the way all our code expects it.

    WAL, full sync, foreign keys, no implicit transactions. The connection may move between
    threads as long as one uses it at a time.

    Raises:
        DatabaseUnopenable: The folder is missing or unwritable, or the file is no database.
    """
    try:
        connection = sqlite3.connect(
            path,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise _unopenable(path, error) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # A file that cannot be written is found out here and not with the first user's update.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        connection.close()
        raise _unopenable(path, error) from error
    return connection


def _unopenable(path: Path | str, error: sqlite3.Error) -> DatabaseUnopenable:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
        return DatabaseUnopenable(
            f"{path} is not an SQLite database: move it away, or point DATA_DIR somewhere else"
        )
    return DatabaseUnopenable(
        f"{path} cannot be opened for writing ({error}): "
        "make the folder exist and be writable for this user, or set DATA_DIR"
    )


@contextmanager
def errors_translated() -> Iterator[None]:
    """Turn SQLite's operating errors into `DatabaseUnavailable`; bugs pass through."""
    try:
        yield
    except sqlite3.Error as error:
        _raise_if_unavailable(error)
        raise


def _raise_if_unavailable(error: sqlite3.Error) -> None:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE:
        raise DatabaseUnavailable(f"{error} ({error.sqlite_errorname})") from error


class SQLiteTransaction(Transaction):
    """The connection as the work functions see it; its clock is the machine's.

    All instances on one file share a machine, and so its clock.
    """

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        # Without `errors_translated`: a context manager costs more than a short statement.
        try:
            cursor = self._connection.execute(sql, parameters)
            # Fetched to the end, because an unfinished RETURNING would keep the commit from ending.
            return Rows(cursor.fetchall(), cursor.rowcount)
        except sqlite3.Error as error:
            _raise_if_unavailable(error)
            raise

    @override
    def clock(self) -> datetime:
        return self._now()

    @override
    def notify(self, topic: str) -> None:
        """Do nothing: processes that share a file find each other's rows by looking."""


def read_with(
    connection: sqlite3.Connection, now: Callable[[], datetime], work: Callable[[Transaction], T]
) -> T:
    """Return what the work found, at one moment; it waits for no writer and holds up none.

    Raises:
        DatabaseUnavailable: The file could not be read now.
        Exception: Whatever the work raised.
    """
    connection.execute("BEGIN DEFERRED")
    try:
        return work(SQLiteTransaction(connection, now))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
