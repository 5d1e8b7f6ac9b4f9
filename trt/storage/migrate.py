"""Forward-only migrations: numbered SQL files, each applied once, in its own transaction."""

from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import assert_never

from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.migrate_postgres import migrate_postgres
from trt.storage.migrate_sqlite import migrate_sqlite


def migrate(
    address: DatabaseAddress, migrations: Traversable | Path, *, now: datetime
) -> tuple[str, ...]:
    """Bring a database up to date and return the names of the steps that were applied.

    Several processes may do this at once. It blocks: inside trio, call it in a thread.

    Args:
        address: Where the database is.
        migrations: The folder with one folder of `NNNN_name.sql` files per engine.
        now: What is noted as the time of application.

    Raises:
        MigrationRefused: One of its kinds; the message names the file and the mend.
        DatabaseUnopenable: There is no database at the address, or it does not let us in.
        DatabaseUnavailable: Another process held the database for too long.
    """
    match address:
        case SQLiteAddress(path=path):
            return migrate_sqlite(path, migrations / "sqlite", now=now)
        case PostgresAddress(url=url):
            return migrate_postgres(url, migrations / "postgres", now=now)
        case _:
            assert_never(address)
