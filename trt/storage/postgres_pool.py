"""The connections of one process to PostgreSQL: bounded, made when needed, dropped when broken."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio
from attrs import define, field

from trt.storage.errors import DatabaseUnavailable
from trt.storage.postgres_connection import PostgresConnection, PostgresTimeouts, connect

# A server that restarts is asked this often, by one caller at a time, on behalf of all.
_LOOK_AGAIN_S = 0.1
# More than one, because a thread that was given up may hang in a name resolver for a while.
_CONNECTING_MAX = 4
_SILENCE = "the server says nothing"


class PostgresPool:
    """At most `connections_max` connections; who comes later waits for room.

    Attributes:
        connections_max: The most there are.
        timeouts: How long what may take.
        threads: For `trio.to_thread`, one per connection: nobody waits here who has room.
    """

    def __init__(
        self, url: str, *, connections_max: int, application_name: str, timeouts: PostgresTimeouts
    ) -> None:
        assert connections_max >= 1
        self.connections_max = connections_max
        self.timeouts = timeouts
        self.threads = trio.CapacityLimiter(connections_max)
        self._url = url
        self._application_name = application_name
        self._room = trio.Semaphore(connections_max)
        self._idle: list[PostgresConnection] = []
        self._in_use = 0
        self._connecting = trio.Lock()
        self._connecting_threads = trio.CapacityLimiter(_CONNECTING_MAX)
        self._trouble = _SILENCE
        self._is_closed = False

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Wait for the right to one connection at a time; it is held inside.

        Raises:
            DatabaseUnavailable: There was no room in time, or the pool was closed.
        """
        with trio.move_on_after(self.timeouts.deadline_s) as waiting:
            await self._room.acquire()
        if waiting.cancelled_caught:
            raise DatabaseUnavailable("all connections were busy for too long")
        try:
            yield
        finally:
            self._room.release()

    @asynccontextmanager
    async def connection(self, *, deadline: float) -> AsyncIterator[PostgresConnection]:
        """Take an idle connection or make one; inside, it answers until the deadline or breaks.

        Tries until the deadline, a time of trio's clock, so that a short restart of the server is
        only a pause.

        Raises:
            DatabaseUnavailable: None could be made in time, or the pool was closed.
            DatabaseUnopenable: The URL cannot be read, or the server is too old.
        """
        connection = await self._take(deadline)
        self._in_use += 1
        try:
            connection.limit(deadline - trio.current_time())
            yield connection
        finally:
            self._in_use -= 1
            self._give_back(connection)

    async def _take(self, deadline: float) -> PostgresConnection:
        if self._is_closed:
            raise DatabaseUnavailable("the database was closed")
        if self._idle:
            return self._idle.pop()
        with trio.move_on_at(deadline):
            async with self._connecting:
                while not self._idle:
                    try:
                        connection = await self.connect()
                    except DatabaseUnavailable as error:
                        self._trouble = str(error)
                    else:
                        self._trouble = _SILENCE
                        return connection
                    await trio.sleep(_LOOK_AGAIN_S)
                return self._idle.pop()
        raise DatabaseUnavailable(f"no connection in time ({self._trouble})")

    async def fill(self) -> None:
        """Make all missing connections now, so that nobody has to wait for one later.

        Those that the server has ended while they were idle are missing too.
        """
        for connection in [each for each in self._idle if each.is_ended()]:
            self._idle.remove(connection)
            connection.close()
        with suppress(DatabaseUnavailable):  # then the others are made when they are needed
            for _ in range(self.connections_max):
                async with self._connecting:
                    if len(self._idle) + self._in_use < self.connections_max:
                        self._idle.append(await self.connect())

    async def connect(self) -> PostgresConnection:
        """Make a connection that is the caller's to close.

        Cancellation leaves the thread behind, which closes what it gets.

        Raises:
            DatabaseUnavailable: The server cannot be reached or does not let us in.
            DatabaseUnopenable: The URL cannot be read, or the server is too old.
        """
        dial = _Dial(self._url, self._application_name, self.timeouts)
        try:
            return await trio.to_thread.run_sync(
                dial.connect, abandon_on_cancel=True, limiter=self._connecting_threads
            )
        except trio.Cancelled:
            dial.hang_up()
            raise

    def _give_back(self, connection: PostgresConnection) -> None:
        if connection.is_broken or self._is_closed:
            # Its idle siblings broke with it, more often than not.
            connection.close()
            self._close_idle()
        else:
            self._idle.append(connection)

    async def aclose(self) -> None:
        """Wait until the last holder of room is done, then close all; later callers are refused."""
        # Bounded by the deadlines of the holders.
        with trio.CancelScope(shield=True):
            for _ in range(self.connections_max):
                await self._room.acquire()
        self._is_closed = True
        self._close_idle()
        for _ in range(self.connections_max):
            self._room.release()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


@define
class _Dial:
    """One try to connect, whose connection is closed when nobody waits for it any more."""

    url: str = field(repr=False)
    application_name: str
    timeouts: PostgresTimeouts
    _lock: threading.Lock = field(factory=threading.Lock)
    _is_hung_up: bool = False
    _connection: PostgresConnection | None = None

    def connect(self) -> PostgresConnection:
        connection = connect(
            self.url, application_name=self.application_name, timeouts=self.timeouts
        )
        with self._lock:
            self._connection = connection
            if self._is_hung_up:
                connection.close()
        return connection

    def hang_up(self) -> None:
        with self._lock:
            self._is_hung_up = True
            if self._connection is not None:
                self._connection.close()
