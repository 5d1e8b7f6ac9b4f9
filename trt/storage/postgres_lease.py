"""The lease on PostgreSQL: its row, and a session lock that shows a crash at once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from zlib import crc32

import psycopg
import trio
from attrs import define, field
from typing_extensions import override

from trt.storage import lease
from trt.storage.database import T, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import LeaseRow
from trt.storage.lease_store import LeaseStore
from trt.storage.postgres_connection import PostgresConnection, PostgresTimeouts
from trt.storage.postgres_pool import PostgresPool
from trt.storage.postgres_transaction import PostgresTransaction, run_transaction

# Several tries fit into the time that a holder trusts its lease.
LEASE_TIMEOUTS = PostgresTimeouts(deadline_s=0.5, statement_s=0.4, lock_s=0.1, connect_s=0.5)
# Any constant: it keeps our session locks apart from everybody else's.
_LOCK_CLASS = 0x545254


def application_name(holder: str) -> str:
    """Return the name of all sessions of an incarnation, by which its successor ends them."""
    return f"trt/{holder}"


@asynccontextmanager
async def open_postgres_leases(
    url: str, *, holder: str, timeouts: PostgresTimeouts = LEASE_TIMEOUTS
) -> AsyncIterator["PostgresLeaseStore"]:
    """Open the leases of a migrated database; no connection is made before it is needed.

    Args:
        url: `postgresql://…`.
        holder: This incarnation of the process.
        timeouts: How long what may take.
    """
    pool = PostgresPool(
        url, connections_max=1, application_name=application_name(holder), timeouts=timeouts
    )
    try:
        yield PostgresLeaseStore(pool)
    finally:
        await pool.aclose()


class PostgresLeaseStore(LeaseStore):
    """Keeps, beside the row, a session lock on its one connection for each lease it holds.

    Whoever is given the session lock of a lease knows that its holder's session is gone, and with
    it the holder: it need not wait for the expiry. A frozen holder keeps its session, so it loses
    the lease by expiry, and its sessions are ended then: they may hold the fence. Behind a pooler
    there are no session locks, and expiry is all there is.
    """

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._session: _Session | None = None

    @override
    async def acquire(self, name: str, *, holder: str, pid: int, ttl_s: float) -> Acquired | HeldBy:
        return await self._run(
            lambda session: session.acquire(name, holder=holder, pid=pid, ttl_s=ttl_s)
        )

    @override
    async def renew(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow | None:
        return await self._run(
            lambda session: session.renew(name, holder=holder, epoch=epoch, ttl_s=ttl_s)
        )

    @override
    async def release(self, name: str, *, holder: str, epoch: int) -> bool:
        return await self._run(lambda session: session.release(name, holder=holder, epoch=epoch))

    @override
    async def depose(self, name: str, *, epoch: int) -> bool:
        return await self._run(lambda session: session.depose(name, epoch=epoch))

    @override
    async def read(self, name: str) -> LeaseRow | None:
        return await self._run(lambda session: session.read(name))

    async def _run(self, work: Callable[["_Session"], T]) -> T:
        """Run the work in a thread, on the connection as it stands or on a new one."""
        async with self._pool.room():
            deadline = trio.current_time() + self._pool.timeouts.deadline_s
            async with self._pool.connection(deadline=deadline) as connection:
                return await trio.to_thread.run_sync(
                    work, self._session_on(connection), limiter=self._pool.threads
                )

    def _session_on(self, connection: PostgresConnection) -> "_Session":
        if self._session is None or self._session.connection is not connection:
            self._session = _Session(connection)
        return self._session


@define
class _Session:
    """One connection and the session locks that it has; everything here runs in a thread."""

    connection: PostgresConnection
    locked: set[str] = field(factory=set)

    def acquire(self, name: str, *, holder: str, pid: int, ttl_s: float) -> Acquired | HeldBy:
        outcome: Acquired | HeldBy | None = None
        try:
            outcome = self._acquire(name, holder=holder, pid=pid, ttl_s=ttl_s)
        finally:
            if not isinstance(outcome, Acquired):
                self._unlock(name)
        return outcome

    def _acquire(self, name: str, *, holder: str, pid: int, ttl_s: float) -> Acquired | HeldBy:
        # In this order: who finds the session lock free and then a holder that had it, knows that
        # the holder did not just release both.
        is_locked = self._lock(name)
        standing = self.read(name)
        old_holder = None if standing is None or standing.holder == holder else standing.holder
        if (
            standing is not None
            and old_holder is not None
            and lease.why_free(standing, is_holder_gone=is_locked) is None
        ):
            return HeldBy(standing)

        def take(tx: Transaction) -> Acquired | HeldBy:
            return lease.acquire(
                tx,
                name,
                holder=holder,
                pid=pid,
                ttl_s=ttl_s,
                has_session_lock=is_locked,
                is_holder_gone=is_locked,
            )

        outcome = self._transact_whoever_is_in_the_way(take, old_holder)
        if isinstance(outcome, Acquired) and old_holder is not None:
            # A frozen one may have kept the session lock; our next renewal takes it.
            self._end_sessions_of(old_holder)
        return outcome

    def renew(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow | None:
        is_locked = self._lock(name)

        def renew(tx: Transaction) -> LeaseRow | None:
            return lease.renew(
                tx, name, holder=holder, epoch=epoch, ttl_s=ttl_s, has_session_lock=is_locked
            )

        row = self._transact(renew)
        if row is None:
            self._unlock(name)
        return row

    def release(self, name: str, *, holder: str, epoch: int) -> bool:
        def release(tx: Transaction) -> bool:
            # What waits here is our own last commit: the other one would wait for the expiry, which
            # is longer. The statement has a limit of its own.
            tx.execute("SET LOCAL lock_timeout = 0")
            return lease.release(tx, name, holder=holder, epoch=epoch)

        released = self._transact(release)
        self._unlock(name)
        return released

    def depose(self, name: str, *, epoch: int) -> bool:
        standing = self.read(name)
        return standing is not None and self._transact_whoever_is_in_the_way(
            lambda tx: lease.depose(tx, name, epoch=epoch), standing.holder
        )

    def read(self, name: str) -> LeaseRow | None:
        return lease.read(PostgresTransaction(self.connection), name)

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        ended = run_transaction(self.connection, (), work)
        if ended.doubt is not None:
            # The next look or renewal finds out; each of them may be made twice.
            raise DatabaseUnavailable("the connection broke during the commit")
        return ended.result

    def _transact_whoever_is_in_the_way(
        self, work: Callable[[Transaction], T], old_holder: str | None
    ) -> T:
        """Move the lease; if writers keep the fence for too long, end the old holder's sessions.

        A writer frozen in the middle of a transaction keeps it until the server ends its session,
        and a stream of writers may keep it among them.
        """
        try:
            return self._transact(work)
        except DatabaseUnavailable:
            if old_holder is None or self.connection.is_broken:
                raise
        self._end_sessions_of(old_holder)
        return self._transact(work)

    def _lock(self, name: str) -> bool:
        """Take the session lock unless somebody else has it; whether it is ours now."""
        if self.connection.is_pooled:
            return False
        if name not in self.locked:
            [is_ours] = self.connection.execute(
                "SELECT pg_try_advisory_lock(?::int4, ?::int4)", _keys(name)
            ).one()
            if not is_ours:
                return False
            self.locked.add(name)
        return True

    def _unlock(self, name: str) -> None:
        # A session that broke has no locks.
        with suppress(DatabaseUnavailable):
            if name in self.locked:
                self.connection.execute("SELECT pg_advisory_unlock(?::int4, ?::int4)", _keys(name))
                self.locked.remove(name)

    def _end_sessions_of(self, holder: str) -> None:
        """End what a holder has open, where we may."""
        # A role that may not do this takes over all the same, once the server's own limit for
        # transactions that say nothing has ended them.
        with suppress(psycopg.errors.InsufficientPrivilege):
            self.connection.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = ? AND usename = current_user AND pid <> pg_backend_pid()
                """,
                [application_name(holder)],
            )


def _keys(name: str) -> list[int]:
    """Return the two halves of a session lock's number, as signed integers."""
    number = crc32(name.encode())
    return [_LOCK_CLASS, number - (1 << 32) if number >= 1 << 31 else number]
