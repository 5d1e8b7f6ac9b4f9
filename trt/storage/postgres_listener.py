"""Wake-ups over PostgreSQL's LISTEN, on a connection of their own that never blocks a thread."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg
import trio
from typing_extensions import override

from trt.storage.errors import DatabaseUnavailable
from trt.storage.postgres_connection import PostgresConnection, PostgresTimeouts
from trt.storage.postgres_errors import told
from trt.storage.postgres_pool import PostgresPool
from trt.storage.postgres_transaction import CHANNEL
from trt.storage.wake_bus import NoWakeUps, WakeSource

_DEFAULT_TIMEOUTS = PostgresTimeouts()


class PostgresListener(WakeSource):
    """Listens with one connection per open context.

    Behind a pooler it hears nothing, like `NoWakeUps`: the session that listens there is not ours.
    """

    def __init__(
        self, url: str, *, application_name: str, timeouts: PostgresTimeouts = _DEFAULT_TIMEOUTS
    ) -> None:
        self._pool = PostgresPool(
            url, connections_max=1, application_name=application_name, timeouts=timeouts
        )

    @override
    def topics(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self._listening()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[AsyncIterator[str]]:
        connection = await self._pool.connect()
        try:
            if connection.is_pooled:
                async with NoWakeUps().topics() as silence:
                    yield silence
            else:
                topics = _Topics(connection)
                connection.limit(self._pool.timeouts.deadline_s)
                await trio.to_thread.run_sync(topics.listen)
                yield topics
        finally:
            connection.close()


class _Topics(AsyncIterator[str]):
    """The topics that arrive on a connection, each once among those that arrive together."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._pgconn = connection.link.pgconn
        self._arrived: deque[str] = deque()

    def listen(self) -> None:
        """Begin; what is said from now on is heard."""
        self._connection.link.add_notify_handler(lambda heard: self._arrived.append(heard.payload))
        self._connection.execute(f"LISTEN {CHANNEL}")

    @override
    async def __anext__(self) -> str:
        while not self._arrived:
            await trio.lowlevel.wait_readable(self._pgconn.socket)
            self._read()
        return self._arrived.popleft()

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(f"nothing is heard any more: {told(error)}") from None
        arrived: list[str] = []
        while (heard := self._pgconn.notifies()) is not None:
            arrived.append(heard.extra.decode())
        self._arrived.extend(dict.fromkeys(arrived))
