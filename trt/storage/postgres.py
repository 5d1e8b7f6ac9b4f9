"""The PostgreSQL engine: each transaction on a pooled connection, in one hop to a worker thread."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Concatenate

import trio
from attrs import define
from typing_extensions import override

from trt.storage.database import Database, DatabaseStatistics, P, Refusal, T, Transaction
from trt.storage.errors import CommitUnknown, DatabaseUnavailable, DatabaseUnopenable
from trt.storage.postgres_connection import PostgresTimeouts
from trt.storage.postgres_errors import TryAgain
from trt.storage.postgres_pool import PostgresPool
from trt.storage.postgres_transaction import CommitInDoubt, Fence, run_transaction

_DEFAULT_TIMEOUTS = PostgresTimeouts()
# Of one transaction that runs into deadlocks or broken connections.
_TRIES_MAX = 5
# For whoever was in the way to get through.
_PAUSE_S = 0.01
_ASK_AGAIN_S = 0.05


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    pool_max: int = 4,
    application_name: str = "trt",
    timeouts: PostgresTimeouts = _DEFAULT_TIMEOUTS,
) -> AsyncIterator["PostgresDatabase"]:
    """Open a migrated database; on the way out, what runs or waits for its turn is finished.

    Args:
        url: `postgresql://…`; any parameter of libpq may be in it.
        pool_max: The most connections, and so the most transactions at a time.
        application_name: What `pg_stat_activity` shows, by which others may end our sessions.
        timeouts: How long what may take.

    Raises:
        DatabaseUnopenable: The URL cannot be read, or no server let us in for `deadline_s`.
    """
    pool = PostgresPool(
        url, connections_max=pool_max, application_name=application_name, timeouts=timeouts
    )
    try:
        async with pool.connection(
            deadline=trio.current_time() + timeouts.deadline_s
        ) as connection:
            is_pooled = connection.is_pooled
        await pool.fill()
    except DatabaseUnavailable as error:
        raise DatabaseUnopenable(
            f"PostgreSQL does not let us in ({error}): start it, or mend DATABASE_URL"
        ) from None
    try:
        yield PostgresDatabase(pool, is_pooled=is_pooled)
    finally:
        await pool.aclose()


class PostgresDatabase(Database):
    """Runs transactions side by side, READ COMMITTED, as many as there are connections.

    Attributes:
        is_pooled: Whether a pooler stands in between, which carries no wake-ups.
    """

    def __init__(
        self,
        pool: PostgresPool,
        *,
        is_pooled: bool,
        fences: tuple[Fence, ...] = (),
        tally: "_Tally | None" = None,
    ) -> None:
        self.is_pooled = is_pooled
        self._pool = pool
        self._fences = fences
        self._tally = tally or _Tally()

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._tally.count_arrival()
        try:
            async with self._pool.room():
                result = await self._run(lambda tx: work(tx, *args, **kwargs))
        except Exception:
            self._tally.failed += 1
            raise
        finally:
            self._tally.waiting -= 1
        self._tally.count_end(is_refused=isinstance(result, Refusal))
        return result

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        fences = (*self._fences, Fence(lease_name, epoch))
        return PostgresDatabase(
            self._pool, is_pooled=self.is_pooled, fences=fences, tally=self._tally
        )

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._tally.statistics()

    async def open_seats(self) -> int:
        """Make the connections that are missing; return on how many statements are prepared."""
        await self._pool.fill()
        return 0 if self.is_pooled else self._pool.connections_max

    async def _run(self, work: Callable[[Transaction], T]) -> T:
        """Run the work on one connection after the other until one lets it through."""
        deadline = trio.current_time() + self._pool.timeouts.deadline_s
        for _ in range(_TRIES_MAX - 1):
            try:
                return await self._try(work, deadline)
            except TryAgain:
                if trio.current_time() >= deadline:
                    raise
            await trio.sleep(_PAUSE_S)
        return await self._try(work, deadline)

    async def _try(self, work: Callable[[Transaction], T], deadline: float) -> T:
        async with self._pool.connection(deadline=deadline) as connection:
            ended = await trio.to_thread.run_sync(
                run_transaction, connection, self._fences, work, limiter=self._pool.threads
            )
        if ended.doubt is not None and not await self._was_committed(ended.doubt):
            raise DatabaseUnavailable("the connection broke before the commit")
        return ended.result

    # A commit in doubt.

    async def _was_committed(self, doubt: CommitInDoubt) -> bool:
        """Ask on other connections, deaf to cancellation, until it is known or the time is up.

        Raises:
            CommitUnknown: It could not be found out.
        """
        deadline = trio.current_time() + self._pool.timeouts.deadline_s
        with trio.CancelScope(shield=True):
            while trio.current_time() < deadline:
                try:
                    async with self._pool.connection(deadline=deadline) as connection:
                        fate = await trio.to_thread.run_sync(
                            connection.fate_of, doubt.number, limiter=self._pool.threads
                        )
                        is_same_server = connection.incarnation == doubt.incarnation
                except DatabaseUnavailable:
                    continue
                if (was_committed := _judged(fate, is_same_server=is_same_server)) is not None:
                    return was_committed
                await trio.sleep(_ASK_AGAIN_S)
        raise CommitUnknown("the connection broke during the commit, and nobody could tell more")


def _judged(fate: str | None, *, is_same_server: bool) -> bool | None:
    """Return whether a transaction with this fate was committed; None while it runs.

    A server that crashed, or a replica in its place, gives the numbers that had not reached its
    disk out again. So there only a bad end is ours for certain, and what runs is not ours at all.

    Raises:
        CommitUnknown: A transaction of this number was committed, perhaps another one.
    """
    match fate:
        case "committed" if is_same_server:
            return True
        case "in progress" if is_same_server:
            return None
        case "committed":
            raise CommitUnknown("the server crashed during the commit")
        case _:
            return False


@define
class _Tally:
    """The counters behind `DatabaseStatistics`."""

    commits: int = 0
    refused: int = 0
    failed: int = 0
    waiting: int = 0
    waiting_peak: int = 0

    def count_arrival(self) -> None:
        self.waiting += 1
        self.waiting_peak = max(self.waiting_peak, self.waiting)

    def count_end(self, *, is_refused: bool) -> None:
        self.refused += is_refused
        self.commits += not is_refused

    def statistics(self) -> DatabaseStatistics:
        return DatabaseStatistics(
            transactions=self.commits + self.refused + self.failed,
            commits=self.commits,
            refused=self.refused,
            failed=self.failed,
            waiting=self.waiting,
            waiting_peak=self.waiting_peak,
            # Each transaction has a commit of its own; the server syncs them together.
            group_peak=min(1, self.commits),
        )
