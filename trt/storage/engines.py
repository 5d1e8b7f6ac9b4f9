"""The engines: the address of a database, and all the doors to it that a service needs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import assert_never

from attrs import frozen

from trt.secret import Secret
from trt.storage import installation
from trt.storage.database import Database
from trt.storage.lease_store import DatabaseLeaseStore, LeaseStore
from trt.storage.postgres import open_postgres
from trt.storage.postgres_lease import LEASE_TIMEOUTS, application_name, open_postgres_leases
from trt.storage.postgres_listener import PostgresListener
from trt.storage.sqlite import open_sqlite, open_sqlite_reader
from trt.storage.wake_bus import NoWakeUps, WakeSource

# Updates and callbacks come in batches, one transaction each: one at work, one on its way.
_INGRESS_POOL_MAX = 2
# The lease is trusted for longer than this; then its holder has to stop anyway.
_LEASE_BUSY_S = 1.0
# Fewer would leave its group commit nothing to group.
_FILE_AT_WORK_MAX = 8


@frozen
class SQLiteAddress:
    """A file on this machine; its folder must exist."""

    path: Path


@frozen
class PostgresAddress:
    """A `postgresql://` URL, which may hold a password."""

    url: Secret


DatabaseAddress = SQLiteAddress | PostgresAddress


@frozen(kw_only=True)
class Storage:
    """The open doors to one database."""

    db: Database
    ingress_db: Database
    """For updates and callbacks that arrive: their commits never wait behind work."""
    lease_store: LeaseStore
    """Waits behind nothing either."""
    wake_source: WakeSource
    engine: str
    """For the operator's eyes: `sqlite` or `postgres`."""
    is_pooled: bool
    """Whether a pooler stands in between: no wake-ups then, and a crash is seen by its silence."""
    at_work_max: int
    """How many updates are worth handling at a time; more would only stand in line in here, and a
    planned stop would wait for them."""
    open_seats: Callable[[], Awaitable[int]]
    """Makes the connections that the flow is short of, and returns how many have statements to be
    prepared on them before they are quick."""


@asynccontextmanager
async def open_storage(
    address: DatabaseAddress,
    *,
    now: Callable[[], datetime],
    holder: str,
    shards: int,
    pool_max: int,
) -> AsyncIterator[Storage]:
    """Open a migrated database in every way that a service needs.

    Args:
        address: Where it is.
        now: The machine's clock; for a file the one that all instances share.
        holder: This incarnation of the process.
        shards: How many the installation has.
        pool_max: How many transactions of the flow may run side by side on a server.

    Raises:
        DatabaseUnopenable: It is not there, or does not let us in.
        ShardsDiffer: The installation has another number of shards.
    """
    async with _opened(address, now=now, holder=holder, pool_max=pool_max) as storage:
        await storage.db.transact(installation.settle, shards=shards)
        yield storage


def renewal_s(address: DatabaseAddress) -> float:
    """Return how many seconds one renewal of a lease may take there before it is given up."""
    match address:
        case SQLiteAddress():
            return _LEASE_BUSY_S
        case PostgresAddress():
            return LEASE_TIMEOUTS.deadline_s
        case _:
            assert_never(address)


async def no_seats() -> int:
    """Return that nothing has to be prepared: a file has no connections that are slow at first."""
    return 0


def _opened(
    address: DatabaseAddress, *, now: Callable[[], datetime], holder: str, pool_max: int
) -> AbstractAsyncContextManager[Storage]:
    match address:
        case SQLiteAddress(path=path):
            return _open_file(path, now=now)
        case PostgresAddress(url=url):
            return _open_server(url.reveal(), holder=holder, pool_max=pool_max)
        case _:
            assert_never(address)


@asynccontextmanager
async def _open_file(path: Path, *, now: Callable[[], datetime]) -> AsyncIterator[Storage]:
    async with (
        open_sqlite(path, now=now) as db,
        open_sqlite(path, now=now, busy_timeout_s=_LEASE_BUSY_S) as lease_db,
        open_sqlite_reader(path, now=now, busy_timeout_s=_LEASE_BUSY_S) as look,
    ):
        yield Storage(
            db=db,
            # One writer at a time is all a file can have, and its groups are shared by everybody.
            ingress_db=db,
            lease_store=DatabaseLeaseStore(lease_db, look),
            wake_source=NoWakeUps(),
            engine="sqlite",
            is_pooled=False,
            at_work_max=_FILE_AT_WORK_MAX,
            open_seats=no_seats,
        )


@asynccontextmanager
async def _open_server(url: str, *, holder: str, pool_max: int) -> AsyncIterator[Storage]:
    name = application_name(holder)
    async with (
        open_postgres(url, pool_max=pool_max, application_name=name) as db,
        open_postgres(url, pool_max=_INGRESS_POOL_MAX, application_name=name) as ingress_db,
        open_postgres_leases(url, holder=holder) as leases,
    ):
        yield Storage(
            db=db,
            ingress_db=ingress_db,
            lease_store=leases,
            wake_source=PostgresListener(url, application_name=name),
            engine="postgres",
            is_pooled=db.is_pooled,
            at_work_max=pool_max + 1,  # one thinks while the others write
            open_seats=db.open_seats,
        )
