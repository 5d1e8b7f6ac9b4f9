"""A bus between the instances of a world: notifications at the speed of virtual time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Concatenate

import trio
from attrs import define, field, frozen
from typing_extensions import override

from trt.storage.database import (
    Database,
    DatabaseStatistics,
    P,
    Parameters,
    Refusal,
    Rows,
    T,
    Transaction,
)
from trt.storage.errors import DatabaseUnavailable
from trt.storage.fence import FencedDatabase
from trt.storage.wake_bus import WakeSource

HEARD_MAX = 1024


@define
class WakeBus(WakeSource):
    """Carries what committed transactions notify to every instance that listens."""

    is_deaf: bool = False
    """Whether everything that is said is lost."""
    said: list[str] = field(factory=list)
    """Every topic that was ever notified, oldest first."""
    _listeners: "list[trio.MemorySendChannel[str]]" = field(factory=list)

    def publish(self, topic: str) -> None:
        """Say that something has happened."""
        self.said.append(topic)
        if not self.is_deaf:
            for listener in self._listeners:
                with suppress(trio.WouldBlock):
                    listener.send_nowait(topic)

    def break_off(self) -> None:
        """Break the connection of everybody who listens; they may come back at once."""
        while self._listeners:
            self._listeners.pop().close()

    @override
    @asynccontextmanager
    async def topics(self) -> AsyncIterator[AsyncIterator[str]]:
        send, receive = trio.open_memory_channel[str](HEARD_MAX)
        self._listeners.append(send)
        try:
            yield _Topics(receive)
        finally:
            with suppress(ValueError):
                self._listeners.remove(send)


@frozen
class _Topics(AsyncIterator[str]):
    _arriving: "trio.MemoryReceiveChannel[str]"

    @override
    async def __anext__(self) -> str:
        try:
            return await self._arriving.receive()
        except trio.EndOfChannel:
            raise DatabaseUnavailable("nothing is heard any more") from None


class NotifyingDatabase(Database):
    """A database whose engine carries no notifications, and now does."""

    def __init__(self, db: Database, bus: WakeBus) -> None:
        self._db = db
        self._bus = bus

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        topics: list[str] = []

        def noting(tx: Transaction) -> T:
            topics.clear()
            return work(_NotingTransaction(tx, topics), *args, **kwargs)

        outcome = await self._db.transact(noting)
        if not isinstance(outcome, Refusal):
            for topic in dict.fromkeys(topics):
                self._bus.publish(topic)
        return outcome

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return FencedDatabase(self, lease_name, epoch)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._db.statistics()


@frozen
class _NotingTransaction(Transaction):
    _tx: Transaction
    _topics: list[str]

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        return self._tx.execute(sql, parameters)

    @override
    def clock(self) -> datetime:
        return self._tx.clock()

    @override
    def notify(self, topic: str) -> None:
        self._topics.append(topic)
