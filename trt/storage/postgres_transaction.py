"""One transaction on one connection, from BEGIN to COMMIT; runs in a worker thread."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic

from attrs import field, frozen
from psycopg import sql
from typing_extensions import override

from trt.storage.database import Parameters, Refusal, Rows, T, Transaction
from trt.storage.errors import DatabaseUnavailable, Fenced
from trt.storage.postgres_connection import PostgresConnection
from trt.storage.timestamps import from_unix

CHANNEL = "trt"
"""Where `Transaction.notify` speaks; the topic is the payload."""

# Every transaction learns its number as it begins: when its COMMIT is in doubt it is too late.
_NUMBER = b"SELECT pg_current_xact_id();"
# FOR SHARE, because a plain read or FOR KEY SHARE would let a takeover, which updates this row,
# commit between the check and our own COMMIT. So the takeover waits for us; or we wait for it, and
# then look at the row again.
_CHECK = sql.SQL(
    "SELECT pg_current_xact_id() FROM fences WHERE name = {name} AND epoch = {epoch} FOR SHARE;"
)


@frozen
class Fence:
    """Under which epoch of which lease a transaction may write."""

    lease_name: str
    epoch: int
    check: bytes = field(init=False, repr=False)

    @check.default
    def _check(self) -> bytes:
        return _CHECK.format(name=self.lease_name, epoch=self.epoch).as_bytes(None)


class PostgresTransaction(Transaction):
    """The connection as the work functions see it."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self.error: Exception | None = None

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        try:
            return self._connection.execute(sql, parameters)
        except Exception as error:
            self.error = self.error or error
            raise

    @override
    def clock(self) -> datetime:
        [seconds] = self.execute("SELECT extract(epoch FROM clock_timestamp())::float8").one()
        return from_unix(seconds)

    @override
    def notify(self, topic: str) -> None:
        self.execute("SELECT pg_notify(?, ?)", [CHANNEL, topic])


@frozen
class CommitInDoubt:
    """Which transaction it was whose COMMIT had no answer."""

    number: str
    incarnation: str


@frozen
class Ended(Generic[T]):
    """How a transaction ended that raised nothing."""

    result: T
    doubt: CommitInDoubt | None = None


def run_transaction(
    connection: PostgresConnection, fences: Sequence[Fence], work: Callable[[Transaction], T]
) -> Ended[T]:
    """Begin, check the fences, run the work, and commit unless it raises or refuses.

    Raises:
        DatabaseUnavailable: Nothing was kept; `TryAgain` when another try may succeed at once.
        Fenced: One of the leases moved on; nothing was kept.
        Exception: Whatever the work raised; nothing was kept.
    """
    try:
        number = _begin(connection, fences)
        tx = PostgresTransaction(connection)
        result = work(tx)
        if isinstance(result, Refusal):
            return Ended(result)
        if not connection.is_in_transaction:
            raise tx.error or DatabaseUnavailable("the transaction was dropped")
        if connection.commit():
            return Ended(result)
        return Ended(result, CommitInDoubt(number, connection.incarnation))
    finally:
        connection.rollback()


def _begin(connection: PostgresConnection, fences: Sequence[Fence]) -> str:
    """Return the number of the transaction."""
    found = connection.begin(b"".join(fence.check for fence in fences) or _NUMBER)
    for fence, number in zip(fences, found, strict=False):
        if number is None:
            raise Fenced(fence.lease_name, fence.epoch)
    assert found[0] is not None
    return found[0].decode()
