"""How an operator's command gets at the database of a service that goes on working meanwhile."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import Concatenate, assert_never

import trio
from attrs import frozen

from trt.secret import Secret
from trt.storage.database import Database, P, Read, T, Transaction
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.errors import DatabaseUnopenable
from trt.storage.lease_store import DatabaseLeaseStore, LeaseStore
from trt.storage.postgres import open_postgres
from trt.storage.postgres_connection import PostgresTimeouts
from trt.storage.postgres_lease import application_name, open_postgres_leases
from trt.storage.sqlite import InlineSQLiteDatabase
from trt.storage.sqlite_connection import connect, read_with

HOLDER = "ops"
# To connect, and to ask what is found at once.
_QUICK = PostgresTimeouts(deadline_s=3.0, statement_s=2.5, lock_s=2.0)
# To look through everything, and to think about it before the transaction ends.
_PATIENT = PostgresTimeouts(deadline_s=60.0, statement_s=55.0, idle_in_transaction_s=55.0)


@frozen(kw_only=True, eq=False)
class Door:
    """An open database, as far as an operator needs it."""

    engine: str
    """Name and version of the engine, such as `PostgreSQL 18.6`."""
    is_pooled: bool
    """Whether a pooler stands between us and the server."""
    file: Path | None
    """The embedded database's file; None with a server."""
    has_migrations: Callable[[Transaction], bool]
    """Whether anything was ever migrated."""
    instances: Callable[[Transaction], tuple[str, ...] | None]
    """The holders' names of all instances that are connected; None where nobody knows."""
    read: Read
    """For what is found at once."""
    study: Read
    """For what has to look through whole tables."""
    db: Database
    leases: LeaseStore


def missing_file(address: DatabaseAddress) -> Path | None:
    """Return the file of an embedded database that was not made yet, else None."""
    match address:
        case SQLiteAddress(path=path):
            return None if path.exists() else path
        case PostgresAddress():
            return None
        case _:
            assert_never(address)


def open_door(
    address: DatabaseAddress, *, now: Callable[[], datetime]
) -> AbstractAsyncContextManager[Door]:
    """Open a database as it is: nothing is made, migrated or settled.

    Args:
        address: Where it is.
        now: The machine's clock, which is an embedded database's.

    Raises:
        DatabaseUnopenable: There is none, or it does not let us in.
    """
    if (missing := missing_file(address)) is not None:
        raise DatabaseUnopenable(
            f"there is no database at {missing} yet: start the service with `trt run`, "
            "or point DATA_DIR or DATABASE_URL to where it is"
        )
    match address:
        case SQLiteAddress(path=path):
            return _open_file(path, now)
        case PostgresAddress(url=url):
            return _open_server(url)
        case _:
            assert_never(address)


@asynccontextmanager
async def _open_file(path: Path, now: Callable[[], datetime]) -> AsyncIterator[Door]:
    with closing(connect(path)) as connection:

        async def read(
            work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
        ) -> T:
            await trio.lowlevel.checkpoint()
            return read_with(connection, now, lambda tx: work(tx, *args, **kwargs))

        db = InlineSQLiteDatabase(connection, now)
        [version] = await read(lambda tx: tx.execute("SELECT sqlite_version()").one())
        yield Door(
            engine=f"SQLite {version}",
            is_pooled=False,
            file=path,
            has_migrations=_file_has_migrations,
            instances=lambda _: None,
            read=read,
            study=read,
            db=db,
            leases=DatabaseLeaseStore(db, read),
        )


def _file_has_migrations(tx: Transaction) -> bool:
    found = tx.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'")
    return found.first() is not None


@asynccontextmanager
async def _open_server(url: Secret) -> AsyncIterator[Door]:
    address, name = url.reveal(), application_name(HOLDER)
    async with (
        # The first one to connect must not be the patient one: it would try for a minute.
        open_postgres(address, pool_max=1, application_name=name, timeouts=_QUICK) as db,
        open_postgres(address, pool_max=1, application_name=name, timeouts=_PATIENT) as patient,
        open_postgres_leases(address, holder=HOLDER, timeouts=_QUICK) as leases,
    ):
        [version] = await db.transact(lambda tx: tx.execute("SHOW server_version").one())
        yield Door(
            engine=f"PostgreSQL {version.split()[0]}",
            is_pooled=db.is_pooled,
            file=None,
            has_migrations=_server_has_migrations,
            instances=_connected_holders,
            read=db.transact,
            study=patient.transact,
            db=db,
            leases=leases,
        )


def _server_has_migrations(tx: Transaction) -> bool:
    [name] = tx.execute("SELECT to_regclass('schema_migrations')::text").one()
    return name is not None


def _connected_holders(tx: Transaction) -> tuple[str, ...]:
    rows = tx.execute(
        """
        SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE :any_instance
        ORDER BY application_name
        """,
        {"any_instance": application_name("%")},
    )
    holders = (name.removeprefix(application_name("")) for (name,) in rows)
    return tuple(holder for holder in holders if holder not in {HOLDER, "migrate"})
