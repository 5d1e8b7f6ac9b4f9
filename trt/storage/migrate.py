"""Forward-only migrations: numbered SQL files, each applied once, in its own transaction."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

from attrs import frozen

from trt.storage.errors import (
    DatabaseIsNewer,
    MigrationChanged,
    MigrationDuplicate,
    MigrationFailed,
    MigrationMisnamed,
    MigrationMissing,
)
from trt.storage.sqlite_connection import connect, errors_translated
from trt.storage.timestamps import to_unix

_FILE_NAME = re.compile(r"(?P<number>\d{4})_\w+\.sql")

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  number     INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  checksum   TEXT    NOT NULL,
  applied_at REAL    NOT NULL
) STRICT
"""


@frozen(kw_only=True)
class Migration:
    """One step: a file of the series, or the memory of one in the database."""

    number: int
    name: str
    """The file's name."""
    checksum: str
    sql: str = ""


def migrate(
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


def read_folder(folder: Traversable | Path) -> tuple[Migration, ...]:
    """Return the steps of a folder in order, after checking that they form a series from 1.

    Raises:
        MigrationMisnamed: A file has another kind of name.
        MigrationDuplicate: Two files have one number.
        MigrationMissing: A number is left out.
    """
    files = [_read(entry) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    files.sort(key=lambda file: (file.number, file.name))
    for earlier, later in pairwise(files):
        if earlier.number == later.number:
            raise MigrationDuplicate(
                f"{earlier.name} and {later.name} have the same number: "
                "renumber the one that was not applied anywhere"
            )
    for expected, file in enumerate(files, start=1):
        if file.number != expected:
            raise MigrationMissing(
                f"{file.name} was found where number {expected:04} was expected: "
                "restore the missing file, or renumber this one"
            )
    return tuple(files)


def next_step(files: Sequence[Migration], applied: Sequence[Migration]) -> Migration | None:
    """Compare what the database remembers with the files and return the step to apply, if any.

    Args:
        files: A series from 1.
        applied: What was applied, in order of number.

    Raises:
        DatabaseIsNewer: The database has steps after the last file.
        MigrationMissing: The database's memory has a hole.
        MigrationChanged: A file is not the one that was applied.
    """
    if applied and applied[-1].number > len(files):
        raise DatabaseIsNewer(
            f"the database has {applied[-1].name} and this release ends at "
            f"{files[-1].name if files else 'no step at all'}: start the newer release"
        )
    for expected, memory in enumerate(applied, start=1):
        file = files[expected - 1]
        if memory.number != expected:
            raise MigrationMissing(
                f"{file.name} was never applied and {memory.name} after it was: "
                "restore the database from a backup, or apply it by hand and note it"
            )
        if (memory.name, memory.checksum) != (file.name, file.checksum):
            raise MigrationChanged(
                f"{file.name} differs from {memory.name} as it was applied (checksum "
                f"{file.checksum[:12]}, expected {memory.checksum[:12]}): "
                "restore the file and put the change into a new step"
            )
    return files[len(applied)] if len(applied) < len(files) else None


def _read(entry: Traversable | Path) -> Migration:
    match = _FILE_NAME.fullmatch(entry.name)
    if match is None:
        raise MigrationMisnamed(
            f"{entry.name} is not called NNNN_name.sql: rename it, or move it out of the folder"
        )
    sql = entry.read_text(encoding="utf-8")
    return Migration(
        number=int(match["number"]),
        name=entry.name,
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
        sql=sql,
    )


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
