"""One connection to PostgreSQL: how it is opened, and how a transaction begins and ends on it.

Everything here blocks and belongs into a worker thread, but never for longer than its deadline.
"""

import math
from contextlib import suppress
from time import perf_counter
from typing import Any

import psycopg
from attrs import frozen
from psycopg import RawCursor, pq
from psycopg.abc import RV, PQGen
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from typing_extensions import override

from trt.storage.database import Parameters, Rows
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable
from trt.storage.postgres_errors import READ_ONLY, told, translated
from trt.storage.postgres_sql import ADAPTERS, prepared_for_postgres

# A statement is prepared when it comes for the fourth time. Batches of every size come rarely, and
# must not push the everyday statements out.
_PREPARE_AFTER = 3
_PREPARED_MAX = 200
_VERSION_MIN = 14_00_00


@frozen(kw_only=True)
class PostgresTimeouts:
    """How long what may take; each bound is wider than those inside it."""

    deadline_s: float = 5.0
    """A transaction with connecting and all its tries, counted here, whatever the network does.
    Waiting for its turn before, and finding out about its commit after, may each take as long."""
    statement_s: float = 4.5
    """One statement, counted by the server."""
    lock_s: float = 3.0
    """The wait for one lock, counted by the server."""
    idle_in_transaction_s: float = 1.0
    """How long a transaction of ours may say nothing: a frozen process must not hold its locks."""
    connect_s: float = 3.0
    """One try to connect."""

    def __attrs_post_init__(self) -> None:
        assert self.lock_s <= self.statement_s < self.deadline_s


