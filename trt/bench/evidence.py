"""What the database file says after a load: read by a connection that can only read."""

import sqlite3
from contextlib import closing
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Evidence:
    """How many rows there are, and how far they have come."""

    inbox: int
    inbox_unfinished: int
    outbox: int
    outbox_pending: int


def evidence(database: Path) -> Evidence:
    """Count the rows of a database that a service may be writing to."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return Evidence(
            inbox=_count(connection, "SELECT count(*) FROM inbox"),
            inbox_unfinished=_count(connection, "SELECT count(*) FROM inbox WHERE state = 'new'"),
            outbox=_count(connection, "SELECT count(*) FROM outbox"),
            outbox_pending=_count(
                connection, "SELECT count(*) FROM outbox WHERE state = 'pending'"
            ),
        )


def _count(connection: sqlite3.Connection, sql: str) -> int:
    [count] = connection.execute(sql).fetchone()
    return int(count)
