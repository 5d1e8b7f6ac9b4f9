"""Migrations on PostgreSQL: each step is decided and applied under one advisory lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path

import psycopg
from attrs import frozen
from psycopg import errors
from psycopg.rows import TupleRow

from trt.secret import Secret
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable, MigrationFailed
from trt.storage.migrate_series import Migration, next_step, read_folder
from trt.storage.postgres_errors import told
from trt.storage.timestamps import to_unix

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  number     BIGINT           NOT NULL PRIMARY KEY,
  name       TEXT             NOT NULL,
  checksum   TEXT             NOT NULL,
  applied_at DOUBLE PRECISION NOT NULL
)
"""

# Any constant, the same in every release. Held for a step by its transaction, so that it works
# through a pooler.
_LOCK = 0x545254_6D6967
_CONNECT_S = 5


@frozen(kw_only=True)
class Patience:
    """How long to wait for whoever is in the way."""

    others_s: float = 30.0
    """Another instance applies a step."""
    tables_s: float = 3.0
    """A table is in use: whoever comes after the step waits behind it."""


PATIENCE = Patience()


def migrate_postgres(
    url: Secret,
    folder: Traversable | Path,
    *,
    now: datetime,
    patience: Patience = PATIENCE,
) -> tuple[str, ...]:
    """Bring a database up to date and return the names of the steps that were applied.

    Args:
        url: The database's URL.
        folder: Where PostgreSQL's `NNNN_name.sql` files are.
        now: What is noted as the time of application.
        patience: How long to wait for others.

    Raises:
        MigrationRefused: One of its kinds; the message names the file and the mend.
        DatabaseUnopenable: The server cannot be reached or does not let us in.
        DatabaseUnavailable: Another process held the database for too long.
    """
    files = read_folder(folder)
    names: list[str] = []
    with _connection(url) as connection:
        while (step := _apply_next(connection, files, now, patience)) is not None:
            names.append(step.name)
    return tuple(names)


def _apply_next(
    connection: psycopg.Connection[TupleRow],
    files: Sequence[Migration],
    now: datetime,
    patience: Patience,
) -> Migration | None:
    try:
        with connection.transaction():
            _wait_for_locks(connection, patience.others_s)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            _wait_for_locks(connection, patience.tables_s)
            connection.execute(_TABLE)
            step = next_step(files, _applied(connection))
            if step is not None:
                _apply(connection, step, now)
            return step
    except errors.InsufficientPrivilege as error:
        raise DatabaseUnopenable(
            f"the role may not migrate the database ({told(error)}): "
            "GRANT CREATE ON SCHEMA public TO it"
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the migration was not applied: {told(error)}") from error


def _wait_for_locks(connection: psycopg.Connection[TupleRow], seconds: float) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])


def _applied(connection: psycopg.Connection[TupleRow]) -> list[Migration]:
    rows = connection.execute(
        "SELECT number, name, checksum FROM schema_migrations ORDER BY number"
    )
    return [Migration(number=number, name=name, checksum=sha) for number, name, sha in rows]


def _apply(connection: psycopg.Connection[TupleRow], step: Migration, now: datetime) -> None:
    try:
        # Without parameters a text may hold many statements, and `%` stays what it is.
        connection.execute(step.sql.encode())
    except (errors.LockNotAvailable, errors.QueryCanceled, errors.AdminShutdown):
        raise
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{step.name} failed and was rolled back ({told(error)}): "
            "mend its SQL, or the data that it stumbled on"
        ) from error
    connection.execute(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) "
        "VALUES (%s, %s, %s, %s)",
        [step.number, step.name, step.checksum, to_unix(now)],
    )


@contextmanager
def _connection(url: Secret) -> Iterator[psycopg.Connection[TupleRow]]:
    try:
        connection = psycopg.connect(
            url.reveal(),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=_CONNECT_S,
            application_name="trt/migrate",
        )
    except psycopg.ProgrammingError:
        # Its own words would quote the URL, and the password with it.
        raise DatabaseUnopenable("DATABASE_URL is not a postgresql:// URL: mend it") from None
    except psycopg.OperationalError as error:
        raise DatabaseUnopenable(
            f"the PostgreSQL server does not let us in ({told(error)}): "
            "start it, or mend DATABASE_URL"
        ) from error
    try:
        yield connection
    finally:
        connection.close()
