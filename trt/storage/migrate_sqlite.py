"""Migrations on SQLite: each step is decided and applied under the file's write lock."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path

from trt.storage.errors import MigrationFailed
from trt.storage.migrate_series import Migration, next_step, read_folder
from trt.storage.sqlite_connection import connect, errors_translated
from trt.storage.timestamps import to_unix

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  number     INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  checksum   TEXT    NOT NULL,
  applied_at REAL    NOT NULL
) STRICT
"""


def migrate_sqlite(
    target: sqlite3.Connection | Path | str, folder: Traversable | Path, *, now: datetime
) -> tuple[str, ...]:
    """Bring a database up to date and return the names of the steps that were applied.

    Several processes may do this at once: each step is decided and applied under the database's
    write lock.

    Args:
        target: A connection made by `connect`, or the path of the file.
        folder: Where the engine's `NNNN_name.sql` files are.
        now: What is noted as the time of application.

    Raises:
        MigrationRefused: One of its kinds; the message names the file and the mend.
        DatabaseUnopenable: The path cannot be written or is no database.
        DatabaseUnavailable: Another process held the database for too long.
    """
    files = read_folder(folder)
    names: list[str] = []
    with _connection(target) as connection:
        while (step := _apply_next(connection, files, now)) is not None:
            names.append(step.name)
    return tuple(names)


def _apply_next(
    connection: sqlite3.Connection, files: Sequence[Migration], now: datetime
) -> Migration | None:
    with errors_translated():
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_TABLE)
            step = next_step(files, _applied(connection))
            if step is not None:
                _apply(connection, step, now)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return step


def _applied(connection: sqlite3.Connection) -> list[Migration]:
    rows = connection.execute(
        "SELECT number, name, checksum FROM schema_migrations ORDER BY number"
    )
    return [Migration(number=number, name=name, checksum=sha) for number, name, sha in rows]


def _apply(connection: sqlite3.Connection, step: Migration, now: datetime) -> None:
    try:
        for statement in statements(step.sql):
            connection.execute(statement)
    except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
        raise MigrationFailed(
            f"{step.name} failed and was rolled back ({error}): "
            "mend its SQL, or the data that it stumbled on"
        ) from error
    connection.execute(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
        (step.number, step.name, step.checksum, to_unix(now)),
    )


def statements(sql: str) -> Iterator[str]:
    """Cut a script into statements; each ends at the end of a line, triggers stay whole."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


@contextmanager
def _connection(target: sqlite3.Connection | Path | str) -> Iterator[sqlite3.Connection]:
    if isinstance(target, sqlite3.Connection):
        yield target
        return
    connection = connect(target)
    try:
        yield connection
    finally:
        connection.close()
