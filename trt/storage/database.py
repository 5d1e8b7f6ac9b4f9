"""The port to the database: transactions, refusals and what an engine promises."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from attrs import frozen

P = ParamSpec("P")
T = TypeVar("T")

Row = tuple[Any, ...]
"""The columns of one row, in the order in which the SQL names them."""

Parameters = Sequence[object] | Mapping[str, object]
"""A mapping for `:name` placeholders, a sequence for `?` placeholders."""


class Refusal:
    """The root of outcomes that change nothing.

    When the work of a transaction returns one, the transaction is rolled back and the refusal is
    handed to the caller.
    """

    __slots__ = ()


@frozen
class Rows:
    """What one statement gave back."""

    rows: Sequence[Row]
    count: int
    """Rows that an INSERT, UPDATE or DELETE touched; without meaning for a SELECT."""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def first(self) -> Row | None:
        """Return the first row, or None when there is none."""
        return self.rows[0] if self.rows else None

    def one(self) -> Row:
        """Return the only row; anything else is a bug."""
        [row] = self.rows
        return row


class Transaction(Protocol):
    """A running transaction; only valid inside the work function that it was given to."""

    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        """Run one statement and fetch all that it returns.

        Raises:
            DatabaseUnavailable: The database could not do it now.
        """
        ...

    def clock(self) -> datetime:
        """Return the time by the clock that all instances on this database share."""
        ...

    def notify(self, topic: str) -> None:
        """Wake whoever listens for the topic, in any process, once this transaction commits.

        Best effort: a listener that misses it finds the rows with its next look. Only an engine
        that carries notifications does anything.
        """
        ...


@frozen(kw_only=True)
class DatabaseStatistics:
    """Counters since the database was opened."""

    transactions: int
    """Work functions that ran, however they ended."""
    commits: int
    """Groups of them that reached the disk together."""
    refused: int
    failed: int
    """Work functions that raised, or whose group could not be committed."""
    waiting: int
    """Callers that wait for their result or for room, right now."""
    waiting_peak: int
    group_peak: int
    """The most transactions that ever shared one commit."""


class Read(Protocol):
    """Runs a function that only reads as one transaction, without standing in anybody's way."""

    async def __call__(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what the work returned; raises `DatabaseUnavailable`."""
        ...


class Database(Protocol):
    """Where everything that must survive is kept; one per process and purpose."""

    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(tx, *args, **kwargs)` as one transaction and return what it returned.

        The work is synchronous, touches nothing but the transaction and its arguments, and may run
        in another thread. It is committed when it returns, rolled back when it raises or returns a
        `Refusal`. Once it waits for its turn it cannot be cancelled; the caller then always learns
        how it ended, and cancellation is delivered at its next checkpoint.

        Raises:
            DatabaseUnavailable: Nothing was kept, the database could not do it now.
            Fenced: On a fenced database, the lease moved on; nothing was kept.
            Exception: Whatever the work raised; nothing was kept.
        """
        ...

    def fenced(self, lease_name: str, epoch: int) -> "Database":
        """Return a view of this database that refuses to write once the lease has moved on.

        Every transaction of the view first checks that the lease is held under `epoch`, in the
        same transaction, so that a paused or partitioned process can commit nothing afterwards.
        """
        ...

    def statistics(self) -> DatabaseStatistics:
        """Return the counters; never blocks."""
        ...