class PostgresConnection:
    """A connection that runs one transaction after the other.

    Attributes:
        backend_pid: The server process behind it, by the server's own word.
        is_pooled: Whether a pooler stands in between, so that nothing may be kept in the session:
            no prepared statements, no LISTEN, no session lock.
        incarnation: Equal for connections to one server as long as it has not crashed or failed
            over, after which numbers of transactions may be given out a second time.
    """

    def __init__(self, link: "_Link", timeouts: PostgresTimeouts) -> None:
        self._link = link
        self._cursor = RawCursor(link)
        self._begin = b"BEGIN ISOLATION LEVEL READ COMMITTED;"
        self.backend_pid, self.incarnation = self._introduction()
        self.is_pooled = self.backend_pid != link.info.backend_pid
        self._bound_by(timeouts)

    @property
    def is_broken(self) -> bool:
        """Whether the connection is of no more use."""
        return self._link.closed or self._link.pgconn.status != pq.ConnStatus.OK

    @property
    def link(self) -> psycopg.Connection[Any]:
        """The connection as psycopg has it, for LISTEN and session locks."""
        return self._link

    def is_ended(self) -> bool:
        """Whether the server has ended it while it was idle; never blocks."""
        with suppress(psycopg.OperationalError):
            for _ in range(2):  # first its last words, then that there will be no more
                self._link.pgconn.consume_input()
        return self.is_broken

    def limit(self, left_s: float) -> None:
        """From now on, what is not answered within `left_s` seconds breaks the connection."""
        self._link.deadline_at = perf_counter() + left_s

    def close(self) -> None:
        """Close it; never blocks, whatever the state."""
        self._link.close()

    # A transaction.

    def begin(self, checks: bytes) -> list[bytes | None]:
        """Begin a transaction and run `checks` in it, all in one round trip.

        Args:
            checks: Queries of one column, without parameters.

        Returns:
            What each of them found first, as text; None for nothing.

        Raises:
            DatabaseUnavailable: It could not begin; `TryAgain` when the connection was broken.
        """
        results = self._run(self._begin + checks)
        return [
            result.get_value(0, 0) if result.ntuples else None
            for result in results
            if result.status == ExecStatus.TUPLES_OK
        ]

    def execute(self, sql: str, parameters: Parameters = ()) -> Rows:
        """Run one statement and fetch what it returned.

        Raises:
            DatabaseUnavailable: Not now; `TryAgain` when another try may succeed at once.
            psycopg.Error: The statement or its values are wrong.
        """
        statement, values = prepared_for_postgres(sql, parameters)
        try:
            cursor = self._cursor.execute(statement, values)
            rows = cursor.fetchall() if cursor.description is not None else []
        except psycopg.Error as error:
            raise self._translated(error) from None
        return Rows(rows, cursor.rowcount)

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction runs and nothing in it has failed."""
        return self._link.pgconn.transaction_status == TransactionStatus.INTRANS

    def commit(self) -> bool:
        """Commit, and return whether the server said that it did.

        When it is False the connection broke before an answer came, and whether the transaction
        was kept is for another connection to find out.

        Raises:
            DatabaseUnavailable: The server refused; nothing was kept.
        """
        try:
            [done] = self._run(b"COMMIT")
        except Exception:
            # Only a server that goes on talking has said what became of the transaction.
            if self.is_broken:
                return False
            raise
        if done.command_status != b"COMMIT":
            raise DatabaseUnavailable("the transaction was dropped")
        return True

    def rollback(self) -> None:
        """Roll back what runs; a connection that cannot even do that is broken."""
        if self._link.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        with suppress(DatabaseUnavailable):
            if not self.is_broken:
                self._run(b"ROLLBACK")
                return
        self.close()

    def fate_of(self, transaction: str) -> str | None:
        """Return `committed`, `aborted` or `in progress`; None when the server never heard of it.

        The number is one of `pg_current_xact_id`.
        """
        try:
            [(fate,)] = self.execute("SELECT pg_xact_status(?::text::xid8)", [transaction])
        except psycopg.errors.InvalidParameterValue:
            # "… is in the future": its number never reached the disk.
            return None
        return str(fate)

    # Opening it.

    def _introduction(self) -> tuple[int, str]:
        # A crash throws the statistics away, also one that the server's first process survives.
        [row] = self.execute(
            """
            SELECT pg_backend_pid(),
                   concat_ws(' ', pg_postmaster_start_time(), stats_reset)
            FROM pg_stat_bgwriter
            """
        )
        return row[0], row[1]

    def _bound_by(self, timeouts: PostgresTimeouts) -> None:
        """Have the server keep the time as well, for the session or, pooled, per transaction."""
        bounds = {
            "statement_timeout": timeouts.statement_s,
            "lock_timeout": timeouts.lock_s,
            "idle_in_transaction_session_timeout": timeouts.idle_in_transaction_s,
            # Whoever went away in the middle of a statement no longer holds its locks.
            "client_connection_check_interval": timeouts.idle_in_transaction_s,
        }
        scope = "LOCAL" if self.is_pooled else "SESSION"
        sets = "".join(
            f"SET {scope} {name} = {math.ceil(seconds * 1000)};" for name, seconds in bounds.items()
        ).encode()
        if self.is_pooled:
            self._link.prepare_threshold = None
            self._begin += sets
        else:
            self._run(sets)

    def _run(self, statements: bytes) -> list[PGresult]:
        """Run statements without parameters in one round trip."""
        try:
            self._link.pgconn.send_query(statements)
            results: list[PGresult] = self._link.wait(execute(self._link.pgconn))
            for result in results:
                if result.status == ExecStatus.FATAL_ERROR:
                    raise error_from_result(result)
        except psycopg.Error as error:
            raise self._translated(error) from None
        return results

    def _translated(self, error: psycopg.Error) -> Exception:
        told_as = translated(error, is_broken=self.is_broken)
        if error.sqlstate == READ_ONLY:
            # Perhaps the server is a replica by now, and the next connection finds its successor.
            self.close()
        return told_as


class _Link(psycopg.Connection[tuple[Any, ...]]):
    """A psycopg connection that waits for the server until the deadline and no longer.

    The server's own timeouts are of no use when a network swallows what it says.
    """

    deadline_at: float = math.inf

    @override
    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        left_s = self.deadline_at - perf_counter()
        try:
            return super().wait(gen, interval, left_s)
        except psycopg.OperationalError as error:
            if perf_counter() < self.deadline_at:
                raise
            self.close()
            raise DatabaseUnavailable("the server did not answer in time") from error


def connect(url: str, *, application_name: str, timeouts: PostgresTimeouts) -> PostgresConnection:
    """Open a connection without a limit; blocks for `connect_s` per host, and to resolve its name.

    Raises:
        DatabaseUnopenable: The URL cannot be read, or the server is too old.
        DatabaseUnavailable: The server cannot be reached or does not let us in.
    """
    seconds = max(2, math.ceil(timeouts.connect_s))
    try:
        link = _Link.connect(
            url,
            autocommit=True,
            prepare_threshold=_PREPARE_AFTER,
            context=_Context(),
            application_name=application_name,
            client_encoding="utf8",
            connect_timeout=seconds,
            keepalives=1,
            keepalives_idle=seconds,
            keepalives_interval=1,
            keepalives_count=3,
            tcp_user_timeout=math.ceil(timeouts.deadline_s * 1000),
        )
    except psycopg.ProgrammingError:
        # Its text quotes the URL, and with it the password.
        raise DatabaseUnopenable("the URL of the database cannot be read: mend it") from None
    except psycopg.Error as error:
        raise DatabaseUnavailable(told(error)) from None
    link.prepared_max = _PREPARED_MAX
    link.deadline_at = perf_counter() + timeouts.connect_s
    try:
        _check_version(link)
        connection = PostgresConnection(link, timeouts)
    except BaseException:
        link.close()
        raise
    link.deadline_at = math.inf
    return connection


def _check_version(link: _Link) -> None:
    if link.info.server_version < _VERSION_MIN:
        raise DatabaseUnopenable("PostgreSQL 14 or newer is needed: upgrade the server")


class _Context:
    """What psycopg asks for the adapters."""

    adapters = ADAPTERS
    connection = None
